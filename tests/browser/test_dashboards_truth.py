"""The dashboards show the independently computed truth of every event log: figures are read from the page."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import BrowserContext
from sqlalchemy.orm import Session

from leitstand.db.engine import get_engine
from leitstand.db.models import Workspace
from leitstand.embedded.postgres import Cluster
from panel_apps.overview.parts import score
from panel_apps.retention_grid import MOST_COHORTS, MOST_WEEKS
from panel_apps.series import unit_of
from panel_apps.tables import SHOWN_ROWS
from serving.shell.formats import day as day_form
from serving.shell.formats import duration, number, percent
from tests.browser.dashboards import READY, Shown, open_page, serving, token_of
from tests.integration.insights.compared import comparing
from tests.integration.insights.truth import Comparison, Truth, imported, truths
from tests.integration.panel_apps.support import Running

pytestmark = [pytest.mark.long, pytest.mark.slow]
DAY, WEEK = timedelta(days=1), timedelta(days=7)
TRUTHS = {truth.figures["dataset"]: truth for truth in truths()}
CHOOSE = "detail => document.dispatchEvent(new CustomEvent('leitstand:choose', { detail }))"


@dataclass(frozen=True)
class Opener:
    """Opens dashboards of a log's workspace.

    Args:
        first, last: local days of the first and last event.
    """

    truth: Truth
    open: Callable[[str], Shown]

    @property
    def first(self) -> date:
        return date.fromisoformat(self.truth.series("rolling_local")[0]["local_day"])

    @property
    def last(self) -> date:
        return date.fromisoformat(self.truth.series("rolling_local")[-1]["local_day"])

    def shown(
        self, app: str, more: str = "", *, first: date | None = None, last: date | None = None
    ) -> Shown:
        """A dashboard of all days with an event, in the zone of the truth."""
        days = f"{first or self.first}..{last or self.last}"
        return self.open(f"/{app}?range={days}&compare=none&{more or f'zone={self.truth.zone}'}")


@pytest.fixture(scope="module")
def served(
    cluster: Cluster, services: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Running, dict[str, str]]]:
    """One server with a workspace for each log."""

    def prepare() -> dict[str, str]:
        folder, tokens = tmp_path_factory.mktemp("logs"), {}
        for name, truth in TRUTHS.items():
            workspace_id = imported(get_engine(), truth, folder, name)
            with Session(get_engine(), expire_on_commit=False) as session:
                tokens[name] = token_of(session, session.get_one(Workspace, workspace_id), "analyst")
        return tokens

    with serving(cluster, services, prepare) as server:
        yield server


@pytest.fixture(params=TRUTHS)
def opener(
    request: pytest.FixtureRequest,
    served: tuple[Running, dict[str, str]],
    new_context: Callable[..., BrowserContext],
) -> Opener:
    server, tokens = served
    context = new_context(viewport={"width": 1280, "height": 900})
    token = tokens[request.param]
    return Opener(TRUTHS[request.param], lambda path: Shown.on(open_page(context, server, token, path)))


def test_the_overview_shows_the_truth(opener: Opener) -> None:
    truth = opener.truth
    shown = opener.shown("overview")
    with comparing(truth, "overview") as compare:
        compare_tiles(compare, truth, shown)
        compare_traffic(compare, truth, shown)
        compare_people(compare, truth, shown)
        compare_steps(compare, truth, shown)
        compare_companions(compare, truth, shown)
        compare_retention(compare, truth, shown, opener.first, opener.last + DAY)
        for wanted in truth.figures["ranges"]:
            compare_range(compare, wanted, shown)
    assert compare.count > 100


def test_the_audience_shows_the_truth(opener: Opener) -> None:
    """On whole weeks, so that the grid has the first and the last one too."""
    truth = opener.truth
    first, last = monday(opener.first), monday(opener.last) + 6 * DAY
    shown = opener.shown("audience", first=first, last=last)
    with comparing(truth, "audience") as compare:
        actors = truth.figures["actors"]
        compare.equal("active users", figure(shown, "Active users"), actors)
        compare.equal("new users", figure(shown, "New users"), actors)
        compare.equal("returning users", figure(shown, "Returning users"), 0)
        compare.equal("sessions", figure(shown, "Sessions"), truth.ours["sessions_30min"])
        compare.equal("new in the chart", sum(shown.drawn("new")["new"]), float(actors))
        compare_retention(compare, truth, shown, first, last + DAY)
        by_companion = {row["companion"]: int(row["active"]) for row in shown.file("companions")}
        listed = {row[0]: plain(row[1]) for row in shown.table("People by companion")}
        for row in truth.figures["top10_flows_by_sessions"]:
            compare.equal(f"{row['flow']}: people, file", by_companion[row["flow"]], row["actors"])
            if row["flow"] in listed:
                compare.equal(f"{row['flow']}: people", listed[row["flow"]], row["actors"])
    assert compare.count > 5


def test_a_companion_and_its_flow_show_the_truth(opener: Opener) -> None:
    truth = opener.truth
    known = truth.figures["top10_flows_by_sessions"][0]
    chosen = f"zone={truth.zone}&companion={known['flow']}"
    companion, flow = opener.shown("companion", chosen), opener.shown("flow", chosen)
    with comparing(truth, "companion and flow") as compare:
        compare.equal("people", figure(companion, "Active users"), known["actors"])
        for surface in (companion, flow):
            compare.equal("started", figure(surface, "Started runs"), known["sessions"])
            compare.equal("completed", figure(surface, "Completed runs"), known["completed"])
            rate = percent(known["completed"] / known["sessions"])
            compare.equal("rate", surface.tiles["Completion rate"][0], rate)
        if truth.figures["distinct_flows"] == 1:
            compare_traffic(compare, truth, companion)
            compare_people(compare, truth, companion)


def test_usage_shows_the_truth(opener: Opener) -> None:
    truth = opener.truth
    shown = opener.shown("usage", "zone=UTC")
    wanted = [
        [f"{date.fromisoformat(row['period'] + '-01'):%B %Y}", *(int(row[name]) for name in ("events", "sessions_started", "active_actors"))]
        for row in truth.series("monthly_utc")
    ]  # fmt: skip
    charts = {column: shown.drawn(column) for column in ("events", "runs", "active_users")}
    with comparing(truth, "usage") as compare:
        months = {row[0]: [plain(cell) for cell in row[1:]] for row in shown.table("Usage by month")}
        for name, *counts in wanted:
            if name in months:
                compare.equal(name, months[name], counts)
            at = charts["events"]["label"].index(name)
            ours = [int(drawn[column][at]) for column, drawn in charts.items()]
            compare.equal(f"{name}, chart", ours, counts)
        compare.equal("events", int(sum(charts["events"]["events"])), truth.figures["events"])


# --- the parts of a page ---


def compare_tiles(compare: Comparison, truth: Truth, shown: Shown) -> None:
    figures, runs = truth.figures, truth.figures["sessions"]
    done = figures["completion"] or {"completed": 0, "rate": 0.0}
    times = truth.ours["completed_duration_s"]
    compare.equal("active users", figure(shown, "Active users"), figures["actors"])
    compare.equal(
        "sessions", shown.tiles["Active users"][1], f"{number(truth.ours['sessions_30min'])} sessions"
    )
    compare.equal("viewed", figure(shown, "Viewed runs"), runs)
    compare.equal("events", shown.tiles["Viewed runs"][1], f"{number(figures['events'])} events")
    compare.equal("started", figure(shown, "Started runs"), runs)
    compare.equal("completed", figure(shown, "Completed runs"), done["completed"])
    compare.equal("rate", shown.tiles["Completion rate"][0], percent(done["rate"]))
    compare.equal("median", shown.tiles["Median duration"][0], duration(times.get("median")))
    p95 = f"95% within {duration(times['p95'])}" if times.get("p95") is not None else "no completed run"
    compare.equal("p95", shown.tiles["Median duration"][1], p95)


def compare_traffic(compare: Comparison, truth: Truth, shown: Shown) -> None:
    """The chart by its points, the table by its rows, and the file, which has every day."""
    known = {
        date.fromisoformat(row["local_day"]): (int(row["started"]), int(row["started"]), int(row["of_these_completed"]))
        for row in truth.series("by_start_day_local")
    }  # fmt: skip
    drawn = shown.drawn("viewed")
    for at, points in grouped(known, len(truth.series("rolling_local"))).items():
        row = drawn["at"].index(stamp(at))
        ours = [int(drawn[name][row]) for name in ("viewed", "started", "completed")]
        compare.equal(f"traffic at {at}", ours, points)
    compare.equal("runs in the chart", int(sum(drawn["viewed"])), truth.figures["sessions"])
    file = {
        row["day"]: [int(row[name]) for name in ("viewed", "started", "completed")]
        for row in shown.file("traffic")
    }
    table = {row[0]: [plain(cell) for cell in row[1:]] for row in shown.table("Runs by day")}
    for day, counts in known.items():
        compare.equal(f"traffic of {day}, file", file[day.isoformat()], counts)
        if day_form(day) in table:
            compare.equal(f"traffic of {day}", table[day_form(day)], counts)
    compare.equal("rows of the table", len(table), min(SHOWN_ROWS, len(file)))
    share = {row["day"]: row["rate"] for row in shown.file("completion")}
    for day, (_, started, completed) in known.items():
        compare.equal(f"completion of {day}", float(share[day.isoformat()]), completed / started)


def compare_people(compare: Comparison, truth: Truth, shown: Shown) -> None:
    """Daily, weekly and monthly active users: chart, table and file."""
    known = {
        date.fromisoformat(row["local_day"]): [int(row[name]) for name in ("dau", "wau_7_days", "mau_30_days")]
        for row in truth.series("rolling_local")
    }  # fmt: skip
    drawn = shown.drawn("dau")
    for place, at in enumerate(drawn["at"]):
        ours = [int(drawn[name][place]) for name in ("dau", "wau", "mau")]
        compare.equal(f"people at {at}", ours, known[day_of(at)])
    file = [
        [row["day"], *(int(row[name]) for name in ("dau", "wau", "mau"))]
        for row in shown.file("active-users")
    ]
    compare.equal("people, file", file, [[day.isoformat(), *counts] for day, counts in known.items()])
    table = [[row[0], *map(plain, row[1:])] for row in shown.table("Active users by day")]
    newest = list(known.items())[-SHOWN_ROWS:][::-1]
    compare.equal("people, table", table, [[day_form(day), *counts] for day, counts in newest])


def compare_steps(compare: Comparison, truth: Truth, shown: Shown) -> None:
    wanted = [
        [row["step"], number(row["reached"]), f"{number(row['went_no_further'])} ({percent(row['drop_off'])})"]
        for row in truth.ours.get("drop_off") or []
    ]  # fmt: skip
    if wanted:
        compare.equal("steps", shown.table("Steps"), wanted)


def compare_companions(compare: Comparison, truth: Truth, shown: Shown) -> None:
    wanted = [
        [row["flow"], number(row["sessions"]), f"{number(row['completed'])} ({percent(row['completed'] / row['sessions'], 0)})", number(row["actors"])]
        for row in truth.figures["top10_flows_by_sessions"]
    ]  # fmt: skip
    compare.equal("top companions", shown.table("Most used companions"), wanted)
    popular = truth.ours["popular_top10"]["items"]
    compare.equal(
        "popular", shown.table("Popular companions"), [[name, score(value)] for name, value in popular]
    )
    file = [[row["companion"], float(row["score"])] for row in shown.file("popular")]
    compare.equal("popular, file", file, popular)


def compare_retention(compare: Comparison, truth: Truth, shown: Shown, first: date, end: date) -> None:
    """The grid's cells (share, and counts on pointing), blank where a week does not lie in the range; and the file."""
    known: dict[date, dict[int, int]] = defaultdict(dict)
    for row in truth.series("retention_weekly_local"):
        known[date.fromisoformat(row["cohort_monday"])][int(row["weeks_later"])] = int(row["actors"])
    cohorts = sorted(cohort for cohort in known if cohort >= first)[-MOST_COHORTS:]
    last = min(MOST_WEEKS, max((end - cohort).days // 7 for cohort in cohorts) - 1)
    grid = shown.tables.get("Retention by week", [])
    compare.equal("cohorts", [row[0][0] for row in grid], [day_form(cohort) for cohort in cohorts])
    for cohort, row in zip(cohorts, grid, strict=True):
        size = known[cohort][0]
        wanted = [(day_form(cohort), ""), (number(size), "")]
        for later in range(last + 1):
            actors = known[cohort].get(later, 0)
            whole = cohort + (later + 1) * WEEK <= end
            cell = percent(actors / size, 0), f"{number(actors)} of {number(size)}"
            wanted.append(cell if whole else ("", ""))
        compare.equal(f"cohort {cohort}", row, wanted)
    file = [[row["cohort"], int(row["weeks_later"]), int(row["actors"])] for row in shown.file("retention")]
    every = [
        [cohort.isoformat(), later, actors]
        for cohort, cells in known.items()
        for later, actors in cells.items()
    ]
    compare.equal("retention, file", file, every)


def compare_range(compare: Comparison, wanted: dict[str, Any], shown: Shown) -> None:
    """A half-open range of the truth, chosen on the page, in a zone whose midnight it begins at."""
    begin, end = (datetime.fromisoformat(wanted[name]) for name in ("from_", "to_exclusive"))
    zone, shift = ("Etc/GMT-12", timedelta(hours=12)) if begin.hour else ("UTC", timedelta())
    days = f"{(begin + shift).date()}..{(end + shift).date() - DAY}"
    shown.page.evaluate(CHOOSE, {"range": days, "zone": zone})
    shown.page.wait_for_selector(READY)
    now = Shown.on(shown.page)
    compare.equal(f"{begin} active users", figure(now, "Active users"), wanted["active_actors"])
    compare.equal(f"{begin} events", now.tiles["Viewed runs"][1], f"{number(wanted['events'])} events")
    compare.equal(f"{begin} started", figure(now, "Started runs"), wanted["sessions_started"])


# --- reading ---


def figure(shown: Shown, title: str) -> int:
    """The whole number that a tile shows."""
    return plain(shown.tiles[title][0])


def plain(text: str) -> int:
    return int(text.replace(",", ""))


def monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def day_of(milliseconds: float) -> date:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date()


def stamp(day: date) -> int:
    return int(datetime.combine(day, datetime.min.time(), UTC).timestamp() * 1000)


def grouped(known: dict[date, tuple[int, int, int]], days: int) -> dict[date, list[int]]:
    """Counts by what a chart of so many days draws (days, weeks or months): the first day of each, and its sums."""
    unit = unit_of(days)
    sums: dict[date, list[int]] = defaultdict(lambda: [0, 0, 0])
    for day, counts in known.items():
        at = {"day": day, "week": monday(day), "month": day.replace(day=1)}[unit]
        sums[at] = [left + right for left, right in zip(sums[at], counts, strict=True)]
    return dict(sums)
