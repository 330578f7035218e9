"""Where each visitor stands in a companion's flow."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from leitstand.db.models.base import Base, CreatedAt, Id, WorkspaceId


class FlowRun(Base):
    """One passage of a visitor through one published version; `revision` grows by one a step.

    `answers` holds {"step", "answer"} in the order given: the version's flow and they say where the run stands,
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
