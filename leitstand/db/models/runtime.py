"""Where each visitor stands in a companion's flow."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from leitstand.db.models.base import Base, CreatedAt, Id, WorkspaceId


class FlowRun(Base):
    """One passage of a visitor through one published version; `revision` grows by one a step.

    `answers` holds {"step", "answer"}, and the "reply" of a space, in the order given: the version's flow and they say where the run stands,
    and `step` repeats it. A run ends when it reached an end step or was left for a new one; a visitor has at
    most one run of a companion that has not ended.
    """

    __tablename__ = "flow_run"
    __table_args__ = (
        ForeignKeyConstraint(
            ["companion_id", "version"],
            ["companion_version.companion_id", "companion_version.number"],
            ondelete="CASCADE",
        ),
        Index("ix_flow_run_visitor", "companion_id", "visitor", text("created_at DESC")),
        Index(
            "uq_flow_run_open",
            "companion_id",
            "visitor",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    companion_id: Mapped[UUID]
    version: Mapped[int]
    visitor: Mapped[str]
    step: Mapped[str]
    revision: Mapped[int] = mapped_column(server_default="0")
    answers: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default="[]")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    completed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class Handover(Base):
    """A run that was handed over to a person or a group; to nobody where neither is there any more."""

    __tablename__ = "handover"
    __table_args__ = (
        Index("ix_handover_companion", "companion_id", text("created_at DESC")),
        CheckConstraint("person_id IS NULL OR group_id IS NULL", name="one_addressee"),
    )

    run_id: Mapped[UUID] = mapped_column(ForeignKey("flow_run.id", ondelete="CASCADE"), primary_key=True)
    workspace_id: Mapped[WorkspaceId]
    companion_id: Mapped[UUID] = mapped_column(ForeignKey("companion.item_id", ondelete="CASCADE"))
    step: Mapped[str]
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"))
    group_id: Mapped[UUID | None] = mapped_column(ForeignKey("people_group.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt]
    taken_by: Mapped[UUID | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"))
    taken_at: Mapped[datetime | None]
