"""Where each visitor stands in a companion's flow."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from leitstand.db.models.base import Base, CreatedAt, Id, WorkspaceId


class FlowRun(Base):
    """One passage of a visitor through one published version; `revision` grows by one a step."""

    __tablename__ = "flow_run"
    __table_args__ = (
        ForeignKeyConstraint(
            ["companion_id", "version"],
            ["companion_version.companion_id", "companion_version.number"],
            ondelete="CASCADE",
        ),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    companion_id: Mapped[UUID] = mapped_column(index=True)
    version: Mapped[int]
    visitor: Mapped[str]
    step: Mapped[str]
    revision: Mapped[int] = mapped_column(server_default="0")
    answers: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    completed_at: Mapped[datetime | None]
