"""The ledger: every event once, an answer for each, and facts that do not depend on order."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from leitstand.catalogue.companions import ensure_companion
from leitstand.db.ids import derived_uuid7
from leitstand.db.models import Companion, Event, EventRefusal, RunFact, Workspace
from leitstand.events import facts
from leitstand.events.ledger import IncomingEvent, Outcome, Verdict, record
from leitstand.identity.workspaces import ensure_workspace
from tests.integration.events.support import facts_of

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
Make = Callable[..., IncomingEvent]


@pytest.fixture
def companion(session: Session, workspace: Workspace) -> UUID:
    made = ensure_companion(session, workspace_id=workspace.id, key="helper")
    session.get_one(Companion, made).end_steps = ["done"]
    session.commit()
    return made


@pytest.fixture
def make(companion: UUID) -> Make:
    def make(run: str = "r", step: str = "ask", minute: float = 0, **more: Any) -> IncomingEvent:
        at = AT + timedelta(minutes=minute)
        content = repr((run, step, minute, sorted(more.items()))).encode()
        given = {
            "event_id": derived_uuid7(at, content),
            "kind": "answered",
            "companion_id": companion,
            "run_key": run,
        }
        return IncomingEvent(**(given | {"occurred_at": at, "step": step, "actor_key": "ann"} | more))

    return make


def send(session: Session, workspace: Workspace, *events: IncomingEvent, **more: Any) -> list[str]:
    outcomes = record(session, workspace_id=workspace.id, events=events, **more)
    session.commit()
    return [outcome.verdict for outcome in outcomes]


def test_an_event_is_taken_once_and_an_altered_one_is_refused(
    session: Session, workspace: Workspace, make: Make
) -> None:
    event = make()
    altered = make(event_id=event.event_id, step="other")
    assert send(session, workspace, event) == ["accepted"]
    assert send(session, workspace, event, altered) == ["duplicate", "refused"]
    assert session.execute(select(Event.step)).scalars().all() == ["ask"]
    assert session.execute(select(EventRefusal.reason)).scalars().all() == ["another event has this event_id"]


def test_one_batch_may_repeat_and_contradict_itself(
    session: Session, workspace: Workspace, make: Make
) -> None:
    event = make()
    altered = make(event_id=event.event_id, step="other")
    assert send(session, workspace, event, altered, event, make("q")) == [
        "accepted",
        "refused",
        "duplicate",
        "accepted",
    ]


def test_facts_are_there_in_the_same_transaction(session: Session, workspace: Workspace, make: Make) -> None:
    record(session, workspace_id=workspace.id, events=[make()])
    counted = text("SELECT count(*) FROM run_fact")
    assert session.execute(counted).scalar() == 1
    session.rollback()
    assert session.execute(counted).scalar() == 0
    assert session.execute(text("SELECT count(*) FROM event")).scalar() == 0


def test_a_view_opens_an_answer_starts_and_an_end_step_completes(
    engine: Engine, session: Session, workspace: Workspace, make: Make
) -> None:
    send(session, workspace, make("seen", "", kind="viewed"))
    send(session, workspace, make("tried", "", kind="viewed"), make("tried", "ask", 1))
    send(session, workspace, make("ended", "ask"), make("ended", "done", 2))
    send(session, workspace, make("told", "ask"), make("told", "anything", 3, kind="completed"))
    send(session, workspace, make("shown", "done", kind="viewed"))
    stages = {run[1]: tuple(bool(at) for at in run[5:8]) for run in facts_of(engine, workspace.id)["runs"]}
    assert stages == {
        "seen": (True, False, False),
        "tried": (True, True, False),
        "ended": (False, True, True),
        "told": (False, True, True),
        "shown": (True, False, False),
    }


@pytest.mark.parametrize("more", [{"is_test": True}, {"actor_kind": "bot"}, {"actor_kind": "preview"}])
def test_bots_tests_and_previews_are_kept_and_count_nowhere(
    engine: Engine, session: Session, workspace: Workspace, make: Make, more: dict[str, Any]
) -> None:
    assert send(session, workspace, make(**more)) == ["accepted"]
    assert facts_of(engine, workspace.id) == {"runs": [], "buckets": []}


def test_a_future_time_is_set_back_and_noted(session: Session, workspace: Workspace, make: Make) -> None:
    claimed = datetime.now(UTC) + timedelta(days=400)
    event = make(occurred_at=claimed, event_id=derived_uuid7(claimed, b"x"))
    assert send(session, workspace, event, event) == ["accepted", "duplicate"]
    stored = session.execute(select(Event)).scalar_one()
    assert stored.occurred_at == stored.received_at
    assert datetime.fromisoformat(stored.props["occurred_at_claimed"]) == claimed


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"event_id": uuid4()}, "not a UUIDv7"),
        ({"event_id": derived_uuid7(datetime(2500, 1, 1, tzinfo=UTC), b"x")}, "not of a time between"),
        ({"occurred_at": datetime(2026, 1, 1)}, "has no zone"),
        ({"occurred_at": datetime(1960, 1, 1, tzinfo=UTC)}, "not of a time between"),
        ({"companion_id": uuid4()}, "no such companion"),
        ({"run": ""}, "run_key is empty"),
        ({"run": "x" * 501}, "longer than 500"),
        ({"actor_key": "x" * 501}, "longer than 500"),
        ({"props": {"a": "b\0"}}, "NUL"),
        ({"props": {"a": object()}}, "not JSON"),
    ],
)
def test_what_cannot_be_taken_is_refused_and_kept_and_the_rest_is_taken(
    session: Session, workspace: Workspace, make: Make, more: dict[str, Any], reason: str
) -> None:
    outcomes = record(session, workspace_id=workspace.id, events=[make(**more), make("good")])
    session.commit()
    assert [outcome.verdict for outcome in outcomes] == [Verdict.REFUSED, Verdict.ACCEPTED]
    assert reason in outcomes[0].reason
    assert session.execute(select(EventRefusal.reason)).scalar_one() == outcomes[0].reason


def test_an_old_event_needs_a_source_that_is_known(
    session: Session, workspace: Workspace, make: Make
) -> None:
    old, new = make(), make(occurred_at=datetime.now(UTC) - timedelta(hours=23))
    assert send(session, workspace, old, new, trusted=False) == ["refused", "accepted"]
    assert send(session, workspace, old) == ["accepted"]


def test_a_companion_of_another_workspace_is_none(session: Session, workspace: Workspace, make: Make) -> None:
    other = ensure_workspace(session, slug="other")
    (outcome,) = record(session, workspace_id=other.id, events=[make()])
    assert outcome == Outcome(make().event_id, Verdict.REFUSED, "the workspace has no such companion")


def run_of(session: Session, run: str = "r") -> RunFact:
    return session.scalars(
        select(RunFact).where(RunFact.run_key == run).execution_options(populate_existing=True)
    ).one()


def test_a_run_knows_when_each_step_was_first_reached_whatever_comes_late(
    session: Session, workspace: Workspace, make: Make
) -> None:
    send(
        session,
        workspace,
        make(step="tell", minute=5),
        make(step="ask", minute=1),
        make(step="ask", minute=9),
    )
    assert dict(zip(run_of(session).steps, run_of(session).step_at, strict=True)) == {
        "ask": AT + timedelta(minutes=1),
        "tell": AT + timedelta(minutes=5),
    }
    send(session, workspace, make(step="tell", minute=2), make(step="ask", minute=11))
    send(session, workspace, make(step="act", minute=12))
    assert run_of(session).steps == ["act", "ask", "tell"]
    assert run_of(session).step_at == [AT + timedelta(minutes=minute) for minute in (12, 1, 2)]


def test_a_run_belongs_to_the_version_of_its_first_event(
    session: Session, workspace: Workspace, make: Make
) -> None:
    send(session, workspace, make(minute=5, flow_version=3))
    assert run_of(session).flow_version == 3
    send(session, workspace, make(minute=1, flow_version=2), make(minute=8, flow_version=4))
    assert run_of(session).flow_version == 2
    send(session, workspace, make(minute=0))
    assert run_of(session).flow_version is None
    send(session, workspace, make(minute=0, flow_version=1))
    assert run_of(session).flow_version == 1


def test_a_run_of_very_many_steps_keeps_the_same_first_ones_in_any_order(
    engine: Engine, session: Session, workspace: Workspace, companion: UUID, make: Make
) -> None:
    events = [make(step=f"{place:04}", minute=place / 100) for place in range(1_010)]
    send(session, workspace, *events[500:])
    send(session, workspace, *events[:500])
    run = run_of(session)
    assert (len(run.steps), len(run.step_at), run.steps[-1]) == (1_000, 1_000, "0999")
    merged = facts_of(engine, workspace.id)
    facts.rebuild(session, workspace_id=workspace.id, log_id=companion)
    session.commit()
    assert facts_of(engine, workspace.id) == merged


SENT = st.fixed_dictionaries(
    {
        "run": st.sampled_from(["r", "s"]),
        "step": st.sampled_from(["ask", "tell", "done", ""]),
        "minute": st.sampled_from([0, 0, 3, 14, 15, 61]),
        "kind": st.sampled_from(["viewed", "answered", "answered", "completed"]),
        "actor_key": st.sampled_from(["ann", "bob", None]),
        "seq": st.sampled_from([None, 0, 1, 2]),
        "flow_version": st.sampled_from([None, 1, 2]),
        "is_test": st.sampled_from([False, False, False, True]),
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), sent=st.lists(SENT, max_size=25))
def test_any_order_repetition_and_batching_gives_the_facts_of_a_rebuild(
    engine: Engine,
    session: Session,
    workspace: Workspace,
    companion: UUID,
    make: Make,
    data: st.DataObject,
    sent: list[dict[str, Any]],
) -> None:
    session.execute(text("DELETE FROM event; DELETE FROM run_fact; DELETE FROM actor_bucket"))
    session.commit()
    events = [make(**values) for values in sent]
    repeated = data.draw(st.lists(st.sampled_from(events), max_size=10)) if events else []
    order = data.draw(st.permutations(events + repeated))
    while order:
        size = data.draw(st.integers(1, len(order)))
        send(session, workspace, *order[:size])
        order = order[size:]
    merged = facts_of(engine, workspace.id)
    facts.rebuild(session, workspace_id=workspace.id, log_id=companion)
    session.commit()
    assert facts_of(engine, workspace.id) == merged
    counted = {event.event_id for event in events if not event.is_test}
    assert sum(bucket[5] for bucket in merged["buckets"]) == len(counted)
