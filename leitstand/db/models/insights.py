"""What people add to dashboards: annotations of the time line, and views (choices under a name)."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from leitstand.db.models.base import Base, CreatedAt, Id, WorkspaceId

ANNOTATION_KINDS = ("release", "incident", "note")


class Annotation(Base):
    """Something that happened, on a local day (in whatever zone one looks at it) or at an instant."""

    __tablename__ = "annotation"
    __table_args__ = (
        CheckConstraint(f"kind IN {ANNOTATION_KINDS}", name="kind"),
        CheckConstraint("num_nonnulls(day, at) = 1", name="when"),
        Index("ix_annotation_day", "workspace_id", "day", postgresql_where=text("day IS NOT NULL")),
        Index("ix_annotation_at", "workspace_id", "at", postgresql_where=text("at IS NOT NULL")),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    kind: Mapped[str]
    day: Mapped[date | None]
    at: Mapped[datetime | None]
    text: Mapped[str]
    author_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"))
    author: Mapped[str]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class SavedView(Base):
    """The choices of a dashboard under a name; its owner's alone, or shared with the workspace.

    A dashboard that is opened without choices begins with its visitor's own first view, else with the workspace's.
    """

    __tablename__ = "saved_view"
    __table_args__ = (
        CheckConstraint("shared OR NOT first_for_all", name="first_is_shared"),
        Index("ix_saved_view_app", "workspace_id", "app", postgresql_where=text("deleted_at IS NULL")),
        Index(
            "uq_saved_view_first_for_owner",
            "owner_id",
            "workspace_id",
            "app",
            unique=True,
            postgresql_where=text("first_for_owner AND deleted_at IS NULL"),
        ),
        Index(
            "uq_saved_view_first_for_all",
            "workspace_id",
            "app",
            unique=True,
            postgresql_where=text("first_for_all AND deleted_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    app: Mapped[str]
    name: Mapped[str]
    choices: Mapped[dict[str, str]] = mapped_column(JSONB)
    shared: Mapped[bool] = mapped_column(server_default="false")
    first_for_owner: Mapped[bool] = mapped_column(server_default="false")
    first_for_all: Mapped[bool] = mapped_column(server_default="false")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]
