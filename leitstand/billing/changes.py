"""Changes of plan that a provider is asked for: written down before, ended afterwards, by its answer or its messages."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.billing.providers.base import Begun, Customer
from leitstand.db.models import PlanChange, Workspace, WorkspacePlan
from leitstand.errors import Conflict
from leitstand.identity.access import Principal
from leitstand.jobs.queue import enqueue_at
from leitstand.limits.plans import Plan, load_plans
from leitstand.words import Message, msg

JOB = "billing.ask-again"
OPEN = ("asked", "begun")
# Whoever chose asks at once; should they not come to it, the queue does so after this.
FIRST_AFTER = timedelta(minutes=2)
# Stripe knows a key, and keeps a place to pay open, for a day. After that the same request would be a new one.
KEY_LIFE = timedelta(hours=23)


def newest_change(session: Session, workspace_id: UUID) -> PlanChange | None:
    """The newest change of plan that a provider was asked for; None where there was none."""
    query = select(PlanChange).where(PlanChange.workspace_id == workspace_id)
    return session.scalar(query.order_by(PlanChange.id.desc()).limit(1))


def locked_row(session: Session, workspace_id: UUID) -> WorkspacePlan:
    """The workspace's row, locked; made with the first plan where there is none.

    Whoever changes a `PlanChange` holds this lock.
    """
    first = load_plans().first
    values = {"workspace_id": workspace_id, "plan": first.name, "terms": first.model_dump(mode="json")}
    session.execute(insert(WorkspacePlan).values(values).on_conflict_do_nothing())
    return session.get_one(WorkspacePlan, workspace_id, with_for_update=True, populate_existing=True)


def customer_of(session: Session, principal: Principal, row: WorkspacePlan) -> Customer:
    """The workspace as a customer."""
    name = session.scalar(select(Workspace.name).where(Workspace.id == principal.workspace_id)) or ""
    ids = row.customer_id, row.subscription_id
    return Customer(principal.workspace_id, name, principal.email, *ids)


def asked_already(session: Session, row: WorkspacePlan, plan: Plan, key: str) -> PlanChange | None:
    """The change that this request is about, where it was made before: the newest, to the same plan, not yet ended.

    One that is done counts for the request that began it (`key`), which was then sent twice.
    """
    found = newest_change(session, row.workspace_id)
    if found is None or Plan.model_validate(found.terms) != plan:
        return None
    if found.state in OPEN and not overtaken(found, row) and not too_old(found):
        return found
    return found if found.state == "done" and key and found.key == key else None


def ask(
    session: Session, *, principal: Principal, row: WorkspacePlan, plan: Plan, key: str, back: str
) -> PlanChange | None:
    """Write down that the provider is to be asked; None where there is nothing to ask.

    An earlier change that nobody can pay yet, or no longer shall, is withdrawn.

    Args:
        row: locked.
        key: of the request; empty: it has none.
        back: the address to which the person comes back.

    Raises:
        Conflict: another change of the subscription is being asked for.
    """
    closes = _withdraw_earlier(session, row)
    way = _way(row, plan, closes)
    if not way:
        return None
    customer = customer_of(session, principal, row)
    fields = {name: getattr(customer, name) for name in ("name", "email", "customer_id", "subscription_id")}
    change = PlanChange(
        workspace_id=row.workspace_id, key=key, way=way, plan=plan.name, terms=plan.model_dump(mode="json"),
        customer=fields, back=back, closes=closes, state="asked", problem="", attempts=0, address="", checkout_id="",
        asked_by=principal.person_id, created_at=datetime.now(UTC),
    )  # fmt: skip
    session.add(change)
    session.flush()
    schedule(session, change, at=datetime.now(UTC) + FIRST_AFTER)
    return change


def schedule(session: Session, change: PlanChange, *, at: datetime) -> None:
    """Queue the next attempt. Its job says which it is, so that one that was overtaken does nothing."""
    enqueue_at(session, JOB, at=at, change_id=change.id, attempt=change.attempts + 1)


def locked_change(session: Session, change_id: UUID) -> tuple[PlanChange, WorkspacePlan] | None:
    """A change and its workspace's row, both locked; None where the workspace has been deleted."""
    workspace_id = session.scalar(select(PlanChange.workspace_id).where(PlanChange.id == change_id))
    if workspace_id is None:
        return None
    row = locked_row(session, workspace_id)
    return session.get_one(PlanChange, change_id, with_for_update=True, populate_existing=True), row


def overtaken(change: PlanChange, row: WorkspacePlan) -> bool:
    """Whether the subscription that a change was meant for is no longer the workspace's."""
    asked = "" if change.way in {"checkout", "close"} else str(change.customer.get("subscription_id", ""))
    return row.subscription_id != asked


def too_old(change: PlanChange) -> bool:
    """Whether the provider may have forgotten the change's key: asking would change something anew."""
    return datetime.now(UTC) - change.created_at > KEY_LIFE


def begin(change: PlanChange, begun: Begun) -> None:
    """Wait for the payment: the provider has said where."""
    change.state, change.address, change.checkout_id = "begun", begun.address, begun.checkout_id
    change.customer, change.problem = {}, ""


def end(change: PlanChange, state: str, problem: str = "") -> None:
    """Close a change; where it can be paid, and by whom, is forgotten."""
    change.state, change.problem, change.ended_at = state, problem, datetime.now(UTC)
    change.customer, change.address = {}, ""


def settle(session: Session, row: WorkspacePlan, plan: Plan) -> None:
    """Close the change that a message of the provider has brought about.

    Args:
        row: locked.
        plan: the plan that holds since the message.
    """
    change = newest_change(session, row.workspace_id)
    if change is not None and change.state in OPEN and change.plan == plan.name:
        end(change, "done")


def title_of(change: PlanChange) -> Message:
    """The title of the plan that a change leads to."""
    return Message(Plan.model_validate(change.terms).title)


def _withdraw_earlier(session: Session, row: WorkspacePlan) -> str:
    """Withdraw the change that is open; the place to pay that is to be closed for it, by the provider's id."""
    earlier = newest_change(session, row.workspace_id)
    if earlier is None or earlier.state not in OPEN:
        return ""
    if earlier.way in {"change", "cancel"} and not overtaken(earlier, row) and not too_old(earlier):
        raise Conflict(
            msg("The change to {title} is still being asked for.", title=title_of(earlier)),
            hint="It is asked again by itself until there is an answer. Choose again then.",
        )
    # A place that nobody was ever told of can't be paid.
    closes = earlier.checkout_id or earlier.closes
    end(earlier, "withdrawn")
    session.flush()
    return closes


def _way(row: WorkspacePlan, plan: Plan, closes: str) -> str:
    if plan.price_cents:
        return "change" if row.subscription_id else "checkout"
    if row.subscription_id:
        return "cancel"
    return "close" if closes else ""
