"""Plans of workspaces, their invoices, and what a payment provider told us."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from leitstand.db.models.base import Base, CreatedAt, Id, WorkspaceId

PROVIDERS = ("manual", "stripe")
PLAN_STATES = ("active", "past_due")
INVOICE_STATES = ("open", "paid", "void")


class WorkspacePlan(Base):
    """The plan that a workspace chose; one without a row is on the first plan of the file.

    `terms` is the plan as it was when chosen: price and limits hold until another is chosen. `told_at` is the time of
    the newest message of the provider that was followed; older ones change nothing.
    """

    __tablename__ = "workspace_plan"
    __table_args__ = (
        CheckConstraint(f"provider IN {PROVIDERS}", name="provider"),
        CheckConstraint(f"status IN {PLAN_STATES}", name="status"),
        Index(
            "uq_workspace_plan_customer",
            "customer_id",
            unique=True,
            postgresql_where=text("customer_id <> ''"),
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(
        ForeignKey("workspace.id", ondelete="CASCADE"), primary_key=True
    )
    plan: Mapped[str]
    terms: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(server_default="active")
    since: Mapped[datetime] = mapped_column(server_default=func.now())
    changed_by: Mapped[UUID | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"))
    provider: Mapped[str] = mapped_column(server_default="manual")
    customer_id: Mapped[str] = mapped_column(server_default="")
    subscription_id: Mapped[str] = mapped_column(server_default="")
    told_at: Mapped[datetime | None]


class Invoice(Base):
    """An invoice: ours, one a month, or the provider's, as it told us. Amounts are cents.

    `lines` holds `text`, `quantity`, `unit_cents` and `cents` of each line; `period_end` is the day after the last.
    """

    __tablename__ = "invoice"
    __table_args__ = (
        CheckConstraint(f"provider IN {PROVIDERS}", name="provider"),
        CheckConstraint(f"status IN {INVOICE_STATES}", name="status"),
        UniqueConstraint("provider", "number"),
        Index(
            "uq_invoice_month",
            "workspace_id",
            "period_start",
            unique=True,
            postgresql_where=text("provider = 'manual'"),
        ),
        Index(
            "uq_invoice_provider_id",
            "provider_id",
            unique=True,
            postgresql_where=text("provider_id <> ''"),
        ),
        Index("ix_invoice_listing", "workspace_id", text("issued_at DESC"), text("id DESC")),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    number: Mapped[str]
    period_start: Mapped[date]
    period_end: Mapped[date]
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    total_cents: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="open")
    issued_at: Mapped[datetime] = mapped_column(server_default=func.now())
    paid_at: Mapped[datetime | None]
    provider: Mapped[str] = mapped_column(server_default="manual")
    provider_id: Mapped[str] = mapped_column(server_default="")


class BillingEvent(Base):
    """A message of a provider that was worked on; the same id again changes nothing."""

    __tablename__ = "billing_event"
    __table_args__ = (CheckConstraint(f"provider IN {PROVIDERS}", name="provider"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str]
    kind: Mapped[str]
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspace.id", ondelete="CASCADE"))
    outcome: Mapped[str]
    made_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]
