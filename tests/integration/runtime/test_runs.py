"""Runs on a real database: one transition a step whatever arrives at once, and the facts that follow from it."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from leitstand.companions.runner import Answer
from leitstand.companions.runs import (
    OpenCompanion,
    Outcome,
    Run,
    find_open,
    give_answer,
    open_run,
    start_again,
    visitor_key,
)
from leitstand.companions.versions import roll_back
from leitstand.db.engine import transaction
from leitstand.db.models import Event, FlowRun, RunFact
from leitstand.errors import Conflict, InvalidInput
from leitstand.identity.access import Principal
from tests.integration.runtime.conftest import SLUG, Publish
from tests.unit.companions.flows import booking

VISITOR = "visitor-1"
CROWD = 20


def answered(
    engine: Engine, companion: OpenCompanion, run: Run, answer: str, visitor: str = VISITOR
) -> tuple[Outcome, Run]:
    with transaction(engine) as session:
        return give_answer(
            session,
            companion=companion,
            visitor=visitor,
            run_id=run.run_id,
            revision=run.state.revision,
            answer=answer,
        )


def opened(engine: Engine, companion: OpenCompanion, visitor: str = VISITOR) -> Run:
    with transaction(engine) as session:
        return open_run(session, companion=companion, visitor=visitor)


def walk(engine: Engine, companion: OpenCompanion, *answers: str, visitor: str = VISITOR) -> Run:
    run = opened(engine, companion, visitor)
    for answer in answers:
        outcome, run = answered(engine, companion, run, answer, visitor)
        assert outcome is Outcome.TAKEN
    return run


def at_once(work: Callable[[int], Any]) -> list[Any]:
    """Twenty threads that do `work` in the same moment."""
    barrier = Barrier(CROWD)

    def one(number: int) -> Any:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(CROWD) as pool:
        return list(pool.map(one, range(CROWD)))


def events(session: Session) -> list[tuple[str, str, int | None]]:
    query = select(Event.kind, Event.step, Event.seq).order_by(Event.occurred_at, Event.seq)
    return [tuple(row) for row in session.execute(query)]


def test_a_run_that_is_only_loaded_was_viewed_and_not_started(
    engine: Engine, session: Session, companion: OpenCompanion
) -> None:
    run = opened(engine, companion)
    assert opened(engine, companion).run_id == run.run_id
    fact = session.scalars(select(RunFact)).one()
    assert (fact.run_key, fact.actor_key, fact.steps) == (str(run.run_id), VISITOR, [])
    assert fact.opened_at is not None
    assert fact.started_at is None
    assert fact.completed_at is None


def test_every_step_leaves_its_event_and_the_end_completes(
    engine: Engine, session: Session, companion: OpenCompanion
) -> None:
    run = walk(engine, companion, "visit", "Monday", "no")
    assert run.ended
    assert events(session) == [
        ("viewed", "", 0),
        ("answered", "topic", 1),
        ("answered", "day", 2),
        ("answered", "more", 3),
        ("completed", "bye", 4),
    ]
    fact = session.scalars(select(RunFact)).one()
    assert sorted(fact.steps) == ["bye", "day", "more", "topic"]
    assert fact.started_at is not None
    assert fact.completed_at is not None
    stored = session.get_one(FlowRun, run.run_id)
    assert (stored.step, stored.revision) == ("bye", 3)
    assert stored.answers[1] == {"step": "day", "answer": "Monday"}


def test_what_visitors_write_is_not_in_the_ledger(
    engine: Engine, session: Session, companion: OpenCompanion
) -> None:
    walk(engine, companion, "visit", "a secret day")
    rows = session.execute(select(Event.props, Event.touched, Event.step)).all()
    assert "a secret day" not in repr(rows)


def test_the_ledger_knows_the_version_and_the_visitor(
    engine: Engine, session: Session, companion: OpenCompanion
) -> None:
    walk(engine, companion, "visit")
    rows = session.execute(select(Event.flow_version, Event.actor_key, Event.actor_kind, Event.source)).all()
    assert set(map(tuple, rows)) == {(1, VISITOR, "visitor", "runtime")}


def test_twenty_posts_of_one_revision_are_one_transition(
    engine: Engine, session: Session, companion: OpenCompanion
) -> None:
    run = opened(engine, companion)
    choices = ["visit", "other", "nothing"]
    results = at_once(lambda number: answered(engine, companion, run, choices[number % 3]))
    outcomes = Counter(outcome for outcome, _ in results)
    assert outcomes[Outcome.TAKEN] == 1
    winner = next(after for outcome, after in results if outcome is Outcome.TAKEN)
    assert {after.state for _, after in results} == {winner.state}
    same = sum(choices[number % 3] == winner.state.answers[0].answer for number in range(CROWD))
    assert outcomes[Outcome.REPEATED] == same - 1
    assert session.get_one(FlowRun, run.run_id).revision == 1
    assert session.scalar(select(func.count()).where(Event.kind == "answered")) == 1


def test_twenty_tabs_that_open_at_once_are_one_run(
    engine: Engine, session: Session, companion: OpenCompanion
) -> None:
    runs = at_once(lambda _: opened(engine, companion))
    assert len({run.run_id for run in runs}) == 1
    assert session.scalar(select(func.count()).select_from(FlowRun)) == 1
    assert session.scalar(select(func.count()).select_from(Event)) == 1


def test_twenty_visitors_at_once_do_not_wait_for_each_other(
    engine: Engine, session: Session, companion: OpenCompanion
) -> None:
    at_once(lambda number: walk(engine, companion, "visit", "Monday", "no", visitor=f"visitor-{number}"))
    facts = session.scalars(select(RunFact)).all()
    assert len(facts) == CROWD
    assert all(fact.completed_at is not None for fact in facts)


def test_twenty_restarts_at_once_are_one_new_run(
    engine: Engine, session: Session, companion: OpenCompanion
) -> None:
    run = walk(engine, companion, "visit")

    def restart(_: int) -> Run:
        with transaction(engine) as own:
            return start_again(own, companion=companion, visitor=VISITOR, run_id=run.run_id)

    assert len({new.run_id for new in at_once(restart)} - {run.run_id}) == 1
    assert session.scalar(select(func.count()).select_from(FlowRun)) == 2


def test_the_back_button_changes_nothing(engine: Engine, companion: OpenCompanion) -> None:
    first = opened(engine, companion)
    walk(engine, companion, "visit", "Monday")
    outcome, run = answered(engine, companion, first, "other")
    assert outcome is Outcome.STALE
    assert run.state.answers == (Answer("topic", "visit"), Answer("day", "Monday"))
    outcome, _ = answered(engine, companion, first, "visit")
    assert outcome is Outcome.REPEATED


def test_a_tab_left_behind_by_a_restart_does_not_answer_the_new_run(
    engine: Engine, session: Session, companion: OpenCompanion
) -> None:
    old = opened(engine, companion)
    _, stood = answered(engine, companion, old, "visit")
    with transaction(engine) as own:
        new = start_again(own, companion=companion, visitor=VISITOR, run_id=stood.run_id)
    outcome, run = answered(engine, companion, stood, "Monday")
    assert outcome is Outcome.STALE
    assert (run.run_id, run.state.revision) == (new.run_id, 0)
    left = session.get_one(FlowRun, old.run_id)
    assert left.ended_at is not None
    assert left.completed_at is None


def test_an_untouched_run_is_not_left_for_a_new_one(engine: Engine, companion: OpenCompanion) -> None:
    run = opened(engine, companion)
    with transaction(engine) as own:
        assert start_again(own, companion=companion, visitor=VISITOR, run_id=run.run_id).run_id == run.run_id


def test_a_refused_answer_leaves_the_run_as_it_was(
    engine: Engine, session: Session, companion: OpenCompanion
) -> None:
    run = walk(engine, companion, "visit")
    with pytest.raises(InvalidInput):
        answered(engine, companion, run, " ")
    assert opened(engine, companion).state == run.state
    assert session.scalar(select(func.count()).select_from(Event)) == 2


def test_nothing_follows_the_end(engine: Engine, companion: OpenCompanion) -> None:
    run = walk(engine, companion, "nothing")
    with pytest.raises(Conflict):
        answered(engine, companion, run, "visit")


def test_a_foreign_run_can_not_be_answered(
    engine: Engine, session: Session, companion: OpenCompanion
) -> None:
    run = opened(engine, companion)
    outcome, theirs = answered(engine, companion, run, "visit", visitor="somebody-else")
    assert outcome is Outcome.STALE
    assert theirs.run_id != run.run_id
    assert session.get_one(FlowRun, run.run_id).revision == 0


def test_a_run_keeps_the_version_that_it_began_on(
    engine: Engine, session: Session, companion: OpenCompanion, publish_flow: Publish
) -> None:
    run = walk(engine, companion, "visit")
    changed = booking()
    changed["steps"][2]["text"] = "At which hour?"
    publish_flow(changed)
    newer = find_open(session, SLUG)
    assert newer.version == 2
    resumed = opened(engine, newer)
    assert (resumed.run_id, resumed.version) == (run.run_id, 1)
    assert resumed.flow.step("day").text == "Which day?"
    assert opened(engine, newer, visitor="later").flow.step("day").text == "At which hour?"
    outcome, _ = answered(engine, newer, resumed, "Monday")
    assert outcome is Outcome.TAKEN


def test_a_rolled_back_version_is_what_new_visitors_get(
    session: Session, companion: OpenCompanion, publish_flow: Publish, owner: Principal
) -> None:
    changed = booking() | {"title": "Another title"}
    publish_flow(changed)
    assert roll_back(session, principal=owner, companion_id=companion.companion_id).number == 1
    assert find_open(session, SLUG).version == 1
    with pytest.raises(Conflict, match="is the first"):
        roll_back(session, principal=owner, companion_id=companion.companion_id)


def test_a_flow_of_words_only_is_viewed_and_never_completed(
    engine: Engine, session: Session, publish_flow: Publish
) -> None:
    publish_flow({"title": "Closed", "steps": [{"name": "z", "kind": "end", "text": "We are closed."}]})
    run = opened(engine, find_open(session, SLUG))
    assert run.ended
    assert events(session) == [("viewed", "", 0)]


def test_a_visitor_is_another_in_every_workspace(companion: OpenCompanion) -> None:
    here = visitor_key(companion.workspace_id, "token")
    assert here == visitor_key(companion.workspace_id, "token")
    assert here != visitor_key(companion.companion_id, "token")
    assert "token" not in here
