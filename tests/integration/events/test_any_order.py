"""Events in any order, batches, repetition and interleaving give the facts of the same events in order, once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.errors import DeadlockDetected
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.catalogue.companions import ensure_companion
from leitstand.db.ids import derived_uuid7
from leitstand.db.models import Companion
from leitstand.db.models.base import new_id
from leitstand.events import facts, ledger
from leitstand.events.ledger import IncomingEvent, Verdict, record
from leitstand.identity.workspaces import ensure_workspace
from tests.examples import EXAMPLES

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
# Minutes from now: moments apart, quarters of an hour apart, late by a month and by more than a year, in the future.
MINUTES = (0, 0, -1, -14, -15, -61, -60 * 24 * 31, -60 * 24 * 400, 5, 60 * 24 * 3)
# What may differ between a workspace and its copy, or is only a note of when something was written.
OWN = {"workspace_id", "companion_id", "log_id", "changed"}
KEYS = ("alone", "first of a log", "second of a log")
Fact = tuple[object, ...]


class Clock(datetime):
    """The ledger's clock stands still, so that a future time is set back to the same moment whenever it is sent."""

    @classmethod
    def now(cls, tz: Any = None) -> "Clock":
        return cls.fromtimestamp(NOW.timestamp(), tz)


class Place:
    """A workspace with three companions, two of them of one log."""

    def __init__(self, session: Session, slug: str) -> None:
        self.workspace_id = ensure_workspace(session, slug=slug).id
        self.companions = {
            key: ensure_companion(session, workspace_id=self.workspace_id, key=key) for key in KEYS
        }
        log_id = new_id()
        for key, companion_id in self.companions.items():
            companion = session.get_one(Companion, companion_id)
            companion.end_steps = ["done"]
            companion.log_id = log_id if key.endswith("log") else None
        self.logs = {log_id, self.companions["alone"]}
        session.commit()


@pytest.fixture
def places(session: Session, monkeypatch: pytest.MonkeyPatch) -> tuple[Place, Place]:
    """The workspace that gets the events in any way, and the one that gets them in order."""
    monkeypatch.setattr(ledger, "datetime", Clock)
    return Place(session, "any"), Place(session, "ordered")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def facts_of(session: Session, place: Place) -> dict[str, list[Fact]]:
    """Every column of the facts but those of `OWN`, under the companions' names."""
    found = {}
    for table in ("run_fact", "actor_bucket"):
        named = "SELECT column_name FROM information_schema.columns WHERE table_name = :table ORDER BY 1"
        columns = [
            name for name in session.execute(text(named), {"table": table}).scalars() if name not in OWN
        ]
        listed = ", ".join(f'f."{name}"' for name in columns)
        query = (
            f"SELECT i.external_key, {listed} FROM {table} AS f JOIN item AS i ON i.id = f.companion_id"
            " WHERE f.workspace_id = :workspace"
        )
        rows = session.execute(text(query), {"workspace": place.workspace_id})
        found[table] = sorted((tuple(row) for row in rows), key=repr)
    session.rollback()
    return found


def event(place: Place, sent: dict[str, Any]) -> IncomingEvent:
    """The event of a drawn one; `name` decides its id, so that the same name with another content is a conflict."""
    values = dict(sent)
    at = NOW + timedelta(minutes=values.pop("minutes"))
    named = NOW + timedelta(minutes=MINUTES[values["name"] % len(MINUTES)])
    return IncomingEvent(
        event_id=derived_uuid7(named, str(values.pop("name")).encode()),
        companion_id=place.companions[values.pop("companion")],
        occurred_at=at,
        **values,
    )


def send(engine: Engine, place: Place, batches: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Send batch after batch on a connection of its own; those that were accepted."""
    accepted = []
    with Session(engine) as session:
        for batch in batches:
            events = [event(place, sent) for sent in batch]
            outcomes = _recorded(session, place, events)
            verdicts = [outcome.verdict for outcome in outcomes]
            accepted += [
                sent for sent, verdict in zip(batch, verdicts, strict=True) if verdict is Verdict.ACCEPTED
            ]
    return accepted


def _recorded(session: Session, place: Place, events: list[IncomingEvent]) -> list[ledger.Outcome]:
    while True:
        try:
            outcomes = record(session, workspace_id=place.workspace_id, events=events)
            session.commit()
        except DeadlockDetected:
            session.rollback()
        else:
            return outcomes


SENT = st.fixed_dictionaries(
    {
        "name": st.integers(0, 40),
        "companion": st.sampled_from(KEYS),
        "run_key": st.sampled_from(["r", "s"]),
        "step": st.sampled_from(["ask", "tell", "done", ""]),
        "minutes": st.sampled_from(MINUTES),
        "kind": st.sampled_from(["viewed", "answered", "answered", "completed"]),
        "actor_key": st.sampled_from(["ann", "bob", None]),
        "seq": st.sampled_from([None, 0, 1, 2]),
        "flow_version": st.sampled_from([None, 1, 2]),
        "is_test": st.sampled_from([False, False, False, True]),
        "actor_kind": st.sampled_from(["visitor", "visitor", "member", "bot"]),
    }
)


def cut(draw: st.DataObject, events: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The events in batches of any size."""
    batches = []
    while events:
        size = draw.draw(st.integers(1, len(events)))
        batches.append(events[:size])
        events = events[size:]
    return batches


@pytest.mark.slow
@pytest.mark.thorough
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), sent=st.lists(SENT, max_size=20))
def test_any_way_of_sending_gives_the_facts_of_the_events_in_order_once(
    engine: Engine,
    session: Session,
    places: tuple[Place, Place],
    pool: ThreadPoolExecutor,
    data: st.DataObject,
    sent: list[dict[str, Any]],
) -> None:
    anyhow, ordered = places
    session.execute(text("DELETE FROM event; DELETE FROM run_fact; DELETE FROM actor_bucket"))
    session.commit()
    repeated = data.draw(st.lists(st.sampled_from(sent), max_size=10)) if sent else []
    order = data.draw(st.permutations(sent + repeated))
    split = data.draw(st.integers(0, len(order)))
    both = [cut(data, order[:split]), cut(data, order[split:])]
    lists = list(pool.map(lambda batches: send(engine, anyhow, batches), both))
    accepted = [one for part in lists for one in part]
    # Of each id exactly one content was taken, whichever came first; all others were refused or known.
    names = [one["name"] for one in accepted]
    assert sorted(names) == sorted({one["name"] for one in sent})
    in_order = sorted(accepted, key=lambda one: (one["minutes"], one["name"]))
    assert send(engine, ordered, [in_order]) == in_order
    merged = facts_of(session, anyhow)
    assert merged == facts_of(session, ordered)
    rebuild(session, anyhow.workspace_id, anyhow.logs)
    assert facts_of(session, anyhow) == merged


def rebuild(session: Session, workspace_id: UUID, logs: set[UUID]) -> None:
    """Compute the facts of these logs afresh."""
    for log_id in logs:
        facts.rebuild(session, workspace_id=workspace_id, log_id=log_id)
    session.commit()
