"""API, command and notebook give the independently computed truth of every event log.

The dashboards are compared in tests/browser/test_dashboards_truth.py, where their figures are read from the page.
"""

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import bs4
import pytest
from click.testing import CliRunner
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.cli.insights import group
from leitstand.db.models import Workspace
from leitstand.identity.access import system_principal
from leitstand.reports import editions, kinds, words
from leitstand.reports.making import make
from leitstand.settings import Settings
from tests.apps import api_app
from tests.integration.insights.compared import compare_document, comparing
from tests.integration.insights.truth import Comparison, Truth, opened, truths, workspace_of_truth
from tests.people import join, visit
from tests.reports import long_ago

WEEK = timedelta(days=7)
TRUTHS = truths()


@dataclass(frozen=True)
class Imported:
    """A log that was imported whole."""

    truth: Truth
    log: Path
    workspace_id: UUID


def dataset_of(truth: object) -> str:
    """The name of a log."""
    assert isinstance(truth, Truth)
    return str(truth.figures["dataset"])


@pytest.fixture(params=TRUTHS, ids=dataset_of)
def known(request: pytest.FixtureRequest, session: Session, tmp_path: Path) -> Imported:
    truth: Truth = request.param
    return Imported(truth, truth.importable(tmp_path), workspace_of_truth(session))


def test_api_and_command_give_the_truth(session: Session, known: Imported) -> None:
    truth = known.truth
    workspace = session.get_one(Workspace, known.workspace_id)
    client = visit(api_app(), session, join(session, workspace, role="analyst")).client
    answer = client.get("/api/v1/insights/report", params={"zone": truth.zone})
    assert answer.status_code == 200, answer.text
    asked = ["report", "--workspace", workspace.slug, "--zone", truth.zone, "--json"]
    printed = CliRunner().invoke(group, asked, catch_exceptions=False)
    for surface, document in (("api", answer.json()), ("command", json.loads(printed.stdout))):
        with comparing(truth, surface) as compare:
            compare_document(compare, truth, document)


# A notebook takes its time, and what it shows is what the command shows.
WEEKS = [
    truth if dataset_of(truth) == "web-access-log" else pytest.param(truth, marks=pytest.mark.long)
    for truth in TRUTHS
]


@pytest.mark.slow
@pytest.mark.parametrize("known", WEEKS, ids=dataset_of, indirect=True)
def test_the_notebook_of_a_week_gives_the_truth(
    engine: Engine, session: Session, settings: Settings, known: Imported
) -> None:
    """The executed notebook's page, for the week with the most events."""
    truth, week = known.truth, busiest_week(known.truth)
    session.get_one(Workspace, known.workspace_id).created_at = long_ago()
    session.commit()
    principal = system_principal(known.workspace_id, "truth")
    report = editions.prepare(session, principal=principal, name=kinds.WEEKLY.name, day=week, zone=truth.zone)
    session.commit()
    made = make(engine, settings, report.id)
    assert made.error == ""
    session.refresh(report)
    page = bs4.BeautifulSoup(editions.content(settings, report, "html"), "html.parser")
    with comparing(truth, "notebook") as compare:
        compare_key_figures(compare, truth, week, page)
        compare_tables(compare, truth, week, page)
        compare_cohorts(compare, truth, week, page)
        popular = popular_of(known, week)
        shown = table_of(page, "Popular: decayed use up to the week's end")
        compare.equal("popular", shown, [[name, words.number(score, 1)] for name, score in popular])
    assert compare.count > 20


def busiest_week(truth: Truth) -> date:
    """The Monday of the week with the most events, by the days of the truth's zone."""
    events: dict[date, int] = defaultdict(int)
    for row in truth.series("daily_local"):
        events[monday(date.fromisoformat(row["period"]))] += int(row["events"])
    return max(events, key=lambda week: events[week])


def monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def of_week(truth: Truth, name: str, column: str, week: date) -> list[dict[str, str]]:
    """The rows of a series whose day lies in the week."""
    return [row for row in truth.series(name) if week <= date.fromisoformat(row[column]) < week + WEEK]


def table_of(page: bs4.BeautifulSoup, caption: str) -> list[list[str]]:
    """The texts of a table's rows; none where there is no such table."""
    found = page.find("caption", string=caption)
    if found is None:
        return []
    rows = found.find_parent("table").find("tbody").find_all("tr")  # type: ignore[union-attr]
    return [[cell.get_text(strip=True) for cell in row.find_all(["th", "td"])] for row in rows]


def compare_key_figures(compare: Comparison, truth: Truth, week: date, page: bs4.BeautifulSoup) -> None:
    cards = {
        card.find("dt").get_text(): card.find(class_="value").get_text()  # type: ignore[union-attr]
        for card in page.find_all(class_="figure")
    }
    daily = of_week(truth, "daily_local", "period", week)
    began = of_week(truth, "by_start_day_local", "local_day", week)
    started = sum(int(row["started"]) for row in began)
    completed = sum(int(row["of_these_completed"]) for row in began)
    active = sum(actors for cohort, later, actors in retained(truth) if cohort + later * WEEK == week)
    expected = {
        "Events": words.number(sum(int(row["events"]) for row in daily)),
        "Viewed runs": words.number(started),
        "Started runs": words.number(started),
        "Completed runs": words.number(completed),
        "Completion rate": words.percent(completed / started if started else None),
        # Everybody who is active in a week was first seen in one week.
        "Active users": words.number(active),
    }
    compare.equal("key figures", cards, expected)


def compare_tables(compare: Comparison, truth: Truth, week: date, page: bs4.BeautifulSoup) -> None:
    runs = {row[0]: row[1:] for row in table_of(page, "Runs by the day on which they began")}
    for row in of_week(truth, "by_start_day_local", "local_day", week):
        started, completed = (words.number(int(row[name])) for name in ("started", "of_these_completed"))
        compare.equal(row["local_day"], runs[words.day(row["local_day"])], [started, started, completed])
    people = {row[0]: row[1:] for row in table_of(page, "Active users by day")}
    for row in of_week(truth, "rolling_local", "local_day", week):
        counts = [words.number(int(row[name])) for name in ("dau", "wau_7_days", "mau_30_days")]
        compare.equal(row["local_day"], people[words.day(row["local_day"])], counts)


def compare_cohorts(compare: Comparison, truth: Truth, week: date, page: bs4.BeautifulSoup) -> None:
    known: dict[date, dict[int, int]] = defaultdict(dict)
    for cohort, later, actors in retained(truth):
        known[cohort][later] = actors
    rows = table_of(page, "Retention by week first seen")
    shown = {row[0]: row[1:] for row in rows}
    for back in range(8):
        cohort = week - back * WEEK
        if cohort not in known:
            continue
        people = known[cohort][0]
        cells = [words.share(known[cohort].get(later, 0), people) for later in range(1, back + 1)]
        row = shown.get(f"Week of {words.plain_day(cohort)}")
        compare.equal(f"cohort {cohort}", (row or [])[: back + 1], [words.number(people), *cells])


def retained(truth: Truth) -> Iterator[tuple[date, int, int]]:
    """Cohort, weeks later and actors of each cell."""
    for row in truth.series("retention_weekly_local"):
        yield date.fromisoformat(row["cohort_monday"]), int(row["weeks_later"]), int(row["actors"])


def popular_of(known: Imported, week: date) -> list[tuple[str, float]]:
    """The ten most popular companions of a week, from the log itself (see demo/events/DEFINITIONS.md).

    A run is its first event's companion and actor; it counts 2 on the day of its first event, and 3 on the day on
    which it was completed, once an actor and day.
    """
    zone = ZoneInfo(known.truth.zone)
    first: dict[str, tuple[int, dict[str, Any]]] = {}
    done: dict[str, datetime] = {}
    with opened(known.log) as file:
        for row in csv.DictReader(file):
            run, at = row["session_id"], datetime.fromisoformat(row["timestamp"])
            if run not in first or int(row["seq"]) < first[run][0]:
                first[run] = int(row["seq"]), row
            if row["activity"] in known.truth.end_steps:
                done[run] = min(at, done.get(run, at))
    uses = set()
    for run, (_, row) in first.items():
        began = datetime.fromisoformat(row["timestamp"])
        for at, weight in ((began, 2), *((when, 3) for when in [done.get(run)] if when)):
            day = at.astimezone(zone).date()
            if row["actor_id"] and week <= day < week + WEEK:
                uses.add((row["flow_id"], row["actor_id"], day, weight))
    scores: dict[str, float] = defaultdict(float)
    for companion, _, day, weight in uses:
        age = (week + WEEK - timedelta(days=1) - day).days
        scores[companion] += weight * 2 ** (-age / 14)
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:10]
