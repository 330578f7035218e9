"""What flows use of other items, people and groups: checked whenever one is saved, and written down.

`leitstand.companions.flow` says what a flow is; here it is a document whose steps name what they use.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from leitstand.catalogue.kinds import parse
from leitstand.catalogue.listing import titles_of
from leitstand.db.models import (
    Companion,
    CompanionVersion,
    Item,
    ItemReference,
    ItemVersion,
    Membership,
    PeopleGroup,
)
from leitstand.errors import InvalidInput
from leitstand.identity.access import Principal
from leitstand.words import N_, msg

Flow = dict[str, Any]
Step = dict[str, Any]
# Member of a step that names an item, by the step's kind, with the kind that the item must be of.
USES = {"input": ("control", "control"), "ask": ("space", "space")}
GONE = {
    "control": (N_("uses a control that you may not see or that is gone"), N_("Choose another control.")),
    "space": (N_("uses a space that you may not see or that is gone"), N_("Choose another space.")),
}
NOBODY = UUID(int=0)


def checked_uses(session: Session, principal: Principal, flow: Flow) -> Flow:
    """The flow with its controls as they are now, so that a version asks the same for ever.

    Raises:
        InvalidInput: it uses what is not there or not the principal's to see; `details["errors"]` lists every
            fault as {"step", "problem", "mend"}.
    """
    seen = titles_of(session, principal=principal, item_ids=used_items(flow))
    faults = [fault for step in _steps(flow) if (fault := _fault(session, principal, step, seen))]
    if faults:
        raise InvalidInput(
            msg(
                "The flow can't be run: {problem}.",
                problem=msg("step {name!r} {problem}", name=faults[0]["step"], problem=faults[0]["problem"]),
            ),
            hint=faults[0]["mend"],
            details={"errors": list(faults)},
        )
    shapes = _shapes(session, {_id(step["control"]) for step in _steps(flow) if step["kind"] == "input"})
    if not shapes:
        return flow
    return flow | {
        "steps": [
            step | {"shape": shapes[_id(step["control"])]} if step["kind"] == "input" else step
            for step in flow["steps"]
        ]
    }


def used_items(flow: Flow) -> set[UUID]:
    """The items that its steps name."""
    return {_id(step.get(USES[step["kind"]][0])) for step in _steps(flow) if step["kind"] in USES}


def refer(session: Session, companion_id: UUID) -> None:
    """Write down which items the companion's newest and its published flow use."""
    published = select(Companion.published_version).where(Companion.item_id == companion_id).scalar_subquery()
    newest = (
        select(CompanionVersion.number)
        .where(CompanionVersion.companion_id == companion_id)
        .order_by(CompanionVersion.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    flows = session.scalars(
        select(CompanionVersion.flow).where(
            CompanionVersion.companion_id == companion_id,
            or_(CompanionVersion.number == newest, CompanionVersion.number == published),
        )
    )
    named = {item_id for flow in flows for item_id in used_items(flow)}
    # What was deleted for good meanwhile may still be named by the version that is published.
    wanted = set(session.scalars(select(Item.id).where(Item.id.in_(named)))) if named else set()
    write_references(session, companion_id, wanted)


def write_references(session: Session, item_id: UUID, wanted: set[UUID]) -> None:
    """Write down which items one uses from now on."""
    kept = set(session.scalars(select(ItemReference.to_id).where(ItemReference.from_id == item_id)))
    if gone := kept - wanted:
        old = (ItemReference.from_id == item_id) & ItemReference.to_id.in_(gone)
        session.execute(delete(ItemReference).where(old))
    session.add_all(ItemReference(from_id=item_id, to_id=to_id) for to_id in wanted - kept)
    session.flush()


def _steps(flow: Flow) -> Iterator[Step]:
    steps = flow.get("steps")
    for step in steps if isinstance(steps, list) else ():
        if isinstance(step, dict) and isinstance(step.get("kind"), str):
            yield step


def _fault(
    session: Session, principal: Principal, step: Step, seen: dict[UUID, Item]
) -> dict[str, str] | None:
    kind, name = step["kind"], str(step.get("name", ""))
    if kind == "handover":
        there = _is_there(session, principal, step)
        return (
            None if there else _gone(name, N_("hands over to nobody"), N_("Choose another person or group."))
        )
    if kind not in USES:
        return None
    member, wanted = USES[kind]
    found = seen.get(_id(step.get(member)))
    if found is not None and found.kind == wanted:
        return None
    return _gone(name, *GONE[wanted])


def _is_there(session: Session, principal: Principal, step: Step) -> bool:
    if step.get("person"):
        query = select(Membership.person_id).where(
            Membership.workspace_id == principal.workspace_id, Membership.person_id == _id(step["person"])
        )
    else:
        query = select(PeopleGroup.id).where(
            PeopleGroup.workspace_id == principal.workspace_id, PeopleGroup.id == _id(step.get("group"))
        )
    return session.scalar(query) is not None


def _shapes(session: Session, controls: set[UUID]) -> dict[UUID, dict[str, Any]]:
    """What each of these controls is now."""
    if not controls:
        return {}
    query = select(ItemVersion.item_id, ItemVersion.content).where(ItemVersion.item_id.in_(controls))
    newest = query.distinct(ItemVersion.item_id).order_by(ItemVersion.item_id, ItemVersion.number.desc())
    kept = dict(session.execute(newest).tuples().all())
    return {item_id: parse("control", kept.get(item_id, {})).document() for item_id in controls}


def _id(value: Any) -> UUID:
    """An id; that of nobody for what is none."""
    try:
        return UUID(value)
    except (ValueError, TypeError, AttributeError):
        return NOBODY


def _gone(step: str, problem: str, mend: str) -> dict[str, str]:
    return {"step": step, "problem": problem, "mend": mend}
