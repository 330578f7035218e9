"""A report, as every surface gives it, against the truth of its event log."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest

from tests.integration.insights.truth import Comparison, Truth


@contextmanager
def comparing(truth: Truth, surface: str = "core") -> Iterator[Comparison]:
    """A comparison that must find no difference; says how much it compared."""
    comparison = Comparison()
    yield comparison
    print(f"{truth.figures['dataset']}, {surface}: {comparison.count:,} figures and cells compared")
    if comparison.differences:
        pytest.fail("\n".join(comparison.differences))


def compare_document(compare: Comparison, truth: Truth, document: dict[str, Any]) -> None:
    """The report of all there is, in the zone of the truth."""
    compare_totals(compare, truth, document)
    compare_steps(compare, truth, document)
    compare_companions(compare, truth, document)
    compare_local_days(compare, truth, document)
    compare_retention(compare, truth, document)


def compare_totals(compare: Comparison, truth: Truth, document: dict[str, Any]) -> None:
    figures = truth.figures
    compare.equal("events", document["events"], figures["events"])
    compare.equal("runs viewed", document["runs"]["viewed"], figures["sessions"])
    compare.equal("runs started", document["runs"]["started"], figures["sessions"])
    compare.equal("active users", document["active_users"], figures["actors"])
    compare.equal("sessions", document["sessions"], truth.ours["sessions_30min"])
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
        {
            "companion": row["flow"],
            "runs": row["sessions"],
            "active_users": row["actors"],
            "completed": row["completed"],
        }
        for row in truth.figures["top10_flows_by_sessions"]
    ]
    compare.equal("top companions", document["top_companions"], theirs)
    popular = truth.ours["popular_top10"]
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
        {
            "day": row["local_day"],
            "viewed": int(row["started"]),
            "started": int(row["started"]),
            "completed": int(row["of_these_completed"]),
        }
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
        compare.equal(f"{name} {day}", ours, [int(row[column]) for column in columns])
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
