"""The plan of a workspace: read, changed by an owner, changed by what the provider says."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.billing.providers import provider_for
from leitstand.billing.providers.base import Begun, Customer, Provider
from leitstand.db.models import Workspace, WorkspacePlan
from leitstand.db.models.base import new_id
from leitstand.errors import Conflict
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.limits.counting import all_used
from leitstand.limits.plans import KINDS, Plan, load_plans
from leitstand.limits.room import NOUNS, forget, hold, plan_of
from leitstand.settings import get_settings
from leitstand.words import msg

PAGE = "/settings/billing"


@dataclass(frozen=True)
class Subscription:
    """The plan of a workspace, and where it stands with the provider.

    Args:
        since: None where none was ever chosen.
        status: `active` or `past_due`.
        provider, mode: who takes the money, and in which mode.
        managed: whether there is a place at the provider to look after payment.
    """

    plan: Plan
    since: datetime | None
    status: str
    provider: str
    mode: str
    managed: bool


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
    return Subscription(plan, since, status, provider.name, provider.mode, managed)


def change_plan(
    session: Session, *, principal: Principal, plan: str, key: str = "", provider: Provider | None = None
) -> Begun:
    """Change to another plan: up at once, down only where what is used fits into it.

    Args:
        plan: its name.
        key: of this change, so that sending it again does nothing twice; one is made where none is given.
        provider: who takes the money; the one of the settings.

    Raises:
        Forbidden: without `billing:manage`.
        NotFound: there is no such plan.
        Conflict: it is the plan already, or more is used than it has room for; `details["over"]` says what.
        Unavailable: the provider does not answer.
    """
    require(principal, "billing:manage")
    wanted = load_plans().named(plan)
    provider = provider or provider_for(get_settings())
    hold(session, principal.workspace_id, *KINDS)
    row = locked_row(session, principal.workspace_id)
    if row.plan == wanted.name and Plan.model_validate(row.terms) == wanted:
        raise Conflict(msg("The workspace is on the plan {title} already.", title=wanted.title))
    _require_fit(session, principal.workspace_id, wanted)
    customer = customer_of(session, principal, row)
    if row.subscription_id and provider.name != "stripe":
        raise Conflict(
            "The plan is paid through Stripe.",
            hint="Change it on the page, or end the subscription at Stripe first.",
        )
    if provider.name == "stripe" and wanted.price_cents:
        row.customer_id = provider.create_customer(customer)
        customer = customer_of(session, principal, row)
        back = f"{get_settings().base_url}{PAGE}"
        begun = provider.begin_change(customer, wanted, key=key or str(new_id()), back=back)
        if begun.address:
            return begun
    elif row.subscription_id:
        provider.cancel(customer, key=key or str(new_id()))
        row.subscription_id = ""
    apply_plan(session, principal=principal, row=row, plan=wanted, provider=provider.name)
    return Begun()


def manage_payment(session: Session, *, principal: Principal) -> str:
    """Where an owner looks after payment at the provider.

    Raises:
        Forbidden: without `billing:manage`.
        Conflict: there is no such place.
    """
    require(principal, "billing:manage")
    row = session.get(WorkspacePlan, principal.workspace_id)
    back = f"{get_settings().base_url}{PAGE}"
    address = (
        provider_for(get_settings()).manage(customer_of(session, principal, row), back=back) if row else ""
    )
    if not address:
        raise Conflict("Nothing is paid through a provider yet.", hint="Choose a plan with a price first.")
    return address


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


def customer_of(session: Session, principal: Principal, row: WorkspacePlan) -> Customer:
    """The workspace as a customer."""
    name = session.scalar(select(Workspace.name).where(Workspace.id == principal.workspace_id)) or ""
    ids = row.customer_id, row.subscription_id
    return Customer(principal.workspace_id, name, principal.email, *ids)


def locked_row(session: Session, workspace_id: UUID) -> WorkspacePlan:
    """The workspace's row, locked; made with the first plan where there is none."""
    first = load_plans().first
    values = {"workspace_id": workspace_id, "plan": first.name, "terms": first.model_dump(mode="json")}
    session.execute(insert(WorkspacePlan).values(values).on_conflict_do_nothing())
    return session.get_one(WorkspacePlan, workspace_id, with_for_update=True, populate_existing=True)


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
