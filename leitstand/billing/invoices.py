"""Invoices: ours, made once a month for the month that begins, and those that the provider tells us of."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.billing.providers.base import Bill
from leitstand.db.models import Invoice, Workspace, WorkspacePlan
from leitstand.db.models.base import new_id
from leitstand.errors import Conflict, NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, require, system_principal
from leitstand.limits.plans import Plan
from leitstand.words import msg

LARGEST_LIST = 240


def list_invoices(session: Session, *, principal: Principal) -> Sequence[Invoice]:
    """The workspace's invoices, newest first, at most 240: twenty years of months.

    Raises:
        Forbidden: without `billing:manage`.
    """
    require(principal, "billing:manage")
    query = select(Invoice).where(Invoice.workspace_id == principal.workspace_id)
    return session.scalars(
        query.order_by(Invoice.issued_at.desc(), Invoice.id.desc()).limit(LARGEST_LIST)
    ).all()


def get_invoice(
    session: Session, *, principal: Principal, invoice_id: UUID, for_update: bool = False
) -> Invoice:
    """One invoice.

    Raises:
        Forbidden: without `billing:manage`.
        NotFound: the workspace has none of that id.
    """
    require(principal, "billing:manage")
    query = select(Invoice).where(Invoice.workspace_id == principal.workspace_id, Invoice.id == invoice_id)
    if for_update:
        query = query.with_for_update().execution_options(populate_existing=True)
    invoice = session.scalar(query)
    if invoice is None:
        raise NotFound("There is no such invoice.")
    return invoice


def mark_paid(session: Session, *, principal: Principal, invoice_id: UUID) -> Invoice:
    """Note that an invoice of ours was paid.

    Raises:
        Forbidden: without `billing:manage`.
        NotFound: there is no such invoice.
        Conflict: it is not open, or the provider keeps it.
    """
    invoice = get_invoice(session, principal=principal, invoice_id=invoice_id, for_update=True)
    if invoice.provider != "manual":
        raise Conflict(
            "This invoice is the provider's.", hint="It is paid there; its state comes here by itself."
        )
    if invoice.status != "open":
        raise Conflict(msg("Invoice {number} is not open.", number=invoice.number))
    invoice.status, invoice.paid_at = "paid", datetime.now(UTC)
    session.flush()
    audit.record(
        session,
        principal=principal,
        action="invoice.mark-paid",
        target=f"invoice:{invoice.id}",
        before={"status": "open"},
        after={"status": "paid", "number": invoice.number},
    )
    return invoice


def issue_invoices(session: Session, *, now: datetime) -> list[Invoice]:
    """Make the invoices of the month that runs, for each workspace that pays by hand; what is there stays.

    A month is invoiced at the price of the plan that holds when its invoice is made. A plan without a price has none.

    Args:
        now: an aware instant; each workspace's month is that of its own zone.
    """
    # Numbers follow each other without a gap, so that one makes them at a time.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("invoice-numbers", 0))))
    chosen = (
        select(WorkspacePlan, Workspace.reporting_zone)
        .join(Workspace, Workspace.id == WorkspacePlan.workspace_id)
        .where(WorkspacePlan.provider == "manual")
        .order_by(Workspace.slug)
    )
    made = []
    for row, zone in session.execute(chosen).tuples():
        plan = Plan.model_validate(row.terms)
        start = now.astimezone(ZoneInfo(zone)).date().replace(day=1)
        if plan.price_cents and not _invoiced(session, row.workspace_id, start):
            made.append(_issue(session, row.workspace_id, plan, start, now))
    return made


def take_bill(session: Session, *, workspace_id: UUID, provider: str, bill: Bill) -> None:
    """Keep an invoice of a provider; one that is paid or void stays so, whatever comes late."""
    values = {
        "id": new_id(), "workspace_id": workspace_id, "provider": provider, "provider_id": bill.provider_id,
        "number": bill.number, "period_start": bill.period_start, "period_end": bill.period_end, "lines": bill.lines,
        "total_cents": bill.total_cents, "currency": bill.currency, "status": bill.status,
        "issued_at": bill.issued_at, "paid_at": bill.paid_at,
    }  # fmt: skip
    statement = insert(Invoice).values(values)
    new = {name: statement.excluded[name] for name in values if name not in {"id", "workspace_id"}}
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["provider_id"],
            index_where=Invoice.provider_id != "",
            set_=new,
            where=(Invoice.status == "open") & (Invoice.workspace_id == workspace_id),
        )
    )


def month_after(start: date) -> date:
    """The first day of the month after one."""
    return (start.replace(day=1) + timedelta(days=31)).replace(day=1)


def _invoiced(session: Session, workspace_id: UUID, start: date) -> bool:
    there = select(Invoice.id).where(
        Invoice.workspace_id == workspace_id, Invoice.provider == "manual", Invoice.period_start == start
    )
    return session.scalar(there) is not None


def _issue(session: Session, workspace_id: UUID, plan: Plan, start: date, now: datetime) -> Invoice:
    year = f"{now.year}-"
    ours = (Invoice.provider == "manual") & Invoice.number.startswith(year)
    # Removing a workspace removes its invoices: the highest number counts, not how many there are.
    last = session.scalar(select(func.max(Invoice.number)).where(ours))
    number = f"{year}{int(last.removeprefix(year)) + 1 if last else 1:06d}"
    line = {"text": plan.title, "quantity": 1, "unit_cents": plan.price_cents, "cents": plan.price_cents}
    invoice = Invoice(
        workspace_id=workspace_id,
        number=number,
        period_start=start,
        period_end=month_after(start),
        lines=[line],
        total_cents=plan.price_cents,
        currency=plan.currency,
        status="open",
        issued_at=now,
        provider="manual",
        provider_id="",
    )
    session.add(invoice)
    session.flush()
    audit.record(
        session,
        principal=system_principal(workspace_id),
        action="invoice.issue",
        target=f"invoice:{invoice.id}",
        after={"number": number, "total_cents": plan.price_cents, "currency": plan.currency},
    )
    return invoice
