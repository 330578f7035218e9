"""Controls, spaces and hand overs of a published flow: checked when saved, kept with the run, taken up once."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.runtime_pages.pages import run_page
from leitstand.catalogue import contents
from leitstand.catalogue import versions as history
from leitstand.catalogue.companions import create
from leitstand.catalogue.exports import FORMAT, FORMAT_VERSION
from leitstand.catalogue.lifecycle import used_by
from leitstand.companions.flow import parse_flow
from leitstand.companions.handovers import list_handovers, take_up
from leitstand.companions.importing import import_items
from leitstand.companions.inputs import fields_of, from_form
from leitstand.companions.runs import Outcome, find_open, give_answer, open_run
from leitstand.companions.steps import Input
from leitstand.companions.versions import publish, read_flow, save_version
from leitstand.db.models import AuditEntry, GroupMember, Handover, Item, Membership, PeopleGroup, Workspace
from leitstand.errors import Conflict, InvalidInput
from leitstand.identity.access import Principal
from tests.people import acting, join
from tests.unit.companions.test_steps import ID, SHAPE, whole

SLUG = "everything"


def with_items(session: Session, owner: Principal) -> dict[str, Any]:
    session.merge(Membership(workspace_id=owner.workspace_id, person_id=owner.person_id, role="owner"))
    control = contents.create(session, principal=owner, kind="control", title="Party", content=SHAPE)
    space = contents.create(session, principal=owner, kind="space", title="Handbook")
    document = whole()
    there = {"control": str(control.id), "space": str(space.id), "person": str(owner.person_id)}
    for step in document["steps"]:
        step.pop("shape", None)
        step.update({name: value for name, value in there.items() if name in step})
    return document


def exported(items: list[dict[str, Any]]) -> bytes:
    return json.dumps({"format": FORMAT, "version": FORMAT_VERSION, "items": items}).encode()


def test_a_run_asks_through_a_control_and_is_handed_over(session: Session, owner: Principal) -> None:
    flow = parse_flow(with_items(session, owner))
    companion_id = create(session, principal=owner, title="Everything").id
    save_version(session, principal=owner, companion_id=companion_id, flow=flow)
    assert save_version(session, principal=owner, companion_id=companion_id, flow=flow) == 1
    publish(session, principal=owner, companion_id=companion_id, slug=SLUG)
    companion = find_open(session, SLUG)
    run = open_run(session, companion=companion, visitor="v")
    page = bytes(run_page(run, slug=SLUG, visitor=None).body).decode()
    assert "Who comes?" in page

    def answer(text: str, revision: int) -> Outcome:
        return give_answer(session, companion=companion, visitor="v", run_id=run.run_id, revision=revision, answer=text)[0]  # fmt: skip

    with pytest.raises(InvalidInput):
        answer('{"people": 0}', 0)
    assert answer('{"people": 2}', 0) is Outcome.TAKEN
    assert answer('{ "people":2 }', 0) is Outcome.REPEATED
    assert answer("Is anything written here?", 1) is Outcome.TAKEN
    stands = open_run(session, companion=companion, visitor="v")
    assert stands.state.step == "party" and stands.state.answers[1].reply is not None
    assert answer('{"people": 9}', 2) is Outcome.TAKEN
    assert open_run(session, companion=companion, visitor="v").ended
    handed = list_handovers(session, principal=owner, companion_id=companion_id)
    assert [(one.to, one.taken_by) for one in handed] == [(owner.name, "")]
    take_up(session, principal=owner, companion_id=companion_id, run_id=run.run_id)
    with pytest.raises(Conflict):
        take_up(session, principal=owner, companion_id=companion_id, run_id=run.run_id)
    actions = set(session.scalars(select(AuditEntry.action)))
    assert {"companion.handover", "companion.take_up"} <= actions


def test_a_control_lists_the_companions_that_ask_through_it(session: Session, owner: Principal) -> None:
    document = with_items(session, owner)
    companion_id = create(session, principal=owner, title="Everything").id
    save_version(session, principal=owner, companion_id=companion_id, flow=parse_flow(document))
    used = [UUID(step[name]) for step in document["steps"] for name in ("control", "space") if name in step]

    def where_used() -> list[list[UUID]]:
        return [[item.id for item in used_by(session, principal=owner, item_id=item_id)] for item_id in used]

    assert where_used() == [[companion_id]] * 2
    publish(session, principal=owner, companion_id=companion_id)
    bye = {"title": "Bye", "steps": [{"kind": "end", "name": "bye", "text": "Bye."}]}
    save_version(session, principal=owner, companion_id=companion_id, flow=parse_flow(bye))
    assert where_used() == [[companion_id]] * 2
    publish(session, principal=owner, companion_id=companion_id)
    assert where_used() == [[]] * 2


def test_neither_import_nor_roll_back_brings_in_what_one_may_not_see(
    session: Session, workspace: Workspace, owner: Principal
) -> None:
    document = with_items(session, owner)
    companion_id = create(session, principal=owner, title="Everything").id
    save_version(session, principal=owner, companion_id=companion_id, flow=parse_flow(document))
    bye = {"title": "Bye", "steps": [{"kind": "end", "name": "bye", "text": "Bye."}]}
    save_version(session, principal=owner, companion_id=companion_id, flow=parse_flow(bye))
    control = session.get_one(
        Item, UUID(next(step["control"] for step in document["steps"] if "control" in step))
    )
    control.visibility, control.owner_id = "private", None
    session.flush()
    member = acting(session, workspace, join(session, workspace, role="member"))
    session.get_one(Item, companion_id).owner_id = member.person_id
    data = exported([{"kind": "companion", "title": "Mine", "content": document}])
    for deed in (
        lambda: history.roll_back(session, principal=member, item_id=companion_id, number=1),
        lambda: import_items(session, principal=member, data=data, form="json"),
    ):
        with pytest.raises(InvalidInput) as caught:
            deed()
        assert "'party'" in caught.value.message + str(caught.value.details)
    control.visibility = "workspace"
    session.flush()
    assert import_items(session, principal=member, data=data, form="json")
    assert history.roll_back(session, principal=member, item_id=companion_id, number=1)


def test_a_control_and_the_companion_that_uses_it_come_in_one_file(
    session: Session, owner: Principal
) -> None:
    document = with_items(session, owner)
    step = next(step for step in document["steps"] if "control" in step)
    old = "0190a1b2-0000-7000-8000-00000000abcd"
    step["control"] = old
    records = [
        {"kind": "companion", "title": "Asks", "content": document},
        {"id": old, "kind": "control", "title": "Many", "content": SHAPE},
    ]
    data = exported(records)
    made = import_items(session, principal=owner, data=data, form="json")
    asks, control = (one.item_id for one in made)
    assert asks is not None
    (party,) = [
        s for s in read_flow(session, principal=owner, companion_id=asks)[1].steps if isinstance(s, Input)
    ]
    assert party.control == str(control) and party.content["schema"] == SHAPE["schema"]


def test_whoever_left_a_group_does_not_see_what_was_handed_to_it(
    session: Session, workspace: Workspace, owner: Principal
) -> None:
    document = with_items(session, owner)
    group = PeopleGroup(workspace_id=workspace.id, name="Desk")
    session.add(group)
    session.flush()
    step = next(step for step in document["steps"] if step["kind"] == "handover")
    del step["person"]
    step["group"] = str(group.id)
    document["start"] = "person"
    document["steps"] = [step]
    companion_id = create(session, principal=owner, title="Everything").id
    save_version(session, principal=owner, companion_id=companion_id, flow=parse_flow(document))
    publish(session, principal=owner, companion_id=companion_id, slug=SLUG)
    run = open_run(session, companion=find_open(session, SLUG), visitor="v")
    session.add(Handover(run_id=run.run_id, workspace_id=workspace.id, companion_id=companion_id, step="person", group_id=group.id))  # fmt: skip
    people = [
        acting(session, workspace, join(session, workspace, role="analyst", email=f"p{n}@demo.test"))
        for n in range(3)
    ]
    for person, expires in zip(people, (None, datetime.now(UTC) - timedelta(minutes=1)), strict=False):
        session.add(
            GroupMember(
                workspace_id=workspace.id, group_id=group.id, person_id=person.person_id, expires_at=expires
            )
        )
    session.flush()
    seen = [len(list_handovers(session, principal=person, companion_id=companion_id)) for person in people]
    assert seen == [1, 0, 0]


def test_what_was_typed_into_a_control_stays_where_it_is_refused() -> None:
    step = parse_flow(whole()).step("party")
    assert isinstance(step, Input)
    given = from_form(step, {"value.people": ["0"], "value.tea": ["yes"]})
    fields = {field.name: field.value for field in fields_of(step, given)}
    assert fields == {"value.people": 0, "value.tea": True}


@pytest.mark.parametrize("member", ["control", "space", "person"])
def test_what_is_not_there_is_named_with_its_step(session: Session, owner: Principal, member: str) -> None:
    document = with_items(session, owner)
    step = next(step for step in document["steps"] if member in step)
    step[member] = ID
    companion_id = create(session, principal=owner, title="Everything").id
    with pytest.raises(InvalidInput, match=re.escape(step["name"])):
        save_version(session, principal=owner, companion_id=companion_id, flow=parse_flow(document))
