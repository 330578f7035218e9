"""Apps: their inputs checked in the core, run by hand and by the clock, each instant once."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from leitstand.agents import apps, schedules
from leitstand.agents.due import GONE, begin_due
from leitstand.catalogue import contents
from leitstand.db.models import AppSchedule, AuditEntry, Item, Membership, Thread, Workspace
from leitstand.embedded import demo
from leitstand.errors import Conflict, Forbidden, InvalidInput, NotFound
from leitstand.identity.access import Principal, system_principal
from leitstand.knowledge.spaces import create_space
from tests.people import acting, join

GIVEN = {"topic": "Trains", "length": 3, "tone": "dry"}


def test_an_app_asks_its_agent_in_words(session: Session, anna: Principal, app: Item, agent: Item) -> None:
    thread = apps.begin(session, principal=anna, app_id=app.id, inputs=GIVEN)
    assert thread.input == {"text": "Topic: Trains\nLength: 3\nTone: dry", "inputs": GIVEN}
    assert (thread.agent_id, thread.app_id, thread.begun_by) == (agent.id, app.id, "person")


@pytest.mark.parametrize(
    ("inputs", "pointer"),
    [
        ({}, "/inputs/topic"),
        ({"topic": ""}, "/inputs/topic"),
        ({"topic": 5}, "/inputs/topic"),
        ({"topic": "x" * 501}, "/inputs/topic"),
        ({"topic": "x", "length": "long"}, "/inputs/length"),
        ({"topic": "x", "length": True}, "/inputs/length"),
        ({"topic": "x", "tone": "loud"}, "/inputs/tone"),
        ({"topic": "x", "other": 1}, "/inputs/other"),
    ],
)
def test_what_does_not_fit_is_named(
    session: Session, anna: Principal, app: Item, inputs: dict[str, object], pointer: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        apps.begin(session, principal=anna, app_id=app.id, inputs=inputs)
    assert [one["pointer"] for one in refused.value.details["errors"]] == [pointer]  # type: ignore[attr-defined]


def test_a_control_asks_with_its_own_schema(
    session: Session, anna: Principal, boss: Principal, agent: Item
) -> None:
    schema = {
        "type": "object",
        "properties": {"from": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["from"],
    }
    control = contents.create(
        session, principal=boss, kind="control", title="Trip", content={"schema": schema}
    )
    given = {"name": "trip", "label": "Trip", "field": "control", "control_id": str(control.id)}
    content = {"agent_id": str(agent.id), "inputs": [given, {"name": "sure", "field": "yes-no"}]}
    made = contents.create(session, principal=boss, kind="app", title="Travel", content=content)
    read = apps.read(session, principal=anna, app_id=made.id)
    names = [field.name for one in read.asked for field in one.fields()]
    assert names == ["input.trip", "input.trip.from", "input.trip.days", "input.sure"]
    form = {"input.trip.from": ["Graz"], "input.trip.days": ["3"], "input.sure": ["yes"]}
    values = apps.from_form(read, form)
    assert apps.checked(read, values) == {"trip": {"from": "Graz", "days": 3}, "sure": True}
    with pytest.raises(InvalidInput):
        apps.checked(read, {"trip": {"days": 3}})
    # Whoever may not see the control can't be asked with it.
    contents.save(session, principal=boss, item_id=control.id, visibility="private")
    with pytest.raises(Conflict):
        apps.begin(session, principal=anna, app_id=made.id, inputs=values)


def due(session: Session, schedule: AppSchedule) -> datetime:
    """Let a schedule be due; gives the instant."""
    at = datetime.now(UTC) - timedelta(minutes=1)
    session.execute(update(AppSchedule).where(AppSchedule.id == schedule.id).values(next_at=at))
    session.commit()
    return at


def planned(session: Session, who: Principal, app: Item) -> AppSchedule:
    made = schedules.add(
        session, principal=who, app_id=app.id, when=" 0  7 * * 1-5 ", zone="Europe/Vienna", inputs=GIVEN
    )
    session.commit()
    return made


def test_a_schedule_is_begun_once_for_whoever_set_it(
    engine: Engine, session: Session, anna: Principal, app: Item
) -> None:
    schedule = planned(session, anna, app)
    assert schedule.cron == "0 7 * * 1-5" and schedule.next_at and schedule.next_at > datetime.now(UTC)
    assert begin_due(engine) == 0, "it is not due"
    at = due(session, schedule)
    both = [threading.Thread(target=begin_due, args=(engine,)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(30)
    threads = session.scalars(select(Thread)).all()
    assert [(t.person_id, t.begun_by, t.app_id) for t in threads] == [(anna.person_id, "schedule", app.id)]
    session.refresh(schedule)
    assert (schedule.last_at, schedule.last_thread, schedule.problem) == (at, threads[0].id, "")
    assert schedule.next_at > datetime.now(UTC) and begin_due(engine) == 0


def test_a_schedule_says_what_is_in_its_way(
    engine: Engine, session: Session, anna: Principal, boss: Principal, app: Item, agent: Item
) -> None:
    schedule = planned(session, anna, app)
    wants = [{"name": "topic", "label": "Topic", "field": "number", "required": True}]
    contents.save(
        session, principal=boss, item_id=app.id, content={"agent_id": str(agent.id), "inputs": wants}
    )
    due(session, schedule)
    assert begin_due(engine) == 1
    session.refresh(schedule)
    assert "no such input" in schedule.problem and schedule.next_at and not schedule.last_at, (
        "it tries again next time"
    )
    session.execute(
        update(Membership)
        .where(Membership.person_id == anna.person_id)
        .values(suspended_at=datetime.now(UTC))
    )
    due(session, schedule)
    begin_due(engine)
    session.refresh(schedule)
    assert schedule.problem == GONE and schedule.next_at is None, "it is off"
    assert not session.scalars(select(Thread)).all()


def test_who_sets_sees_and_switches_a_schedule(
    session: Session, workspace: Workspace, anna: Principal, boss: Principal, app: Item
) -> None:
    ben = acting(session, workspace, join(session, workspace, role="member", email="ben@demo.test"))
    reader = acting(session, workspace, join(session, workspace, role="analyst"))
    mine = planned(session, anna, app)
    with pytest.raises(Forbidden):
        planned(session, reader, app)
    assert not schedules.list_schedules(session, principal=ben, app_id=app.id)
    assert [
        (row.person, row.mine) for row in schedules.list_schedules(session, principal=boss, app_id=app.id)
    ] == [("Anna", False)]
    where = {"app_id": app.id, "schedule_id": mine.id}
    with pytest.raises(NotFound):
        schedules.switch(session, principal=ben, active=False, **where)
    assert schedules.switch(session, principal=boss, active=False, **where).next_at is None
    with pytest.raises(Forbidden, match="only they"):
        schedules.switch(session, principal=boss, active=True, **where)
    assert schedules.switch(session, principal=anna, active=True, **where).next_at
    schedules.remove(session, principal=boss, **where)
    assert not schedules.list_schedules(session, principal=anna, app_id=app.id)
    told = session.scalars(
        select(AuditEntry.action)
        .where(AuditEntry.target == f"app-schedule:{mine.id}")
        .order_by(AuditEntry.id)
    ).all()
    assert [one.partition(".")[2] for one in told] == ["create", "pause", "resume", "remove"]


@pytest.mark.parametrize(
    ("when", "zone"),
    [("* * * * *", ""), ("0 7 * *", ""), ("0 0 30 2 *", ""), ("0 7 * * *", "Mars/Base"), ("x" * 999, "")],
)
def test_a_schedule_that_is_none_is_refused(
    session: Session, anna: Principal, app: Item, when: str, zone: str
) -> None:
    with pytest.raises(InvalidInput):
        schedules.add(session, principal=anna, app_id=app.id, when=when, zone=zone, inputs=GIVEN)


def test_the_demo_has_an_agent_and_an_app_once(
    engine: Engine, session: Session, workspace: Workspace, anna: Principal
) -> None:
    program = system_principal(workspace.id)
    create_space(session, principal=program, title=demo.SPACE)
    session.commit()
    for _ in range(2):
        demo._make_agent(engine, program, str)
    made = session.scalars(select(Item).where(Item.kind.in_(("agent", "app"))).order_by(Item.kind)).all()
    assert [(one.kind, one.status) for one in made] == [("agent", "published"), ("app", "published")]
    apps.begin(session, principal=anna, app_id=made[1].id, inputs={"task": "Restore", "points": 5})
