"""Threads: begun, seen by whom they concern, cancelled, repeated, approved; of two at once one is told that it is late."""

import json
import threading
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from leitstand.agents import apps, starting, threads
from leitstand.catalogue import contents, leaving, lifecycle, personal_export, trash
from leitstand.catalogue.kinds import parse
from leitstand.db import row_security
from leitstand.db.engine import transaction
from leitstand.db.models import AuditEntry, Item, Thread, ThreadStep, Workspace
from leitstand.errors import Conflict, Forbidden, InvalidInput, LeitstandError, NotFound
from leitstand.identity.access import Principal
from tests.integration.agents.conftest import waiting
from tests.people import PASSWORD, acting, join

QUEUED = text(
    "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'agents.run' AND args ->> 'thread_id' = :id"
)


def begun(session: Session, who: Principal, agent: Item, asked: str = "What is new?") -> Thread:
    thread = starting.begin(session, principal=who, agent_id=agent.id, text=asked)
    session.commit()
    return thread


def jobs(session: Session, thread: Thread) -> int:
    return int(session.scalar(QUEUED, {"id": str(thread.id)}) or 0)


def test_a_thread_keeps_what_the_agent_was_and_waits_for_a_worker(
    session: Session, anna: Principal, boss: Principal, agent: Item
) -> None:
    thread = starting.begin(
        session,
        principal=anna,
        agent_id=agent.id,
        text=" Hello\x00 \r\nyou ",
        limits={"steps": 50, "tokens": 9_000},
    )
    assert (thread.status, thread.title, thread.input["text"]) == ("queued", "Hello you", "Hello\nyou")
    assert thread.agent == {
        "title": "Helper",
        "instructions": "Be brief.",
        "model": "small",
        "tools": ["mail"],
        "spaces": [],
    }
    assert thread.limits == {"steps": 5, "seconds": 300, "tokens": 9_000, "cost": 0}, (
        "less is taken, more is not"
    )
    contents.save(session, principal=boss, item_id=agent.id, content={"instructions": "Be long."})
    assert thread.agent["instructions"] == "Be brief."
    assert jobs(session, thread) == 1
    assert session.scalars(
        select(AuditEntry.action).where(AuditEntry.target == f"thread:{thread.id}")
    ).all() == ["thread.begin"]


def test_who_may_begin_one(
    session: Session, workspace: Workspace, anna: Principal, boss: Principal, agent: Item
) -> None:
    outside = acting(session, workspace, join(session, workspace, role="external"))
    reader = acting(session, workspace, join(session, workspace, role="analyst"))
    hidden = contents.create(session, principal=boss, kind="agent", title="Own", visibility="private")
    for who in (outside, reader):
        with pytest.raises(Forbidden):
            starting.begin(session, principal=who, agent_id=agent.id, text="x")
    with pytest.raises(NotFound):
        starting.begin(session, principal=anna, agent_id=hidden.id, text="x")
    with pytest.raises(InvalidInput, match="Nothing is asked"):
        starting.begin(session, principal=anna, agent_id=agent.id, text=" \x00 ")
    lifecycle.archive(session, principal=boss, item_id=agent.id)
    with pytest.raises(Conflict, match="archive"):
        starting.begin(session, principal=anna, agent_id=agent.id, text="x")
    trash.trash_item(session, principal=boss, item_id=agent.id)
    with pytest.raises(NotFound):
        starting.begin(session, principal=anna, agent_id=agent.id, text="x")


def test_each_sees_their_own_and_managers_all(
    session: Session, workspace: Workspace, anna: Principal, boss: Principal, agent: Item
) -> None:
    mine, theirs = begun(session, anna, agent), begun(session, boss, agent)
    assert [
        row.thread.id for row in threads.find(session, principal=anna, filters=threads.Filters()).rows
    ] == [mine.id]
    seen = threads.find(session, principal=boss, filters=threads.Filters()).rows
    assert [(row.thread.id, row.person) for row in seen] == [(theirs.id, "Boss"), (mine.id, "Anna")]
    with pytest.raises(NotFound):
        threads.open_one(session, principal=anna, thread_id=theirs.id)
    with pytest.raises(NotFound):
        starting.cancel(session, principal=anna, thread_id=theirs.id)
    # Another workspace's manager sees nothing of it, also where the condition were forgotten.
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.flush()
    stranger = acting(session, other, join(session, other))
    assert not threads.find(session, principal=stranger, filters=threads.Filters()).rows
    with transaction(session.get_bind()) as beside:  # type: ignore[arg-type]
        row_security.enter(beside, workspace_id=other.id)
        assert not beside.scalars(select(Thread)).all() and not beside.scalars(select(ThreadStep)).all()


def test_the_list_is_narrowed_and_goes_on_behind_its_last(
    session: Session, anna: Principal, agent: Item
) -> None:
    made = [begun(session, anna, agent, f"Question {at}") for at in range(3)]
    starting.cancel(session, principal=anna, thread_id=made[1].id)

    def found(**narrowed: object) -> list[str]:
        rows = threads.find(session, principal=anna, filters=threads.Filters(**narrowed)).rows  # type: ignore[arg-type]
        return [row.thread.title for row in rows]

    assert found(status="open") == ["Question 2", "Question 0"] and found(status="cancelled") == [
        "Question 1"
    ]
    assert found(agent_id=agent.id) == ["Question 2", "Question 1", "Question 0"] and not found(
        app_id=agent.id
    )
    now = datetime.now(UTC)
    assert len(found(since=now - timedelta(hours=1))) == 3 and not found(since=now + timedelta(hours=1))
    assert not found(until=now - timedelta(hours=1))
    with pytest.raises(InvalidInput):
        found(status="asleep")
    first = threads.find(session, principal=anna, filters=threads.Filters(), limit=2)
    rest = threads.find(session, principal=anna, filters=threads.Filters(), cursor=first.cursor, limit=2)
    assert [row.thread.title for row in rest.rows] == ["Question 0"] and rest.cursor is None


def test_cancelling_ends_what_waits_and_asks_what_runs(
    session: Session, anna: Principal, agent: Item
) -> None:
    queued, held, works = (begun(session, anna, agent) for _ in range(3))
    (step,) = waiting(session, held)
    works.status = "running"
    session.flush()
    for thread in (queued, held, works):
        starting.cancel(session, principal=anna, thread_id=thread.id)
    assert (queued.status, held.status, works.status) == ("cancelled", "cancelled", "running")
    assert works.cancel_requested_at and not works.finished_at and held.finished_at
    session.refresh(step)
    assert step.status == "refused" and not step.decided_by
    with pytest.raises(Conflict):
        starting.cancel(session, principal=anna, thread_id=queued.id)
    starting.cancel(session, principal=anna, thread_id=works.id)


def test_a_retry_is_a_new_thread_by_the_agent_as_it_is(
    session: Session, anna: Principal, boss: Principal, agent: Item
) -> None:
    thread = begun(session, anna, agent)
    with pytest.raises(Conflict, match="still goes on"):
        apps.retry(session, principal=anna, thread_id=thread.id)
    starting.cancel(session, principal=anna, thread_id=thread.id)
    contents.save(session, principal=boss, item_id=agent.id, content={"instructions": "Be long."})
    again = apps.retry(session, principal=anna, thread_id=thread.id)
    assert (again.retry_of, again.input, again.agent["instructions"]) == (thread.id, thread.input, "Be long.")
    assert threads.open_one(session, principal=anna, thread_id=thread.id).retries == [again.id]


def test_a_decision_lets_the_thread_go_on_when_nothing_waits(
    session: Session, anna: Principal, boss: Principal, agent: Item
) -> None:
    thread = begun(session, anna, agent)
    first, second = waiting(session, thread, tools=2)
    starting.decide(session, principal=boss, thread_id=thread.id, step_id=first.id, approve=True)
    assert thread.status == "waiting" and jobs(session, thread) == 1, "the other one waits"
    starting.decide(session, principal=anna, thread_id=thread.id, step_id=second.id, approve=False)
    assert thread.status == "queued" and jobs(session, thread) == 2
    session.refresh(first)
    session.refresh(second)
    assert (first.status, first.decided_by) == ("approved", boss.person_id)
    assert (second.status, second.decided_by) == ("refused", anna.person_id)
    with pytest.raises(Conflict):
        starting.decide(session, principal=anna, thread_id=thread.id, step_id=second.id, approve=True)
    told = session.scalars(
        select(AuditEntry.action).where(AuditEntry.target == f"thread:{thread.id}").order_by(AuditEntry.id)
    )
    assert told.all() == ["thread.begin", "thread.approve", "thread.refuse"]


@pytest.mark.parametrize(
    "deeds", [("approve", "approve"), ("approve", "refuse"), ("approve", "cancel"), ("cancel", "cancel")]
)
def test_of_two_at_once_one_is_told_that_it_is_late(
    engine: Engine, session: Session, anna: Principal, agent: Item, deeds: tuple[str, str]
) -> None:
    thread = begun(session, anna, agent)
    (step,) = waiting(session, thread)
    did: dict[str, Callable[[Session], object]] = {
        "approve": lambda at: starting.decide(at, principal=anna, thread_id=thread.id, step_id=step.id, approve=True),
        "refuse": lambda at: starting.decide(at, principal=anna, thread_id=thread.id, step_id=step.id, approve=False),
        "cancel": lambda at: starting.cancel(at, principal=anna, thread_id=thread.id),
    }  # fmt: skip
    refused: list[str] = []
    both = threading.Barrier(2)

    def act(name: str) -> None:
        with transaction(engine) as at:
            both.wait(10)
            try:
                did[name](at)
            except LeitstandError as error:
                at.rollback()
                refused.append(error.kind)

    acting_ = [threading.Thread(target=act, args=(name,)) for name in deeds]
    for one in acting_:
        one.start()
    for one in acting_:
        one.join(30)
    session.refresh(thread)
    session.refresh(step)
    # A thread that was approved may still be cancelled: both came in this order.
    late = 0 if deeds == ("approve", "cancel") and step.status == "approved" else 1
    assert refused == ["conflict"] * late
    assert thread.status in {"queued", "cancelled"} and step.status in {"approved", "refused"}
    assert (thread.status == "queued") == (jobs(session, thread) == 2) or deeds == ("approve", "cancel")


def test_home_counts_ones_own_by_an_index(
    session: Session, anna: Principal, boss: Principal, agent: Item
) -> None:
    begun(session, anna, agent)
    waiting(session, begun(session, anna, agent))
    failed, old = begun(session, anna, agent), begun(session, boss, agent)
    failed.status = old.status = "failed"
    session.commit()
    assert threads.standing(session, principal=anna) == threads.Standing(2, 1, 1)
    assert threads.standing(
        session, principal=anna, now=datetime.now(UTC) + timedelta(days=2)
    ) == threads.Standing(2, 1, 0)
    session.execute(text("SET LOCAL enable_seqscan = off"))
    query = threads.standing_query(anna, datetime.now(UTC))
    sql = query.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
    plan = "\n".join(session.scalars(text(f"EXPLAIN {sql}")))
    assert "Seq Scan" not in plan and "ix_thread_of_person" in plan, plan


def test_a_copy_of_ones_data_has_ones_threads_and_they_go_with_the_account(
    session: Session, anna: Principal, boss: Principal, agent: Item
) -> None:
    waiting(session, begun(session, anna, agent, "My question"))
    begun(session, boss, agent, "Not mine")
    with zipfile.ZipFile(personal_export.export(session, principal=anna)) as archive:
        threads_, steps = (json.loads(archive.read(f"{name}.json")) for name in ("threads", "thread-steps"))
    leaving.delete_account(session, principal=anna, password=PASSWORD)
    assert session.scalars(select(Thread.title)).all() == ["Not mine"]
    assert [one["title"] for one in threads_] == ["My question"] and [one["name"] for one in steps] == [
        "mail"
    ]


@pytest.mark.parametrize(
    "limits", [{"cost": False}, {"steps": 0}, {"tokens": 1.5}, {"seconds": "long"}, {"hours": 1}]
)
def test_limits_are_whole_numbers(limits: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        parse("agent", {"limits": limits})
