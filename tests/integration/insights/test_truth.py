"""The report equals the independently computed truth of every event log."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.events.importer import import_file
from leitstand.identity.workspaces import ensure_workspace
from leitstand.insights import activity, completion, report, traffic
from leitstand.insights.scope import Scope, resolve
from tests.integration.insights.truth import Comparison, Truth, truths

TRUTHS = truths()
# A zone whose midnight is noon in UTC: the truth's ranges begin at either.
NOON = "Etc/GMT-12"
PERIODS = {"weekly_utc_monday": "week", "monthly_utc": "month"}


@pytest.fixture(params=TRUTHS, ids=[truth.figures["dataset"] for truth in TRUTHS])
def truth(request: pytest.FixtureRequest) -> Truth:
    found: Truth = request.param
    return found


@pytest.fixture
def workspace_id(engine: Engine, truth: Truth) -> UUID:
    with Session(engine) as session, session.begin():
        made = ensure_workspace(session, slug="truth").id
    result = import_file(
        engine,
        truth.events_file,
        workspace_id=made,
        complete=truth.end_steps,
        steps=truth.funnel,
        zone=truth.zone,
    )
    assert (result.counts.accepted, result.counts.refused) == (truth.figures["events"], 0)
    return made


@contextmanager
def comparing(truth: Truth) -> Iterator[Comparison]:
    """A comparison that must find no difference; says how much it compared."""
    comparison = Comparison()
    yield comparison
    print(f"{truth.figures['dataset']}: {comparison.count:,} figures and cells compared")
    assert comparison.differences == []


def test_the_carried_file_is_the_one_that_the_truth_is_about(truth: Truth) -> None:
    assert hashlib.sha256(truth.events_file.read_bytes()).hexdigest() == truth.figures["events_csv_gz_sha256"]


def test_every_figure_and_series_equals_the_truth(engine: Engine, truth: Truth, workspace_id: UUID) -> None:
    with Session(engine) as session, comparing(truth) as compare:
        local = resolve(session, workspace_id=workspace_id)
        document = report.build(session, local)
        compare_totals(compare, truth, document)
        compare_steps(compare, truth, document)
        compare_companions(compare, truth, document)
        compare_local_days(compare, truth, document)
        compare_retention(compare, truth, document)
        compare_hours(compare, truth, session, local)
        utc = resolve(session, workspace_id=workspace_id, zone="UTC")
        compare_days(compare, truth, "daily_utc", report.build(session, utc))
        for name, bucket in PERIODS.items():
            compare_periods(compare, truth, name, bucket, session, utc)
        for wanted in truth.figures["ranges"]:
            compare_range(compare, truth, wanted, session, workspace_id)
    assert compare.count > 100


def compare_totals(compare: Comparison, truth: Truth, document: dict[str, Any]) -> None:
    figures = truth.figures
    compare.equal("events", document["events"], figures["events"])
    compare.equal("runs viewed", document["runs"]["viewed"], figures["sessions"])
    compare.equal("runs started", document["runs"]["started"], figures["sessions"])
    compare.equal("active users", document["active_users"], figures["actors"])
    compare.equal("sessions", document["sessions"], truth.ours["sessions_30min"])
    if truth.completion_is_ours:
        expected = figures["completion"] or {"completed": 0, "rate": 0.0}
        duration = truth.ours["completed_duration_s"]
        compare.equal("completed", document["runs"]["completed"], expected["completed"])
        compare.equal("completed, counted", document["runs"]["completed"], duration["n"])
        compare.equal("completion rate", document["completion_rate"], expected["rate"])
        compare.equal(
            "duration", document["duration_seconds"], {name: duration.get(name) for name in ("median", "p95")}
        )


def compare_steps(compare: Comparison, truth: Truth, document: dict[str, Any]) -> None:
    steps = {row["step"]: row for row in document["steps"]}
    for row in truth.figures.get("funnel") or []:
        compare.equal(f"{row['step']} reached", steps[row["step"]]["reached"], row["sessions_any_order"])
    drop_off = truth.ours.get("drop_off") or []
    theirs = [
        {
            "step": row["step"],
            "reached": row["reached"],
            "dropped": row["went_no_further"],
            "drop_off": row["drop_off"],
        }
        for row in drop_off
    ]
    if theirs:
        compare.equal("steps", document["steps"], theirs)


def compare_companions(compare: Comparison, truth: Truth, document: dict[str, Any]) -> None:
    theirs = [
        {"companion": row["flow"], "runs": row["sessions"], "active_users": row["actors"]}
        | ({"completed": row["completed"]} if truth.completion_is_ours else {})
        for row in truth.figures["top10_flows_by_sessions"]
    ]
    compare.equal("top companions", document["top_companions"], theirs)
    popular = truth.ours["popular_top10"]
    if truth.completion_is_ours:
        ours = [[row["companion"], row["score"]] for row in document["popular"]]
        compare.equal("popular", ours, popular["items"])
    as_of = date.fromisoformat(document["range"]["to"]) - timedelta(days=1)
    compare.equal("popular as of", as_of.isoformat(), popular["as_of_local_day"])


def compare_local_days(compare: Comparison, truth: Truth, document: dict[str, Any]) -> None:
    rolling = [
        {
            "day": row["local_day"],
            "dau": int(row["dau"]),
            "wau": int(row["wau_7_days"]),
            "mau": int(row["mau_30_days"]),
        }
        for row in truth.series("rolling_local")
    ]
    compare.equal("active users by day", document["active_users_by_day"], rolling)
    highest = {
        name: max(row[name] for row in document["active_users_by_day"]) for name in ("dau", "wau", "mau")
    }
    theirs = truth.ours["rolling_max"]
    compare.equal(
        "highest", highest, {"dau": theirs["dau"], "wau": theirs["wau_7_days"], "mau": theirs["mau_30_days"]}
    )
    last = truth.ours["rolling_on_last_day"]
    compare.equal(
        "last day",
        document["active_users_by_day"][-1],
        {"day": last["local_day"], **{name: last[name] for name in highest}},
    )
    started = [
        {"day": row["local_day"], "viewed": int(row["started"]), "started": int(row["started"])}
        | ({"completed": int(row["of_these_completed"])} if truth.completion_is_ours else {})
        for row in truth.series("by_start_day_local")
    ]
    compare.equal("traffic", document["traffic"], started)
    compare_days(compare, truth, "daily_local", document)


def compare_days(compare: Comparison, truth: Truth, name: str, document: dict[str, Any]) -> None:
    """A daily table of the truth, and what is said of it."""
    events = {row["day"]: row["events"] for row in document["events_by_day"]}
    active = {row["day"]: row["dau"] for row in document["active_users_by_day"]}
    started = {row["day"]: row["started"] for row in document["traffic"]}
    done = {row["day"]: row["completions"] for row in document["completions_by_day"]}
    rows = truth.series(name)
    for row in rows:
        day = row["period"]
        ours = [events[day], active[day], started.get(day, 0), done.get(day, 0)]
        columns = ["events", "active_actors", "sessions_started", "sessions_completed"]
        known = 4 if truth.completion_is_ours else 3
        compare.equal(f"{name} {day}", ours[:known], [int(row[column]) for column in columns[:known]])
    compare.equal(f"{name}: days with events", len(events), len(rows))
    summary = truth.figures["active_actors"][name]
    busy = [active[day] for day in events]
    ours_of = {"periods": len(busy), "mean": sum(busy) / len(busy), "max": max(busy), "sum": sum(busy)}
    compare.equal(f"active actors {name}", ours_of, {key: summary[key] for key in ours_of})


def compare_retention(compare: Comparison, truth: Truth, document: dict[str, Any]) -> None:
    theirs = [
        {"cohort": row["cohort_monday"], "weeks_later": int(row["weeks_later"]), "actors": int(row["actors"])}
        for row in truth.series("retention_weekly_local")
    ]
    compare.equal("retention", document["retention"], theirs)


def compare_hours(compare: Comparison, truth: Truth, session: Session, scope: Scope) -> None:
    hours = traffic.events_by(session, scope, bucket="hour").sort_values(
        ["events", "hour"], ascending=[False, True]
    )
    named = [
        [f"{hour.tz_convert(scope.zone):%Y-%m-%dT%H:%M%z}", int(events)]
        for hour, events in zip(hours["hour"], hours["events"], strict=True)
    ]
    compare.equal("busiest hours", named[:5], truth.ours["busiest_local_hours"])


def compare_periods(
    compare: Comparison, truth: Truth, name: str, bucket: Any, session: Session, scope: Scope
) -> None:
    """A weekly or monthly table of the truth; people of each period are asked for by its range."""
    events = dict(traffic.events_by(session, scope, bucket=bucket).itertuples(index=False))
    started = traffic.traffic(session, scope, bucket=bucket).set_index(bucket)["started"].to_dict()
    for row in truth.series(name):
        begin = date.fromisoformat(row["period"] if bucket == "week" else f"{row['period']}-01")
        end = begin + timedelta(days=7) if bucket == "week" else (begin + timedelta(days=31)).replace(day=1)
        active = activity.active_users(session, replace(scope, start=begin, end=end))
        ours = [int(events[begin]), active, int(started.get(begin, 0))]
        compare.equal(
            f"{name} {begin}",
            ours,
            [int(row[key]) for key in ("events", "active_actors", "sessions_started")],
        )


def compare_range(
    compare: Comparison, truth: Truth, wanted: dict[str, Any], session: Session, workspace_id: UUID
) -> None:
    """A half-open range of the truth, in a zone whose midnight it begins at."""
    begin, end = (datetime.fromisoformat(wanted[name]) for name in ("from_", "to_exclusive"))
    zone, shift = (NOON, timedelta(hours=12)) if begin.hour else ("UTC", timedelta())
    days = {"start": (begin + shift).date(), "end": (end + shift).date()}
    scope = resolve(session, workspace_id=workspace_id, zone=zone, **days)
    document = report.build(session, scope)
    compare.equal(f"{begin} events", document["events"], wanted["events"])
    compare.equal(f"{begin} active users", document["active_users"], wanted["active_actors"])
    compare.equal(f"{begin} started", document["runs"]["started"], wanted["sessions_started"])
    if truth.completion_is_ours:
        done = completion.completions_by_day(session, scope)["completions"].sum()
        compare.equal(f"{begin} completions", int(done), wanted["completions"])
