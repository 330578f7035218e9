"""New and returning: hand-computed, and equal to the truth of every event log."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy.orm import Session

from leitstand.insights import activity, newcomers, retention
from leitstand.insights.newcomers import Newcomers
from leitstand.insights.scope import Scope, resolve
from tests.integration.events.support import event
from tests.integration.insights.test_figures import Give, give, rows_of  # noqa: F401 - a fixture
from tests.integration.insights.test_truth import truth, workspace_id  # noqa: F401 - fixtures
from tests.integration.insights.truth import Truth


@pytest.fixture
def scope(give: Give) -> Scope:  # noqa: F811
    """Ann from Mon 5 Jan on, Bob once on Wed 7, Cy first on Tue 13; Dee without a name is nobody."""
    visits = [
        ("ann", "05", "a"), ("ann", "06", "a"), ("bob", "07", "a"), ("ann", "13", "b"), ("cy", "13", "b"),
        ("cy", "14", "b"), ("", "14", "b"),
    ]  # fmt: skip
    rows = [
        event(f"s{at}", at=f"2026-01-{day}T10:00:00Z", actor_id=actor, flow_id=flow)
        for at, (actor, day, flow) in enumerate(visits)
    ]
    return give(*rows)


def test_each_day_has_its_new_and_its_returning_people(session: Session, scope: Scope) -> None:
    assert rows_of(newcomers.by_period(session, scope)) == [
        (date(2026, 1, 5), 1, 0), (date(2026, 1, 6), 0, 1), (date(2026, 1, 7), 1, 0), (date(2026, 1, 13), 1, 1),
        (date(2026, 1, 14), 0, 1),
    ]  # fmt: skip


def test_in_a_week_everybody_counts_once(session: Session, scope: Scope) -> None:
    weeks = rows_of(newcomers.by_period(session, scope, period="week"))
    assert weeks == [(date(2026, 1, 5), 2, 0), (date(2026, 1, 12), 1, 1)]
    assert rows_of(newcomers.by_period(session, scope, period="month")) == [(date(2026, 1, 1), 3, 0)]


def test_who_was_seen_before_the_range_returns(session: Session, scope: Scope) -> None:
    late = replace(scope, start=date(2026, 1, 6))
    assert newcomers.newcomers(session, late) == Newcomers(2, 1)
    assert newcomers.newcomers(session, replace(scope, end=date(2026, 1, 6))) == Newcomers(1, 0)
    # A week of which only the end lies in the range: Ann is there on Tuesday, and was seen on Monday.
    assert rows_of(newcomers.by_period(session, late, period="week"))[0] == (date(2026, 1, 5), 1, 1)
    wednesday = replace(scope, start=date(2026, 1, 7), end=date(2026, 1, 8))
    assert rows_of(newcomers.by_period(session, wednesday, period="week")) == [(date(2026, 1, 5), 1, 0)]


def test_a_companion_has_newcomers_of_its_own(session: Session, scope: Scope) -> None:
    second = replace(scope, start=date(2026, 1, 12))
    found = rows_of(newcomers.by_companion(session, second).drop(columns="companion_id"))
    assert found == [("b", 2, 2, 0)]
    whole = rows_of(newcomers.by_companion(session, scope).drop(columns="companion_id"))
    assert whole == [("a", 2, 2, 0), ("b", 2, 2, 0)]
    assert newcomers.newcomers(session, second) == Newcomers(1, 1)


def test_only_the_companions_of_a_tag(session: Session, scope: Scope) -> None:
    found = newcomers.by_companion(session, scope)
    ids = dict(zip(found["companion"], found["companion_id"], strict=True))
    tagged = replace(scope, among=(ids["b"],))
    assert newcomers.newcomers(session, tagged) == Newcomers(2, 0)
    assert activity.active_users(session, tagged) == 2
    assert newcomers.newcomers(session, replace(scope, among=())) == Newcomers(0, 0)


@pytest.mark.slow
def test_they_equal_the_truth(session: Session, truth: Truth, workspace_id: Any) -> None:  # noqa: F811
    scope = resolve(session, workspace_id=workspace_id)
    whole = newcomers.newcomers(session, scope)
    assert (whole.new, whole.returning) == (truth.figures["actors"], 0)
    days = {row["local_day"]: int(row["dau"]) for row in truth.series("rolling_local") if int(row["dau"])}
    ours = newcomers.by_period(session, scope)
    assert {
        day.isoformat(): int(total)
        for day, total in zip(ours["at"], ours["new"] + ours["returning"], strict=True)
    } == days
    assert int(ours["new"].sum()) == truth.figures["actors"]
    weeks = newcomers.by_period(session, scope, period="week")
    cohorts = retention.retention(session, scope)
    begun = cohorts[cohorts["weeks_later"] == 0]
    new = weeks[weeks["new"] > 0]
    assert dict(zip(new["at"], new["new"], strict=True)) == dict(
        zip(begun["cohort"], begun["actors"], strict=True)
    )
