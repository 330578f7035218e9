"""Plans of workspaces, their invoices, and what a payment provider told us."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from leitstand.db.models.base import Base, CreatedAt, Id, Said, WorkspaceId

PROVIDERS = ("manual", "stripe")
PLAN_STATES = ("active", "past_due")
INVOICE_STATES = ("open", "paid", "void")
# How a provider is asked: for a place to pay, for another price, for the end of a subscription, or only to close a place.
CHANGE_WAYS = ("checkout", "change", "cancel", "close")
# Asked and begun are open; what is begun waits for the payment.
CHANGE_STATES = ("asked", "begun", "done", "refused", "withdrawn", "given-up")


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


class PlanChange(Base):
    """A change of plan that a provider is asked for: committed before it is asked, and what came of it afterwards.

    All that is sent stands here, so that asking again sends the same with the same key (the row's id). `key` is what a
    page or a program called its request; `customer` is empty once there is an answer; `closes` is a place to pay that
    was begun earlier, by the provider's id, and `checkout_id` and `address` are the one that this change began.
    """

    __tablename__ = "plan_change"
    __table_args__ = (
        CheckConstraint(f"way IN {CHANGE_WAYS}", name="way"),
        CheckConstraint(f"state IN {CHANGE_STATES}", name="state"),
        Index(
            "uq_plan_change_open",
            "workspace_id",
            unique=True,
            postgresql_where=text("state IN ('asked', 'begun')"),
        ),
        Index("ix_plan_change_newest", "workspace_id", text("id DESC")),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    key: Mapped[str] = mapped_column(server_default="")
    way: Mapped[str]
    plan: Mapped[str]
    terms: Mapped[dict[str, Any]]
    customer: Mapped[dict[str, Any]]
    back: Mapped[str] = mapped_column(server_default="")
    closes: Mapped[str] = mapped_column(server_default="")
    state: Mapped[str] = mapped_column(server_default="asked")
    problem: Mapped[Said]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    address: Mapped[str] = mapped_column(server_default="")
    checkout_id: Mapped[str] = mapped_column(server_default="")
    asked_by: Mapped[UUID | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt]
    ended_at: Mapped[datetime | None]


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
