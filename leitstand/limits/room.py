"""Whether a workspace's plan has room for more; asked by whatever makes something, in its own transaction."""

import time
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.db.models import WorkspacePlan
from leitstand.errors import LimitReached
from leitstand.limits.counting import used
from leitstand.limits.plans import KINDS, Limits, Plan, load_plans
from leitstand.words import msg

# For so long a process may not notice a plan that another one changed.
KEPT_SECONDS = 5.0
WAY_OUT = "An owner can choose another plan under Plans and billing."
NOUNS = {
    "members": msg("members"),
    "items": msg("items"),
    "published_companions": msg("published companions"),
    "spaces": msg("spaces"),
    "events_a_month": msg("events a month"),
    "storage_bytes": msg("bytes of documents"),
    "model_tokens_a_month": msg("tokens of models a month"),
}
_limits: dict[UUID, tuple[float, Limits]] = {}


def plan_of(session: Session, workspace_id: UUID) -> Plan:
    """The plan of a workspace, on the terms on which it was chosen; the first of the file where none was."""
    terms = session.scalar(select(WorkspacePlan.terms).where(WorkspacePlan.workspace_id == workspace_id))
    return load_plans().first if terms is None else Plan.model_validate(terms)


def limits_of(session: Session, workspace_id: UUID) -> Limits:
    """The limits of a workspace; known for some seconds without a query."""
    kept = _limits.get(workspace_id)
    if kept is not None and kept[0] > time.monotonic():
        return kept[1]
    limits = plan_of(session, workspace_id).limits
    _limits[workspace_id] = (time.monotonic() + KEPT_SECONDS, limits)
    return limits


def forget(workspace_id: UUID) -> None:
    """Ask for the plan of a workspace anew the next time."""
    _limits.pop(workspace_id, None)


def require_room(session: Session, workspace_id: UUID, what: str, amount: int = 1) -> None:
    """Refuse unless the plan has room for so much more. Call it before the row is made.

    Where there is a limit, others that want the same kind of place wait until this transaction has ended, so that two
    never take the last one. Where a transaction asks for several kinds, it asks in the order of their names.

    Args:
        what: one of `leitstand.limits.plans.KINDS`.
        amount: how many, or how many bytes.

    Raises:
        LimitReached: there is not so much room.
    """
    if what not in KINDS:
        raise ValueError(f"unknown limit {what!r}")
    if limits_of(session, workspace_id).of(what) is None:
        return
    hold(session, workspace_id, what)
    limit = plan_of(session, workspace_id).limits.of(what)
    now = used(session, workspace_id, what)
    if limit is not None and now + amount > limit:
        raise LimitReached(
            msg(
                "The plan has room for {limit:,} {nouns}, and {now:,} are used.",
                limit=limit,
                nouns=NOUNS[what],
                now=now,
            ),
            hint=WAY_OUT,
            details={"what": what, "limit": limit, "used": now},
        )


def hold(session: Session, workspace_id: UUID, *kinds: str) -> None:
    """Let nobody else take places of these kinds until the transaction has ended."""
    for what in sorted(kinds):
        key = func.hashtextextended(f"limit:{what}:{workspace_id}", 0)
        session.execute(select(func.pg_advisory_xact_lock(key)))
