"""Reports that were made, who subscribed to them, and what was mailed."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from leitstand.db.models.base import Base, CreatedAt, Id, Said, WorkspaceId


class Report(Base):
    """One report of a workspace for one period of local days in one zone; making it again replaces what it holds.

    `attempt` names the execution that has it now, so that one that was taken for dead can't overwrite its successor.
    `progress` says what is being done while it is made; `summary` holds the key figures that the mail shows.
    """

    __tablename__ = "report"
    __table_args__ = (
        UniqueConstraint("workspace_id", "name", "period_start", "zone", name="uq_report_edition"),
        CheckConstraint("status IN ('waiting', 'running', 'complete', 'failed')", name="status"),
        Index("ix_report_workspace_period", "workspace_id", text("period_start DESC")),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    name: Mapped[str]
    period_start: Mapped[date]
    period_end: Mapped[date]
    zone: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="waiting")
    attempt: Mapped[UUID | None]
    attempts: Mapped[int] = mapped_column(server_default="0")
    requested_by: Mapped[str] = mapped_column(server_default="")
    requested_at: Mapped[datetime | None]
    progress: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[CreatedAt]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    as_of: Mapped[datetime | None]
    notebook: Mapped[str] = mapped_column(server_default="")
    notebook_sha256: Mapped[str] = mapped_column(server_default="")
    html: Mapped[str] = mapped_column(server_default="")
    html_sha256: Mapped[str] = mapped_column(server_default="")
    pdf: Mapped[str] = mapped_column(server_default="")
    pdf_sha256: Mapped[str] = mapped_column(server_default="")
    without_pdf: Mapped[str] = mapped_column(server_default="")
    summary: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    error: Mapped[Said]


class ReportSubscription(Base):
    """A person who wants a report mailed, with the days of their zone; it goes with their place in the workspace."""

    __tablename__ = "report_subscription"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "person_id"],
            ["membership.workspace_id", "membership.person_id"],
            ondelete="CASCADE",
        ),
        Index("ix_report_subscription_person", "person_id"),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    zone: Mapped[str]
    created_at: Mapped[CreatedAt]


class ReportMail(Base):
    """One message: a report to a person, once. `withheld` where the person may not have it any more."""

    __tablename__ = "report_mail"
    __table_args__ = (
        CheckConstraint("status IN ('waiting', 'sent', 'failed', 'withheld')", name="status"),
        Index("ix_report_mail_person", "person_id"),
    )

    report_id: Mapped[UUID] = mapped_column(ForeignKey("report.id", ondelete="CASCADE"), primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    message_id: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="waiting")
    attempts: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[CreatedAt]
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    error: Mapped[Said]
