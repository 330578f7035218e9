"""The report equals the independently computed truth of every event log."""

import hashlib
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.insights import activity, completion, report, traffic
from leitstand.insights.scope import Scope, resolve
from tests.integration.insights.compared import compare_days, compare_document, comparing
from tests.integration.insights.truth import Comparison, Truth, truths, workspace_of_truth

TRUTHS = truths()
# A zone whose midnight is noon in UTC: the truth's ranges begin at either.
NOON = "Etc/GMT-12"
PERIODS = {"weekly_utc_monday": "week", "monthly_utc": "month"}


@pytest.fixture(params=TRUTHS, ids=[truth.figures["dataset"] for truth in TRUTHS])
def truth(request: pytest.FixtureRequest) -> Truth:
    found: Truth = request.param
    return found


@pytest.fixture
def workspace_id(session: Session, truth: Truth) -> UUID:
    return workspace_of_truth(session)


def test_the_carried_file_is_the_one_that_the_truth_is_about(truth: Truth) -> None:
    assert hashlib.sha256(truth.events_file.read_bytes()).hexdigest() == truth.figures["events_csv_gz_sha256"]


def test_every_figure_and_series_equals_the_truth(engine: Engine, truth: Truth, workspace_id: UUID) -> None:
    with Session(engine) as session, comparing(truth) as compare:
        local = resolve(session, workspace_id=workspace_id)
        document = report.build(session, local)
        compare_document(compare, truth, document)
        compare_hours(compare, truth, session, local)
        utc = resolve(session, workspace_id=workspace_id, zone="UTC")
        compare_days(compare, truth, "daily_utc", report.build(session, utc))
        for name, bucket in PERIODS.items():
            compare_periods(compare, truth, name, bucket, session, utc)
        for wanted in truth.figures["ranges"]:
            compare_range(compare, truth, wanted, session, workspace_id)
    assert compare.count > 100


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
    done = completion.completions_by_day(session, scope)["completions"].sum()
    compare.equal(f"{begin} completions", int(done), wanted["completions"])
