"""Items of every kind in one table, with a table a kind for what is its own."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from leitstand.db.models.base import Base, CreatedAt, Id, WorkspaceId

# What people build; what they say (a conversation) is an item as well, and stands in lists of its own.
BUILT = ("companion", "agent", "board", "collection", "space", "control", "app")
KINDS = (*BUILT, "conversation")
LIVE = text("deleted_at IS NULL")


class Item(Base):
    """Anything that people name, find, share and trash.

    `external_key` is the name by which an imported event log calls it (a flow_id). `purged_at` is set when it
    was deleted for good: its text is gone, the row stays because events and facts refer to it. `icon` is a name in the
    icon sprite (empty: that of its kind); `version` is the number of its newest `ItemVersion`, 0 where it has none.
    """

    __tablename__ = "item"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        CheckConstraint("status IN ('draft', 'published', 'archived')", name="status"),
        CheckConstraint(
            "visibility IN ('private', 'shared', 'workspace', 'official', 'internal')", name="visibility"
        ),
        UniqueConstraint("workspace_id", "kind", "external_key"),
        Index(
            "ix_item_listing",
            "workspace_id",
            "kind",
            text("updated_at DESC"),
            text("id DESC"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index(
            "ix_item_changed",
            "workspace_id",
            text("updated_at DESC"),
            text("id DESC"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index(
            "ix_item_trash",
            "workspace_id",
            text("deleted_at DESC"),
            postgresql_where=text("deleted_at IS NOT NULL"),
        ),
        Index("ix_item_title", "workspace_id", "kind", text("lower(title)"), "id", postgresql_where=LIVE),
        Index("ix_item_title_all", "workspace_id", text("lower(title)"), "id", postgresql_where=LIVE),
        Index(
            "ix_item_created",
            "workspace_id",
            "kind",
            text("created_at DESC"),
            text("id DESC"),
            postgresql_where=LIVE,
        ),
        Index(
            "ix_item_created_all",
            "workspace_id",
            text("created_at DESC"),
            text("id DESC"),
            postgresql_where=LIVE,
        ),
        Index(
            "ix_item_owner",
            "owner_id",
            "kind",
            text("updated_at DESC"),
            text("id DESC"),
            postgresql_where=LIVE,
        ),
        Index("ix_item_tags", "tags", postgresql_using="gin", postgresql_where=LIVE),
        Index(
            "ix_item_found",
            "workspace_id",
            "title",
            postgresql_using="gin",
            postgresql_ops={"title": "gin_trgm_ops"},
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    kind: Mapped[str]
    external_key: Mapped[str | None]
    title: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    status: Mapped[str] = mapped_column(server_default="draft")
    visibility: Mapped[str] = mapped_column(server_default="workspace")
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"))
    tags: Mapped[list[str]] = mapped_column(server_default="{}")
    icon: Mapped[str] = mapped_column(server_default="")
    version: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]
    purged_at: Mapped[datetime | None]


class Companion(Base):
    """What is a companion's own: its public link, its published version, its funnel and its end steps.

    Companions that first appeared in one imported log share its `log_id`: there, a session is one run.
    """

    __tablename__ = "companion"

    item_id: Mapped[UUID] = mapped_column(ForeignKey("item.id", ondelete="CASCADE"), primary_key=True)
    slug: Mapped[str | None] = mapped_column(unique=True)
    published_version: Mapped[int | None]
    funnel: Mapped[list[str]] = mapped_column(server_default="{}")
    end_steps: Mapped[list[str]] = mapped_column(server_default="{}")
    log_id: Mapped[UUID | None]


class CompanionVersion(Base):
    """A flow as it was when saved; never changed, so that a run keeps the flow it started on."""

    __tablename__ = "companion_version"

    companion_id: Mapped[UUID] = mapped_column(
        ForeignKey("companion.item_id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    flow: Mapped[dict[str, Any]]
    created_at: Mapped[CreatedAt]
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"))


class ItemVersion(Base):
    """What an item held when it was saved, by its kind's own model; never changed, so that history can be compared.

    `title`, `description`, `tags` and `icon` are the item's own at that time. A companion's flow is in `CompanionVersion`.
    """

    __tablename__ = "item_version"

    item_id: Mapped[UUID] = mapped_column(ForeignKey("item.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    description: Mapped[str]
    tags: Mapped[list[str]]
    icon: Mapped[str]
    content: Mapped[dict[str, Any]]
    note: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[CreatedAt]
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"))


class ItemReference(Base):
    """That an item's newest version uses another one: a collection its entries, an agent its spaces, a flow its controls."""

    __tablename__ = "item_reference"

    from_id: Mapped[UUID] = mapped_column(ForeignKey("item.id", ondelete="CASCADE"), primary_key=True)
    to_id: Mapped[UUID] = mapped_column(
        ForeignKey("item.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class ItemGrant(Base):
    """That a person or a group may open an item (`read`) or change it as well (`write`), until it expires."""

    __tablename__ = "item_grant"
    __table_args__ = (
        CheckConstraint("num_nonnulls(person_id, group_id) = 1", name="to_one"),
        CheckConstraint("level IN ('read', 'write')", name="level"),
        Index(
            "uq_item_grant_person",
            "item_id",
            "person_id",
            unique=True,
            postgresql_where=text("person_id IS NOT NULL"),
        ),
        Index(
            "uq_item_grant_group",
            "item_id",
            "group_id",
            unique=True,
            postgresql_where=text("group_id IS NOT NULL"),
        ),
        Index("ix_item_grant_person", "person_id", "workspace_id"),
        Index("ix_item_grant_group", "group_id"),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    item_id: Mapped[UUID] = mapped_column(ForeignKey("item.id", ondelete="CASCADE"))
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    group_id: Mapped[UUID | None] = mapped_column(ForeignKey("people_group.id", ondelete="CASCADE"))
    level: Mapped[str] = mapped_column(server_default="read")
    granted_by: Mapped[UUID | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime | None]


class Favorite(Base):
    __tablename__ = "favorite"

    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    item_id: Mapped[UUID] = mapped_column(ForeignKey("item.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int]
    added_at: Mapped[CreatedAt]


class Recent(Base):
    """When a person last opened, created or edited an item."""

    __tablename__ = "recent"
    __table_args__ = (Index("ix_recent_person_used", "person_id", text("used_at DESC")),)

    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    item_id: Mapped[UUID] = mapped_column(ForeignKey("item.id", ondelete="CASCADE"), primary_key=True)
    used_at: Mapped[datetime] = mapped_column(server_default=func.now())
