"""Ask the provider for a change of plan that is written down, and record its answer.

No transaction is open while the provider is asked. Where the process dies before the answer is recorded, the queue
asks again with the same key, which changes nothing twice; the provider's messages lead to the same end.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.billing import changes
from leitstand.billing.providers import provider_for
from leitstand.billing.providers.base import Begun, Customer, Provider
from leitstand.billing.subscription import apply_plan
from leitstand.db.engine import transaction
from leitstand.db.models import PlanChange, WorkspacePlan
from leitstand.errors import Conflict, InvalidInput, LeitstandError, Unavailable
from leitstand.identity.access import Principal, system_principal
from leitstand.integrations.delivering import wait_after
from leitstand.limits.plans import Plan
from leitstand.settings import get_settings
from leitstand.telemetry.logs import get_logger
from leitstand.words import N_

Opened = Callable[[], AbstractContextManager[Session]]
UNANSWERED = N_("Stripe has not answered for a day, and is not asked any more: look there what holds.")
log = get_logger("billing")


@dataclass(frozen=True)
class _Asked:
    """What is asked, read from the row."""

    key: str
    way: str
    plan: Plan
    customer: Customer
    back: str
    closes: str


def carry_out(
    opened: Opened, *, change_id: UUID, principal: Principal | None = None, provider: Provider | None = None
) -> Begun:
    """Ask the provider for a change that is committed, and record what it says; one that is answered is not asked again.

    Args:
        opened: begins a transaction that is committed at its end.
        principal: who asks; None: the queue.
        provider: who is asked; the one of the settings.

    Returns:
        Where the person pays; without an address: the change is done.

    Raises:
        InvalidInput, Conflict: the provider refuses it, or another plan was chosen meanwhile; the change is over.
        Unavailable: no answer; it is asked again by the queue, or has been for too long.
    """
    provider = provider or provider_for(get_settings())
    with opened() as session:
        asked = _prepare(session, change_id)
    if asked is None:
        return _outcome(opened, change_id)
    begun, refusal = Begun(), ""
    try:
        begun = _ask(opened, change_id, asked, provider)
    except (InvalidInput, Conflict) as error:
        refusal = error.said
    except Unavailable as error:
        log.warning("provider not reached", change=str(change_id), reason=error.message, hint=error.hint)
        raise Unavailable(
            error.message, hint="Your choice is kept and asked again by itself; what came of it appears here."
        ) from error
    with opened() as session:
        _record(session, change_id, begun, refusal, provider, principal)
    log.info("provider asked for a plan", change=str(change_id), way=asked.way, refused=bool(refusal))
    return _outcome(opened, change_id)


def ask_again(engine: Engine, *, change_id: UUID, attempt: int, provider: Provider | None = None) -> None:
    """Make attempt number `attempt` (from 1) for a change that has no answer yet, and queue the next where there is none."""

    def opened() -> AbstractContextManager[Session]:
        return transaction(engine)

    with opened() as session:
        change = session.get(PlanChange, change_id)
        if change is None or change.state != "asked" or change.attempts != attempt - 1:
            return
    try:
        carry_out(opened, change_id=change_id, provider=provider)
    except Unavailable as error:
        with opened() as session:
            _try_later(session, change_id, attempt, error)
    except LeitstandError as error:
        log.info("a change of plan is over", change=str(change_id), reason=error.message)


def _prepare(session: Session, change_id: UUID) -> _Asked | None:
    """What is to be asked; None where nothing is any more."""
    found = changes.locked_change(session, change_id)
    if found is None or found[0].state != "asked":
        return None
    change, row = found
    if changes.overtaken(change, row):
        changes.end(change, "withdrawn")
    elif changes.too_old(change):
        changes.end(change, "given-up", UNANSWERED)
    if change.state != "asked":
        return None
    customer = Customer(change.workspace_id, **change.customer)
    plan = Plan.model_validate(change.terms)
    return _Asked(f"plan-change-{change.id}", change.way, plan, customer, change.back, change.closes)


def _ask(opened: Opened, change_id: UUID, asked: _Asked, provider: Provider) -> Begun:
    if asked.closes:
        provider.close(asked.closes, key=f"{asked.key}-close")
    if asked.way == "cancel":
        provider.cancel(asked.customer, key=asked.key)
    if asked.way in {"cancel", "close"}:
        return Begun()
    customer = asked.customer
    if not customer.customer_id:
        customer = provider.create_customer(customer, key=f"{asked.key}-customer")
        with opened() as session:
            _keep_customer(session, change_id, customer.customer_id)
    return provider.begin_change(customer, asked.plan, key=asked.key, back=asked.back)


def _keep_customer(session: Session, change_id: UUID, customer_id: str) -> None:
    found = changes.locked_change(session, change_id)
    if found is not None:
        found[1].customer_id = found[1].customer_id or customer_id


def _record(
    session: Session,
    change_id: UUID,
    begun: Begun,
    refusal: str,
    provider: Provider,
    principal: Principal | None,
) -> None:
    """Record an answer, unless another request or a message of the provider has ended the change."""
    found = changes.locked_change(session, change_id)
    if found is None or found[0].state != "asked":
        return
    change, row = found
    if refusal:
        changes.end(change, "refused", refusal)
    elif begun.address:
        changes.begin(change, begun)
    else:
        _apply(session, change, row, provider, principal)
        changes.end(change, "done")


def _apply(
    session: Session,
    change: PlanChange,
    row: WorkspacePlan,
    provider: Provider,
    principal: Principal | None,
) -> None:
    """Put the workspace on the plan; where the provider has told something since, its messages say what holds."""
    if row.told_at is not None and row.told_at > change.created_at:
        return
    if change.way == "cancel":
        row.subscription_id = ""
    plan = Plan.model_validate(change.terms)
    who = principal or system_principal(row.workspace_id, provider.name)
    apply_plan(session, principal=who, row=row, plan=plan, provider=provider.name)
    row.changed_by = change.asked_by


def _outcome(opened: Opened, change_id: UUID) -> Begun:
    """What became of a change that is answered."""
    with opened() as session:
        change = session.get(PlanChange, change_id)
    if change is None or change.state == "withdrawn":
        raise Conflict("Another plan was chosen meanwhile.", hint="The page says which plan holds.")
    if change.state == "refused":
        raise InvalidInput(change.problem, hint="The plan stays as it was. Choose again once this is mended.")
    if change.state == "given-up":
        raise Unavailable(change.problem)
    return Begun(change.address, change.checkout_id)


def _try_later(session: Session, change_id: UUID, attempt: int, error: LeitstandError) -> None:
    found = changes.locked_change(session, change_id)
    if found is None or found[0].state != "asked":
        return
    change = found[0]
    change.attempts, change.problem = attempt, error.message
    wait = wait_after(attempt)
    if wait is None:
        changes.end(change, "given-up", UNANSWERED)
    else:
        changes.schedule(session, change, at=datetime.now(UTC) + timedelta(seconds=wait))
