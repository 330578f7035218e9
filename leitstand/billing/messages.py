"""What a provider tells us: each message once, and none against a newer one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.billing.changes import locked_row, settle
from leitstand.billing.invoices import take_bill
from leitstand.billing.providers import provider_for
from leitstand.billing.providers.base import Message, Provider
from leitstand.billing.subscription import apply_plan
from leitstand.db.models import BillingEvent, Workspace, WorkspacePlan
from leitstand.identity.access import system_principal
from leitstand.limits.plans import Plan, load_plans
from leitstand.settings import get_settings


def take_message(
    session: Session,
    *,
    body: bytes,
    headers: Mapping[str, str],
    now: datetime | None = None,
    provider: Provider | None = None,
) -> str:
    """Follow a message of the provider; who sent it is proven by its signature alone.

    Args:
        headers: by names in lower case.

    Returns:
        What became of it: `followed`, `repeated`, `late` (a newer one was followed), `unknown` (nobody of ours), `ignored`.

    Raises:
        InvalidInput: it is not the provider's.
        NotFound: no provider is connected.
    """
    provider = provider or provider_for(get_settings())
    message = provider.read_message(body, headers, now=now or datetime.now(UTC))
    row = {
        "id": message.event_id, "provider": provider.name, "kind": message.kind,
        "made_at": message.made_at, "outcome": "followed",
    }  # fmt: skip
    # Two that arrive at once: the second waits here for the first, and finds its row.
    added = insert(BillingEvent).values(row).on_conflict_do_nothing().returning(BillingEvent.id)
    if session.scalar(added) is None:
        return "repeated"
    event = session.get_one(BillingEvent, message.event_id)
    event.workspace_id = _workspace(session, message)
    event.outcome = _follow(session, provider, message, event.workspace_id)
    session.flush()
    return event.outcome


def _follow(session: Session, provider: Provider, message: Message, workspace_id: UUID | None) -> str:
    if not (message.bill or message.subscription_id):
        return "ignored"
    if workspace_id is None:
        return "unknown"
    if message.bill:
        take_bill(session, workspace_id=workspace_id, provider=provider.name, bill=message.bill)
        return "followed"
    row = locked_row(session, workspace_id)
    if row.told_at is not None and message.made_at < row.told_at:
        return "late"
    if message.ended and row.subscription_id not in {"", message.subscription_id}:
        # The end of an earlier subscription says nothing of the one that holds now.
        return "late"
    _take_subscription(session, provider, message, row)
    return "followed"


def _take_subscription(session: Session, provider: Provider, message: Message, row: WorkspacePlan) -> None:
    row.told_at = message.made_at
    row.customer_id = message.customer_id or row.customer_id
    row.subscription_id = "" if message.ended else message.subscription_id
    principal = system_principal(row.workspace_id, provider.name)
    plan = _plan(message)
    if plan is not None and (plan.name != row.plan or plan != Plan.model_validate(row.terms)):
        apply_plan(session, principal=principal, row=row, plan=plan, provider=provider.name)
    if plan is not None:
        settle(session, row, plan)
    if message.status:
        row.status = message.status


def _plan(message: Message) -> Plan | None:
    """The plan that a message means; the first one where the subscription is over."""
    plans = load_plans()
    if message.ended:
        return plans.first
    if message.price:
        return plans.of_price(message.price)
    return next((plan for plan in plans.plans if plan.name == message.plan), None)


def _workspace(session: Session, message: Message) -> UUID | None:
    """Whose message it is: by customer, else by the id that we gave the provider."""
    if message.customer_id:
        by_customer = select(WorkspacePlan.workspace_id).where(
            WorkspacePlan.customer_id == message.customer_id
        )
        if found := session.scalar(by_customer):
            return found
    if message.workspace_id is None:
        return None
    return session.scalar(select(Workspace.id).where(Workspace.id == message.workspace_id))
