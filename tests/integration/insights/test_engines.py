"""The columnar copy answers every question exactly as the facts do, whatever happens between and around the copies."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as configured
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.db.ids import derived_uuid7
from leitstand.db.models import Workspace
from leitstand.events.ledger import IncomingEvent, record
from leitstand.insights.copy.copier import Copied, copy_facts
from leitstand.insights.scope import Scope
from leitstand.settings import Settings
from tests.examples import EXAMPLES
from tests.integration.insights.engines import QUESTIONS, differing

# Across a change of the clocks in Berlin, New York and Lord Howe, a month's and a year's end.
STARTS = [
    datetime(2026, 3, 29, 0, 45, tzinfo=UTC),
    datetime(2026, 3, 8, 6, 50, tzinfo=UTC),
    datetime(2026, 4, 4, 14, 50, tzinfo=UTC),
    datetime(2025, 12, 31, 23, 40, tzinfo=UTC),
    datetime(2026, 2, 27, 22, 0, tzinfo=UTC),
]
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/Los_Angeles",
]


Copy = Callable[..., list[Copied]]


@pytest.fixture
def copy(engine: Engine, settings: Settings, workspace: Workspace, companions: list[UUID]) -> Copy:
    """Copy the workspace's facts; they have been copied once."""

    def copy(**more: Any) -> list[Copied]:
        return copy_facts(engine, settings, workspace=workspace.slug, **more)

    copy()
    return copy


EVENT = st.fixed_dictionaries(
    {
        "minutes": st.integers(0, 60) | st.integers(0, 3_000),
        "micros": st.sampled_from([0, 1, 333_333]),
        "companion": st.integers(0, 2),
        "run_key": st.sampled_from(["a", "b", "c", "d", "e"]),
        "step": st.sampled_from(["ask", "tell", "Émile", "done", "", 'a "b", \\{c}\n']),
        "kind": st.sampled_from(["viewed", "answered", "answered", "completed"]),
        "actor_key": st.sampled_from(["ann", "bob", "Zed", "émile", None]),
        "flow_version": st.sampled_from([None, 1, 2]),
    }
)
SCOPE = st.fixed_dictionaries(
    {
        "companion": st.sampled_from([None, None, 0, 1, 2]),
        "before": st.integers(-3, 40),
        "days": st.integers(1, 60),
        "zone": st.sampled_from(ZONES),
    }
)


def made(values: dict[str, Any], start: datetime, companions: list[UUID]) -> IncomingEvent:
    given = dict(values)
    at = start + timedelta(minutes=given.pop("minutes"), microseconds=given.pop("micros"))
    return IncomingEvent(
        event_id=derived_uuid7(at, repr(values).encode()),
        occurred_at=at,
        companion_id=companions[given.pop("companion")],
        **given,
    )


# Settings, engine and workspace are made once: an example begins by emptying what the one before left.
@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.timeout(900)
@configured(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), batches=st.lists(st.lists(EVENT, min_size=1, max_size=12), min_size=1, max_size=4))
def test_both_engines_agree_on_everything_after_any_events_and_copies(
    session: Session,
    settings: Settings,
    workspace: Workspace,
    companions: list[UUID],
    copy: Copy,
    data: st.DataObject,
    batches: list[list[dict[str, Any]]],
) -> None:
    session.execute(text("DELETE FROM event; DELETE FROM run_fact; DELETE FROM actor_bucket"))
    session.commit()
    start = data.draw(st.sampled_from(STARTS), "start")
    for batch in batches:
        events = [made(values, start, companions) for values in batch]
        record(session, workspace_id=workspace.id, events=events)
        session.commit()
        if data.draw(st.sampled_from([False, True, False]), "copied"):
            copy()
    asked = data.draw(SCOPE, "scope")
    companion = None if asked["companion"] is None else companions[asked["companion"]]
    begin = start.date() - timedelta(days=asked["before"])
    scope = Scope(workspace.id, companion, begin, begin + timedelta(days=asked["days"]), asked["zone"])
    questions = data.draw(
        st.lists(st.sampled_from(list(QUESTIONS)), min_size=6, max_size=9, unique=True), "questions"
    )
    assert differing(session, settings, scope, questions) == {}
