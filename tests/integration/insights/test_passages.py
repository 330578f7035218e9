"""Ways between steps, times and runs of a step; versions compared: hand-computed, and against the truth."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pandas as pd
import pytest
from sqlalchemy.orm import Session

from leitstand.catalogue.companions import ensure_companion
from leitstand.companions import versions as flow_versions
from leitstand.companions.flow import parse_flow
from leitstand.db.ids import derived_uuid7
from leitstand.db.models import Workspace
from leitstand.events.ledger import IncomingEvent, Kind, record
from leitstand.identity.access import Principal
from leitstand.insights import passages, steps, versions
from leitstand.insights.scope import Scope, resolve
from tests.integration.insights.test_figures import rows_of
from tests.integration.insights.test_truth import truth, workspace_id  # noqa: F401 - fixtures
from tests.integration.insights.truth import Truth

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
# Each run: its version, and its steps with the minutes after noon at which it took them; `end` completes it.
RUNS: dict[str, tuple[int | None, list[tuple[str, int]]]] = {
    "a": (1, [("ask", 0), ("think", 2), ("end", 5)]),
    "b": (1, [("ask", 0), ("end", 4)]),
    "c": (2, [("ask", 0), ("think", 6), ("ask", 8), ("end", 9)]),
    "d": (2, [("ask", 0)]),
    "e": (None, [("think", 0), ("ask", 1)]),
}


@pytest.fixture
def companion_id(session: Session, workspace: Workspace) -> UUID:
    return ensure_companion(session, workspace_id=workspace.id, key="help", title="Help")


@pytest.fixture
def scope(session: Session, workspace: Workspace, companion_id: UUID) -> Scope:
    """The runs, one begun an hour after the other."""
    events = [
        _event(companion_id, run, version, step, NOON + timedelta(hours=hour, minutes=minute), place)
        for hour, (run, (version, taken)) in enumerate(RUNS.items())
        for place, (step, minute) in enumerate(taken)
    ]
    record(session, workspace_id=workspace.id, events=events)
    session.commit()
    return resolve(session, workspace_id=workspace.id, companion="help")


def _event(
    companion: UUID, run: str, version: int | None, step: str, at: datetime, seq: int
) -> IncomingEvent:
    kind: Kind = "completed" if step == "end" else "answered"
    key = derived_uuid7(at, f"{run}{step}{seq}".encode())
    return IncomingEvent(key, kind, companion, run, at, step, actor_key=run, seq=seq, flow_version=version)


def test_ways_go_by_when_a_run_first_reached_each_step(session: Session, scope: Scope) -> None:
    assert rows_of(passages.ways(session, scope)) == [
        ("ask", "think", 2), ("think", "end", 2), ("ask", "end", 1), ("think", "ask", 1),
    ]  # fmt: skip


def test_time_on_a_step_is_until_the_next_one(session: Session, scope: Scope) -> None:
    found = passages.times(session, scope).set_index("step")
    # ask: 2, 4 and 6 minutes; think: 3 (a), 3 (c, to the end, since it reached ask before) and 1 (e).
    assert dict(found["median"].dropna()) == {"ask": 240.0, "think": 180.0}
    assert found.loc["ask", "p95"] == pytest.approx(240 + 0.9 * 120)
    assert dict(found["went_on"]) == {"ask": 3, "think": 3, "end": 0}
    assert found.loc["end", "place"] == pytest.approx((3 + 2 + 3) / 3)


def test_the_runs_of_a_step_page_by_page(session: Session, scope: Scope) -> None:
    assert passages.count_at(session, scope, "think") == 3
    first = passages.runs_at(session, scope, "think", limit=2)
    assert list(first["run"]) == ["e", "c"]
    assert list(first["next_step"]) == ["ask", "end"]
    assert list(first["completed"]) == [False, True]
    assert first["reached"][1] == NOON + timedelta(hours=2, minutes=6)
    rest = passages.runs_at(session, scope, "think", limit=2, offset=2)
    assert (list(rest["run"]), list(rest["version"])) == (["a"], [1])
    last = passages.runs_at(session, scope, "end", limit=1)
    assert pd.isna(last["next_step"][0])
    assert pd.isna(last["next_at"][0])


def test_nothing_of_another_workspace_or_companion(session: Session, scope: Scope) -> None:
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.commit()
    for foreign in (replace(scope, workspace_id=other.id), replace(scope, among=())):
        assert passages.ways(session, foreign).empty
        assert passages.times(session, foreign).empty
        assert passages.runs_at(session, foreign, "ask", limit=9).empty
        assert versions.versions(session, foreign).empty
    assert passages.published_flow(session, replace(scope, workspace_id=other.id)) is None
    assert passages.end_steps(session, replace(scope, workspace_id=other.id)) == []


def test_versions_are_those_that_runs_began_on(session: Session, scope: Scope) -> None:
    found = versions.versions(session, scope)
    day = date(2026, 1, 5)
    assert rows_of(found[["version", "first_day", "last_day", "viewed", "started", "completed"]].astype(object)) == [
        (2, day, day, 2, 2, 1), (1, day, day, 2, 2, 2), (pd.NA, day, day, 1, 1, 0),
    ]  # fmt: skip
    assert list(found["rate"]) == [0.5, 1.0, 0.0]
    assert list(found["median"])[:2] == [540.0, 270.0]
    assert pd.isna(found["median"][2])
    assert not found["immature"].any()


def test_the_published_flow_is_found_and_its_steps_are_counted_in_its_order(
    session: Session, scope: Scope, companion_id: UUID, owner: Principal, make_flow: Callable[[], Any]
) -> None:
    assert passages.published_flow(session, scope) is None
    flow_versions.save_version(session, principal=owner, companion_id=companion_id, flow=make_flow())
    flow_versions.publish(session, principal=owner, companion_id=companion_id)
    found = passages.published_flow(session, scope)
    assert found is not None
    assert (found.number, found.flow.funnel) == (1, ["think", "ask", "end"])
    assert passages.end_steps(session, scope) == ["end"]
    assert rows_of(steps.reached(session, scope, [*found.flow.funnel, "never"])[["step", "reached", "dropped"]]) == [
        ("think", 3, 0), ("ask", 5, 2), ("end", 3, 3), ("never", 0, 0),
    ]  # fmt: skip


@pytest.fixture
def make_flow() -> Callable[[], Any]:
    """Makes a flow of two questions and an end."""
    return lambda: parse_flow(
        {
            "title": "Help",
            "steps": [
                {"kind": "question", "name": "think", "text": "?", "next": "ask"},
                {"kind": "question", "name": "ask", "text": "?", "next": "end"},
                {"kind": "end", "name": "end", "text": "."},
            ],
        }
    )


@pytest.mark.slow
def test_they_equal_the_truth(session: Session, truth: Truth, workspace_id: UUID) -> None:  # noqa: F811
    """Every run has one way less than steps; and each step's runs are those that the truth counts."""
    scope = resolve(session, workspace_id=workspace_id)
    versioned = versions.versions(session, scope)
    assert (versioned["version"].isna().all(), int(versioned["viewed"].sum())) == (
        True,
        truth.figures["sessions"],
    )
    for row in truth.figures.get("funnel") or []:
        assert passages.count_at(session, scope, row["step"]) == row["sessions_any_order"]
    reached = steps.reached(session, scope, steps.common_steps(session, scope, limit=500))
    if len(reached) < passages.MOST_STEPS:
        ways = passages.ways(session, scope)
        assert int(ways["runs"].sum()) == int(reached["reached"].sum()) - truth.figures["sessions"]
