"""The plan of a workspace: read, changed by an owner, changed by what the provider says."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from leitstand.billing.changes import (
    OPEN,
    ask,
    asked_already,
    customer_of,
    locked_row,
    newest_change,
    too_old,
)
from leitstand.billing.providers import provider_for
from leitstand.billing.providers.base import Customer, Provider
from leitstand.db.models import PlanChange, WorkspacePlan
from leitstand.errors import Conflict, InvalidInput
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.limits.counting import all_used
from leitstand.limits.plans import KINDS, Plan, load_plans
from leitstand.limits.room import NOUNS, forget, hold, plan_of
from leitstand.settings import get_settings
from leitstand.words import msg

PAGE = "/settings/billing"
# The states of a change that an owner is told of.
TOLD = ("asked", "begun", "refused", "given-up")


@dataclass(frozen=True)
class Subscription:
    """The plan of a workspace, and where it stands with the provider.

    Args:
        since: None where none was ever chosen.
        status: `active` or `past_due`.
        provider, mode: who takes the money, and in which mode.
        managed: whether there is a place at the provider to look after payment.
        change: the newest change that the provider was asked for, while it is open or where it came to nothing.
    """

    plan: Plan
    since: datetime | None
    status: str
    provider: str
    mode: str
    managed: bool
    change: PlanChange | None = None


def get_subscription(session: Session, *, principal: Principal) -> Subscription:
    """The workspace's plan.

    Raises:
        Forbidden: without `billing:manage`.
    """
    require(principal, "billing:manage")
    row = session.get(WorkspacePlan, principal.workspace_id)
    provider = provider_for(get_settings())
    plan = plan_of(session, principal.workspace_id)
    managed = bool(row and row.customer_id and provider.name == "stripe")
    since, status = (row.since, row.status) if row else (None, "active")
    change = newest_change(session, principal.workspace_id)
    if change is not None and (change.state not in TOLD or (change.state in OPEN and too_old(change))):
        change = None
    return Subscription(plan, since, status, provider.name, provider.mode, managed, change)


def change_plan(
    session: Session, *, principal: Principal, plan: str, key: str = "", provider: Provider | None = None
) -> PlanChange | None:
    """Change to another plan, or write down that Stripe is to be asked for it.

    Args:
        plan: its name.
        key: of this request: sent again, it is about the same change; empty: it has none.
        provider: who takes the money; the one of the settings.

    Returns:
        The change that is to be asked for once the transaction is committed (`asking.carry_out`); None: it is done.

    Raises:
        Forbidden: without `billing:manage`.
        NotFound: there is no such plan.
        InvalidInput: it can't be paid through Stripe.
        Conflict: it is the plan already, another change is being asked for, or more is used than it has room for;
            `details["over"]` says what.
    """
    require(principal, "billing:manage")
    wanted = load_plans().named(plan)
    provider = provider or provider_for(get_settings())
    hold(session, principal.workspace_id, *KINDS)
    row = locked_row(session, principal.workspace_id)
    asks = provider.name == "stripe"
    if asks and (same := asked_already(session, row, wanted, key)):
        return same
    if row.plan == wanted.name and Plan.model_validate(row.terms) == wanted:
        raise Conflict(msg("The workspace is on the plan {title} already.", title=wanted.title))
    _require_fit(session, principal.workspace_id, wanted)
    if row.subscription_id and not asks:
        raise Conflict(
            "The plan is paid through Stripe.",
            hint="Change it on the page, or end the subscription at Stripe first.",
        )
    if asks and wanted.price_cents and not wanted.stripe_price:
        raise InvalidInput(
            msg("The plan {title} can't be paid through Stripe.", title=wanted.title),
            hint="Give it a stripe_price in the file of plans.",
        )
    back = f"{get_settings().base_url}{PAGE}"
    if asks and (change := ask(session, principal=principal, row=row, plan=wanted, key=key, back=back)):
        return change
    apply_plan(session, principal=principal, row=row, plan=wanted, provider=provider.name)
    return None


def paying_customer(session: Session, *, principal: Principal) -> Customer:
    """Who pays for the workspace, for `manage_payment`.

    Raises:
        Forbidden: without `billing:manage`.
        Conflict: nothing is paid through a provider.
    """
    require(principal, "billing:manage")
    row = session.get(WorkspacePlan, principal.workspace_id)
    if row is None or not row.customer_id:
        raise _nothing_paid()
    return customer_of(session, principal, row)


def manage_payment(customer: Customer) -> str:
    """Where an owner looks after payment at the provider, who is asked: no transaction should be open.

    Raises:
        Conflict: there is no such place.
        Unavailable: the provider does not answer.
    """
    back = f"{get_settings().base_url}{PAGE}"
    if address := provider_for(get_settings()).manage(customer, back=back):
        return address
    raise _nothing_paid()


def _nothing_paid() -> Conflict:
    return Conflict("Nothing is paid through a provider yet.", hint="Choose a plan with a price first.")


def apply_plan(
    session: Session, *, principal: Principal, row: WorkspacePlan, plan: Plan, provider: str
) -> None:
    """Put a workspace on a plan; who may, and whether it fits, has been decided."""
    before = {"plan": row.plan, "terms": row.terms}
    terms = plan.model_dump(mode="json")
    row.plan, row.terms, row.provider = plan.name, terms, provider
    row.since, row.changed_by, row.status = datetime.now(UTC), principal.person_id, "active"
    session.flush()
    forget(principal.workspace_id)
    old, new = audit.changed(before, {"plan": plan.name, "terms": terms})
    target = f"workspace:{principal.workspace_id}"
    audit.record(
        session, principal=principal, action="billing.change-plan", target=target, before=old, after=new
    )


def _require_fit(session: Session, workspace_id: UUID, plan: Plan) -> None:
    used = all_used(session, workspace_id)
    over = {
        what: {"used": used[what], "limit": limit}
        for what in KINDS
        if (limit := plan.limits.of(what)) is not None and used[what] > limit
    }
    if not over:
        return
    parts = [
        msg("{used:,} of {limit:,} {nouns}", used=each["used"], limit=each["limit"], nouns=NOUNS[what])
        for what, each in over.items()
    ]
    said = parts[0]
    for part in parts[1:]:
        said = msg("{first}, {second}", first=said, second=part)
    raise Conflict(
        msg("More is used than the plan {title} has room for: {said}.", title=plan.title, said=said),
        hint="Remove what is too much, or choose a larger plan.",
        details={"over": over},
    )
