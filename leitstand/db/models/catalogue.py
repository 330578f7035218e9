"""Items of every kind in one table, with a table a kind for what is its own."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from leitstand.db.models.base import Base, CreatedAt, Id, WorkspaceId

KINDS = ("companion", "agent", "board", "collection", "space", "control", "app")


class Item(Base):
    """Anything that people name, find, share and trash.

    `external_key` is the name by which an imported event log calls it (a flow_id). `purged_at` is set when it
    was deleted for good: its text is gone, the row stays because events and facts refer to it.
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
        Index(
            "ix_item_title_trgm", "title", postgresql_using="gin", postgresql_ops={"title": "gin_trgm_ops"}
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
