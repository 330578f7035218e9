"""What the carried logs don't show: clocks that change, weeks that run, owners, weights, order and errors."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from leitstand.catalogue.companions import ensure_companion
from leitstand.db.ids import derived_uuid7
from leitstand.db.models import Companion, Item, Person, Workspace
from leitstand.errors import InvalidInput, NotFound
from leitstand.events.ledger import IncomingEvent, record
from leitstand.insights import (
    activity,
    companions,
    completion,
    popularity,
    report,
    retention,
    sessions,
    steps,
    traffic,
)
from leitstand.insights.scope import Scope, resolve
from tests.integration.events.support import event, imported, write_csv

Give = Callable[..., Scope]


@pytest.fixture
def give(engine: Engine, session: Session, workspace: Workspace, tmp_path: Path) -> Give:
    """Import events and give the scope of all there is."""
    numbers = iter(range(1_000))

    def give(*rows: dict[str, str], zone: str = "UTC", **options: Any) -> Scope:
        imported(engine, workspace.id, write_csv(tmp_path / f"{next(numbers)}.csv", rows), **options)
        return resolve(session, workspace_id=workspace.id, zone=zone)

    return give


def rows_of(frame: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in frame.itertuples(index=False)]


def test_the_hour_that_the_clock_repeats_is_two_and_its_day_one(session: Session, give: Give) -> None:
    hours = [
        event(str(hour), at=f"2026-10-{24 + (22 + hour) // 24}T{(22 + hour) % 24:02}:30:00Z")
        for hour in range(26)
    ]
    scope = give(*hours, zone="Europe/Berlin")
    assert rows_of(traffic.traffic(session, scope)) == [
        (date(2026, 10, 25), 25, 25, 0),
        (date(2026, 10, 26), 1, 1, 0),
    ]
    assert rows_of(traffic.events_by(session, scope)) == [(date(2026, 10, 25), 25), (date(2026, 10, 26), 1)]
    assert len(traffic.events_by(session, scope, bucket="hour")) == 26


def test_a_day_belongs_to_its_zone(session: Session, give: Give) -> None:
    scope = give(event(at="2026-03-01T23:30:00-05:00"), zone="America/New_York")
    assert (scope.start, scope.end) == (date(2026, 3, 1), date(2026, 3, 2))
    assert activity.active_users(session, replace(scope, zone="Asia/Kathmandu")) == 0
    kathmandu = resolve(session, workspace_id=scope.workspace_id, zone="Asia/Kathmandu")
    assert kathmandu.start == date(2026, 3, 2)
    assert rows_of(activity.by_day(session, kathmandu)) == [(date(2026, 3, 2), 1, 1, 1)]


def test_ranges_leave_out_their_last_day(session: Session, give: Give) -> None:
    whole = give(event("a", at="2026-01-31T23:59:59.999Z"), event("b", at="2026-02-01T00:00:00Z"))
    february = replace(whole, start=date(2026, 2, 1), end=date(2026, 2, 2))
    january = replace(whole, start=date(2026, 1, 1), end=date(2026, 2, 1))
    assert [traffic.events(session, scope) for scope in (whole, january, february)] == [2, 1, 1]
    assert traffic.totals(session, january) == traffic.Totals(1, 1, 0)


def test_windows_reach_back_before_the_range(session: Session, give: Give) -> None:
    days = {"ann": (1, 2, 9), "bob": (3,), "": (4,)}
    whole = give(
        *(
            event(f"{who}{day}", at=f"2026-01-{day:02}T12:00:00Z", actor_id=who)
            for who, seen in days.items()
            for day in seen
        )
    )
    scope = replace(whole, start=date(2026, 1, 8), end=date(2026, 1, 11))
    assert rows_of(activity.by_day(session, scope)) == [
        (date(2026, 1, 8), 0, 2, 2),
        (date(2026, 1, 9), 1, 2, 2),
        (date(2026, 1, 10), 0, 1, 2),
    ]


def test_someone_counts_for_thirty_days_and_no_longer(session: Session, give: Give) -> None:
    scope = give(event("a", at="2026-01-01T00:00:00Z"), event("b", at="2026-02-15T00:00:00Z", actor_id="bob"))
    monthly = activity.by_day(session, scope).set_index("day")["mau"]
    assert (monthly[date(2026, 1, 30)], monthly[date(2026, 1, 31)]) == (1, 0)


def test_days_without_runs_have_rows_where_they_are_asked_for(session: Session, give: Give) -> None:
    scope = give(event("a", at="2026-01-01T00:00:00Z"), event("b", at="2026-01-03T00:00:00Z"))
    assert [row[:2] for row in rows_of(traffic.traffic(session, scope, dense=True))] == [
        (date(2026, 1, 1), 1), (date(2026, 1, 2), 0), (date(2026, 1, 3), 1),
    ]  # fmt: skip
    assert rows_of(traffic.traffic(session, scope, bucket="month")) == [(date(2026, 1, 1), 2, 2, 0)]


def test_a_session_ends_after_more_than_thirty_minutes(session: Session, give: Give) -> None:
    times = ["00:14:59", "00:44:59", "01:15:00", "01:15:00.5", "01:45:00.6"]
    scope = give(*(event(at=f"2026-01-02T{time}Z", seq=str(place)) for place, time in enumerate(times)))
    assert sessions.sessions(session, scope) == 3
    assert rows_of(sessions.by_day(session, scope)) == [(date(2026, 1, 2), 3)]


def test_a_session_over_midnight_counts_on_the_day_it_began(session: Session, give: Give) -> None:
    whole = give(event(at="2026-01-01T23:50:00Z"), event(at="2026-01-02T00:10:00Z"))
    second = replace(whole, start=date(2026, 1, 2))
    assert (sessions.sessions(session, whole), sessions.sessions(session, second)) == (1, 0)


def test_sessions_are_of_one_actor_on_one_companion(session: Session, give: Give) -> None:
    at = "2026-01-01T00:00:00Z"
    scope = give(
        event("1", at=at),
        event("2", at=at, actor_id="bob"),
        event("3", at=at, flow_id="other"),
        event("4", at=at, actor_id=""),
    )
    assert sessions.sessions(session, scope) == 3


def test_durations_and_rates_are_of_the_runs_that_began_in_the_range(session: Session, give: Give) -> None:
    def run(name: str, day: int, seconds: int) -> list[dict[str, str]]:
        return [
            event(name, "ask", f"2026-01-{day:02}T00:00:00Z"),
            event(name, "done", f"2026-01-{day:02}T00:00:{seconds:02}Z"),
        ]

    whole = give(
        *run("a", 1, 10),
        *run("b", 1, 20),
        *run("c", 2, 50),
        event("d", "ask", "2026-01-01T10:00:00Z"),
        complete=["done"],
    )
    first = completion.completion(session, replace(whole, end=date(2026, 1, 2)))
    assert (first.started, first.completed, first.median, first.p95, first.immature) == (
        3,
        2,
        15.0,
        19.5,
        False,
    )
    assert first.rate == pytest.approx(2 / 3)
    assert [(row[1], row[2], row[4]) for row in rows_of(completion.by_day(session, whole))] == [
        (3, 2, False),
        (1, 1, False),
    ]


def test_a_cohort_with_runs_that_may_still_be_going_is_immature(session: Session, give: Give) -> None:
    recently = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    scope = give(event("old", at="2026-01-01T00:00:00Z"), event("new", at=recently))
    assert completion.completion(session, scope).immature
    assert [row[4] for row in rows_of(completion.by_day(session, scope))] == [False, True]


def test_drop_off_counts_a_run_once_whatever_its_order(session: Session, give: Give) -> None:
    taken = {"a": "open ask open ask", "b": "done open", "c": "ask", "d": "other"}
    rows = [
        event(run, step, f"2026-01-01T00:00:{place:02}Z")
        for run, path in taken.items()
        for place, step in enumerate(path.split())
    ]
    scope = give(*rows, steps=["open", "ask", "done"])
    expected = [("open", 2, 0, 0.0), ("ask", 2, 2, 1.0), ("done", 1, 1, 1.0)]
    assert rows_of(steps.steps(session, scope)) == expected
    assert rows_of(steps.steps(session, scope, ["done", "open"])) == [
        ("done", 1, 0, 0.0),
        ("open", 2, 2, 1.0),
    ]
    later = report.build(
        session, replace(scope, start=date(2026, 1, 2), end=date(2026, 1, 3)), steps=["open"]
    )
    assert later["steps"] == [{"step": "open", "reached": 0, "dropped": 0, "drop_off": None}]


def test_without_a_shared_funnel_steps_stand_by_how_many_reached_them(session: Session, give: Give) -> None:
    give(event("a", "x"), event("a", "B"), event("a", "a"), event("b", "x"), steps=["x", "a"])
    scope = give(event("c", "é", flow_id="other"))
    assert [row[0] for row in rows_of(steps.steps(session, scope))] == ["x", "B", "a", "é"]
    of_flow = resolve(session, workspace_id=scope.workspace_id, companion="flow")
    assert [row[0] for row in rows_of(steps.steps(session, of_flow))] == ["x", "a"]


def test_a_step_that_nobody_ever_reached_is_an_error_that_names_others(session: Session, give: Give) -> None:
    scope = give(event("a", "open"), event("b", "ask", flow_id="other"))
    with pytest.raises(InvalidInput, match="'Open'") as error:
        steps.steps(session, scope, ["open", "Open"])
    assert "ask, open" in error.value.hint
    of_flow = resolve(session, workspace_id=scope.workspace_id, companion="flow")
    assert rows_of(steps.steps(session, of_flow, ["ask"]))[0][:3] == ("ask", 0, 0)


def test_equal_companions_stand_by_code_point(session: Session, give: Give) -> None:
    scope = give(*(event(name, flow_id=name) for name in ("é", "a", "B", "b")), event("more", flow_id="b"))
    assert list(companions.top(session, scope)["companion"]) == ["b", "B", "a", "é"]
    assert list(companions.top(session, scope, limit=2)["companion"]) == ["b", "B"]
    assert list(popularity.popular(session, scope)["companion"]) == ["B", "a", "b", "é"]


def test_popularity_counts_an_actor_once_a_day_and_kind_and_halves_in_14_days(
    session: Session, give: Give
) -> None:
    rows = [
        event("old", at="2026-01-01T00:00:00Z"),
        event("old2", at="2026-01-01T09:00:00Z"),
        event("none", actor_id=""),
    ]
    rows += [event("new", "ask", "2026-01-15T00:00:00Z"), event("new", "done", "2026-01-15T00:00:01Z")]
    scope = give(*rows, complete=["done"])
    assert rows_of(popularity.popular(session, scope))[0][1:] == ("flow", pytest.approx(2 * 0.5 + 2 + 3))
    half = replace(scope, start=date(2026, 1, 1), end=date(2026, 1, 2))
    assert rows_of(popularity.popular(session, half))[0][1:] == ("flow", pytest.approx(2.0))


def test_openings_owners_and_official_companions_weigh_as_they_should(
    session: Session, workspace: Workspace
) -> None:
    owner = Person(email="o@example.test", name="O", password_hash=None)
    session.add(owner)
    session.flush()
    made = {
        key: ensure_companion(session, workspace_id=workspace.id, key=key)
        for key in ("plain", "official", "own")
    }
    session.execute(update(Item).where(Item.id == made["official"]).values(visibility="official"))
    session.execute(update(Item).where(Item.id == made["own"]).values(owner_id=owner.id))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    record(session, workspace_id=workspace.id, events=[
        IncomingEvent(derived_uuid7(at, f"{key}{kind}{who}".encode()), kind, companion, f"{who}", at, "x", actor_key=who)
        for key, companion in made.items() for kind in ("viewed", "answered")
        for who in (["ann", str(owner.id)] if key == "own" else ["ann"])
    ])  # fmt: skip
    scope = resolve(session, workspace_id=workspace.id)
    assert [row[1:] for row in rows_of(popularity.popular(session, scope))] == [
        ("official", pytest.approx(3 * 1.15)), ("own", 3.0), ("plain", 3.0),
    ]  # fmt: skip


def test_a_week_that_has_not_ended_is_blank(session: Session, give: Give) -> None:
    monday = datetime.now(UTC).date() - timedelta(days=datetime.now(UTC).weekday())
    before = monday - timedelta(days=7)
    rows = [
        event("a", at=f"{before}T00:00:00Z"),
        event("b", at=f"{monday}T00:00:00Z"),
        event("c", at=f"{monday}T00:00:00Z", actor_id="bob"),
    ]
    found = report.records(retention.retention(session, give(*rows)))
    assert found == [
        {"cohort": before.isoformat(), "weeks_later": 0, "actors": 1},
        {"cohort": before.isoformat(), "weeks_later": 1, "actors": None},
        {"cohort": monday.isoformat(), "weeks_later": 0, "actors": None},
    ]


def test_a_newcomer_is_new_once_whatever_the_range(session: Session, give: Give) -> None:
    rows = [
        event("a", at="2026-01-05T00:00:00Z"),
        event("b", at="2026-01-14T00:00:00Z"),
        event("c", at="2026-01-14T00:00:00Z", actor_id="bob"),
    ]
    whole = give(*rows)
    assert [row[1:] for row in rows_of(retention.retention(session, whole))] == [(0, 1), (1, 1), (0, 1)]
    later = replace(whole, start=date(2026, 1, 12))
    assert rows_of(retention.retention(session, later)) == [(date(2026, 1, 12), 0, 1)]


def test_another_workspace_is_another_world(session: Session, give: Give) -> None:
    scope = give(event("a", "ask"), event("b", "done"), complete=["done"])
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.flush()
    document = report.build(session, replace(scope, workspace_id=other.id))
    assert (document["events"], document["runs"]["viewed"], document["active_users"]) == (0, 0, 0)
    assert (
        document["top_companions"] == document["popular"] == document["retention"] == document["steps"] == []
    )
    with pytest.raises(NotFound):
        resolve(session, workspace_id=other.id, companion="flow")


def test_a_companion_is_found_by_name_link_id_and_title(
    session: Session, workspace: Workspace, give: Give
) -> None:
    give(event(flow_id="billing"))
    item = session.execute(select(Item)).scalar_one()
    session.execute(update(Companion).values(slug="pay-here"))
    session.execute(update(Item).values(title="Billing helper"))
    for name in ("billing", "pay-here", str(item.id), "Billing helper"):
        assert resolve(session, workspace_id=workspace.id, companion=name).companion_id == item.id
    with pytest.raises(NotFound, match="'bilng'") as error:
        resolve(session, workspace_id=workspace.id, companion="bilng")
    assert "billing" in error.value.hint


@pytest.mark.parametrize(
    "days",
    [
        {"start": date(2026, 1, 2), "end": date(2026, 1, 2)},
        {"start": date(2026, 1, 3), "end": date(2026, 1, 2)},
        {"start": date(1, 1, 1), "end": date(2026, 1, 2)},
        {"end": date(1, 1, 1)},
        {"start": date(2026, 1, 1), "end": date(9999, 12, 31)},
        {"start": date(9999, 12, 31)},
    ],
)
def test_a_range_must_have_a_day_and_be_of_this_world(
    session: Session, workspace: Workspace, days: dict[str, date]
) -> None:
    with pytest.raises(InvalidInput) as error:
        resolve(session, workspace_id=workspace.id, **days)
    assert error.value.hint


@pytest.mark.parametrize(
    "zone",
    ["CEST", "+02:00", "Europe", "europe/berlin", "../etc/passwd", "", "localtime", "UTC; DROP TABLE event"],
)
def test_a_zone_must_be_one(session: Session, workspace: Workspace, zone: str) -> None:
    if zone:
        with pytest.raises(InvalidInput, match="no time zone"):
            resolve(session, workspace_id=workspace.id, zone=zone)
    else:
        assert resolve(session, workspace_id=workspace.id, zone=zone).zone == "UTC"


def test_one_end_of_the_range_is_enough(session: Session, give: Give) -> None:
    whole = give(event("a", at="2026-01-05T00:00:00Z"), event("b", at="2026-01-14T00:00:00Z"))
    ask = {"workspace_id": whole.workspace_id}
    assert (whole.start, whole.end) == (date(2026, 1, 5), date(2026, 1, 15))
    assert resolve(session, **ask, start=date(2026, 1, 10)).end == date(2026, 1, 15)
    assert resolve(session, **ask, end=date(2026, 1, 10)).start == date(2026, 1, 5)
    assert resolve(session, **ask, start=date(2026, 5, 1)).end == date(2026, 5, 2)
    assert resolve(session, **ask, end=date(2025, 5, 1)).start == date(2025, 4, 30)
