"""Runs that were handed over: noted when the flow says so, listed for those who take them up, marked as taken."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from leitstand.catalogue.editing import may_edit
from leitstand.catalogue.items import get_item
from leitstand.catalogue.visibility import groups_of
from leitstand.companions.run_rows import RunRow
from leitstand.companions.steps import HandOver
from leitstand.db.models import FlowRun, Handover, Membership, PeopleGroup, Person
from leitstand.errors import Conflict, NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, system_principal

MOST = 100


@dataclass(frozen=True)
class HandedOver:
    """A run to be taken up: to whom it went (empty: whoever may change the companion), what was answered, who took it."""

    run_id: UUID
    at: datetime
    to: str
    answers: list[tuple[str, str]]
    taken_by: str
    taken_at: datetime | None


def hand_over(session: Session, *, run: RunRow, step: HandOver) -> None:
    """Mark a run as handed over; to whoever may change the companion where the addressee is not there any more."""
    person, group = _addressee(session, run.workspace_id, step)
    session.add(
        Handover(
            run_id=run.id, workspace_id=run.workspace_id, companion_id=run.companion_id, step=step.name,
            person_id=person, group_id=group,
        )
    )  # fmt: skip
    session.flush()
    audit.record(
        session,
        principal=system_principal(run.workspace_id, "companion"),
        action="companion.handover",
        target=f"companion:{run.companion_id}",
        after={"run": str(run.id), "person": str(person or ""), "group": str(group or "")},
    )


def list_handovers(session: Session, *, principal: Principal, companion_id: UUID) -> list[HandedOver]:
    """The runs handed over to the principal, all of them for whoever may change the companion; newest first, at most 100.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is no such companion.
    """
    item = get_item(session, principal=principal, item_id=companion_id, kind="companion")
    query = (
        select(Handover, FlowRun.answers)
        .join(FlowRun, FlowRun.id == Handover.run_id)
        .where(Handover.companion_id == item.id, Handover.workspace_id == principal.workspace_id)
    )
    if not may_edit(session, principal, item):
        if principal.person_id is None:
            return []
        groups = groups_of(principal.workspace_id, principal.person_id)
        query = query.where(or_(Handover.person_id == principal.person_id, Handover.group_id.in_(groups)))
    rows = session.execute(query.order_by(Handover.created_at.desc(), Handover.run_id).limit(MOST)).all()
    return [_shown(session, row, answers) for row, answers in rows]


def take_up(session: Session, *, principal: Principal, companion_id: UUID, run_id: UUID) -> None:
    """Say that the principal looks after a run that was handed over.

    Raises:
        NotFound: it was not handed over to them.
        Conflict: somebody took it up already.
    """
    seen = list_handovers(session, principal=principal, companion_id=companion_id)
    if run_id not in {one.run_id for one in seen}:
        raise NotFound("There is no such run.", hint="Load the page again.")
    row = session.get_one(Handover, run_id, with_for_update=True)
    if row.taken_at is not None:
        raise Conflict("Somebody took this up already.", hint="Load the page again.")
    row.taken_at, row.taken_by = datetime.now(UTC), principal.person_id
    session.flush()
    target, after = f"companion:{companion_id}", {"run": str(run_id)}
    audit.record(session, principal=principal, action="companion.take_up", target=target, after=after)


def _addressee(session: Session, workspace_id: UUID, step: HandOver) -> tuple[UUID | None, UUID | None]:
    if step.person:
        member = session.get(Membership, (workspace_id, UUID(step.person)))
        return (member.person_id if member else None), None
    group = session.get(PeopleGroup, UUID(step.group or ""))
    return None, (group.id if group and group.workspace_id == workspace_id else None)


def _shown(session: Session, row: Handover, answers: list[dict[str, str]]) -> HandedOver:
    person = session.get(Person, row.person_id) if row.person_id else None
    group = session.get(PeopleGroup, row.group_id) if row.group_id else None
    taker = session.get(Person, row.taken_by) if row.taken_by else None
    to = person.name if person else group.name if group else ""
    said = [(entry["step"], entry["answer"]) for entry in answers]
    return HandedOver(row.run_id, row.created_at, to, said, taker.name if taker else "", row.taken_at)
