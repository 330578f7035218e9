"""The weekly report on how companions were used; the notebook weekly-insights shows its sections one by one."""

from collections import Counter
from datetime import date
from functools import cached_property
from typing import Any

from leitstand.insights.scope import DAY
from leitstand.reports import words
from leitstand.reports.blocks import (
    Block,
    KeyFigure,
    bar,
    definitions,
    head,
    key_figures,
    notices,
    section,
    table,
)
from leitstand.reports.charts import Series, columns
from leitstand.reports.figures import Document, of_period
from leitstand.reports.kinds import WEEKLY
from leitstand.reports.taking_up import Work, reading, take_up
from leitstand.reports.weekly_notices import weekly_notices
from leitstand.runbooks.taking_up import SANDBOX
from leitstand.words.lines import one_line

DEFINITIONS = (
    ("Run", "One passage through one companion's flow; it counts on the local day on which it began."),
    ("Viewed, started, completed", "Loaded; got a first answer; reached an end step after one."),
    ("Completion rate", "Completed ÷ started runs. Where runs may still be going, it can still rise."),
    ("Active users", "Different people with an event: on that day (DAU), on the 7 (WAU) or 30 days (MAU) ending with it. They do not add up over days."),
    ("Session", "An actor's events on one companion without a pause of more than 30 minutes."),
    ("Duration", "First to last event of a completed run: median and 95th percentile."),
    ("Drop-off", "Runs that reached a step and no later one ÷ runs that reached it."),
    ("Retention", "Of the people first seen in a week, how many were active so many weeks later. A week that has not ended is blank."),
    ("Popular", "Decayed use as of the week's last day: 2 for a run, 3 for a completed one, 1 for an opening, halved every 14 days."),
)  # fmt: skip
LAST_WEEK = 7


class WeeklyInsights:
    """One week of one workspace. Every section is empty where the week has no event, so that the report stays short."""

    def __init__(self, work: Work, document: Document) -> None:
        self.work, self.document = work, document
        self.now, self.before = document["now"], document["before"]
        work.keep(self.summary())

    @classmethod
    def begin(
        cls, *, run_id: str = SANDBOX, workspace: str = "", start: str = "", zone: str = ""
    ) -> "WeeklyInsights":
        """Ask every figure of the week, in one read-only transaction; see `leitstand.reports.taking_up.take_up`.

        Raises:
            InvalidInput, NotFound: the parameters name nothing.
        """
        work = take_up(WEEKLY, run_id=run_id, workspace=workspace, start=start, zone=zone)
        with reading(work.engine) as session:
            return cls(work, of_period(session, work.workspace_id, work.period, work.zone))

    @property
    def empty(self) -> bool:
        """Whether nothing happened in the week."""
        return not self.now["events"]

    # --- the sections ---

    def head(self) -> Block:
        """Whose report it is, for which days, and as of when."""
        days = (
            f"{words.day(self.now['range']['from'])} to {words.day(self._last_day)}, days of {self.work.zone}"
        )
        state = "still running: figures are of its elapsed part" if self.document["running"] else "over"
        facts = [
            ("Days", days),
            ("Figures as of", words.instant(self.now["as_of"], self.work.zone)),
            ("The week is", state),
            ("For", WEEKLY.audience),
        ]
        return head(self.work.workspace_name, f"Week of {self.work.period.label}", facts)

    def attention(self) -> Block:
        """What needs attention first."""
        calm = "Nothing stands out against the week before."
        return section("What needs attention first", notices(self.notices, calm))

    def key_figures(self) -> Block:
        """The key figures beside the week before."""
        if self.empty:
            return Block()
        return section("Key figures", key_figures(self.figures, "the week before"))

    def traffic(self) -> Block:
        """Runs by the day on which they began."""
        if self.empty:
            return Block()
        days = [row["day"] for row in self.now["active_users_by_day"]]
        by_day = {row["day"]: row for row in self.now["traffic"]}
        names = "viewed", "started", "completed"
        series = [
            Series(name.capitalize(), [by_day.get(day, {}).get(name, 0) for day in days]) for name in names
        ]
        rows = [
            (words.day(day), *(words.number(one.values[place]) for one in series))
            for place, day in enumerate(days)
        ]
        chart = columns("Runs by day", [words.short_day(day) for day in days], series)
        said = _peak(days, series[1].values, "started run")
        heads = "Day", "Viewed", "Started", "Completed"
        return section("Runs", said, chart, table("Runs by the day on which they began", heads, rows))

    def people(self) -> Block:
        """Active users of each day."""
        if self.empty:
            return Block()
        rows = self.now["active_users_by_day"]
        chart = columns(
            "Active users by day",
            [words.short_day(row["day"]) for row in rows],
            [Series("That day (DAU)", [row["dau"] for row in rows]), Series("7 days (WAU)", [row["wau"] for row in rows])],
        )  # fmt: skip
        said = (
            f"{words.counted(self.now['active_users'], 'person', 'people')} were active in the week"
            f" ({words.number(self.before['active_users'])} in the week before)."
            f" {_peak([row['day'] for row in rows], [row['dau'] for row in rows], 'active person', 'active people')}"
        )
        shown = [
            (words.day(row["day"]), *(words.number(row[name]) for name in ("dau", "wau", "mau")))
            for row in rows
        ]
        heads = "Day", "That day (DAU)", "7 days (WAU)", "30 days (MAU)"
        return section("People", said, chart, table("Active users by day", heads, shown))

    def steps(self) -> Block:
        """How far runs came."""
        found = self.now["steps"]
        if not found:
            return Block()
        most = max(row["reached"] for row in found)
        rows = [
            (
                row["step"],
                bar(row["reached"], most),
                words.number(row["reached"]),
                words.share(row["dropped"], row["reached"]),
            )
            for row in found
        ]
        heads = "Step", "Reached", "Runs that reached it", "Went no further"
        said = (
            "Runs that reached each step, and those for which it was the last; each run counts once a step."
        )
        return section("Steps", said, table("Steps in the funnel's order", heads, rows, numbers=2))

    def companions(self) -> Block:
        """The companions used most, beside the week before."""
        found = self.now["top_companions"]
        if not found:
            return Block()
        known = _runs_by_name(self.before["top_companions"])
        names = _runs_by_name(found)
        rows = [
            (
                one_line(row["companion"]),
                words.number(row["runs"]),
                words.number(None if names[row["companion"]] is None else known.get(row["companion"], 0)),
                words.share(row["completed"], row["runs"]),
                words.number(row["active_users"]),
            )
            for row in found
        ]
        heads = "Companion", "Runs", "The week before", "Completed of all runs", "Active users"
        popular = [(one_line(row["companion"]), words.number(row["score"], 1)) for row in self.now["popular"]]
        return section(
            "Companions",
            table("Companions with the most runs", heads, rows),
            table("Popular: decayed use up to the week's end", ("Companion", "Score"), popular),
        )

    def retention(self) -> Block:
        """Who of the last weeks' newcomers came back."""
        cohorts = cohorts_until(self.document, self.work.period.start)
        if self.empty or not cohorts:
            return Block()
        weeks = range(1, 1 + max(len(cells) for _, _, cells in cohorts))
        rows = [
            (
                f"Week of {words.plain_day(cohort)}",
                words.number(people),
                *("" if cell is None else words.share(cell, people) for cell in cells),
                *[""] * (len(weeks) - len(cells)),
            )
            for cohort, people, cells in cohorts
        ]
        heads = "First seen", "People", *(f"{week} later" for week in weeks)
        said = "Of the people first seen in a week, those active again in later weeks. Weeks that have not ended are blank."
        return section("Retention", said, table("Retention by week first seen", heads, rows))

    def definitions(self) -> Block:
        """What the words mean."""
        if self.empty:
            return Block()
        return section("What the words mean", definitions(DEFINITIONS))

    # --- what the sections say ---

    @property
    def _last_day(self) -> date:
        return self.work.period.end - DAY

    @cached_property
    def figures(self) -> list[KeyFigure]:
        """The key figures, in words."""
        now, before = self.now, self.before
        plain = [
            ("Viewed runs", now["runs"]["viewed"], before["runs"]["viewed"]),
            ("Started runs", now["runs"]["started"], before["runs"]["started"]),
            ("Completed runs", now["runs"]["completed"], before["runs"]["completed"]),
            ("Active users", now["active_users"], before["active_users"]),
            ("Sessions", now["sessions"], before["sessions"]),
            ("Events", now["events"], before["events"]),
        ]
        counts = [
            KeyFigure(name, words.number(value), words.number(was), words.change(value, was))
            for name, value, was in plain
        ]
        return [*counts[:3], self._rate(), *counts[3:], self._duration()]

    def _rate(self) -> KeyFigure:
        runs, was = self.now["runs"], self.before["runs"]
        rate, earlier = self.now["completion_rate"], self.before["completion_rate"]
        still = "; runs may still be going" if self.now["immature"] else ""
        return KeyFigure(
            "Completion rate",
            words.percent(rate),
            words.share(was["completed"], was["started"]),
            words.points(rate, earlier),
            f"{words.number(runs['completed'])} of {words.number(runs['started'])} started{still}",
        )

    def _duration(self) -> KeyFigure:
        now, before = self.now["duration_seconds"], self.before["duration_seconds"]
        return KeyFigure(
            "Duration, median",
            words.duration(now["median"]),
            words.duration(before["median"]),
            _longer(now["median"], before["median"]),
            f"95 % took at most {words.duration(now['p95'])}; {words.counted(self.now['runs']['completed'], 'completed run')}",
        )

    @cached_property
    def notices(self) -> list[Any]:
        """What needs attention, the weightiest first."""
        return weekly_notices(self.document)

    def summary(self) -> dict[str, Any]:
        """The key figures and notices for the list and the mail."""
        return {
            "as_of": self.now["as_of"],
            "empty": self.empty,
            "figures": [] if self.empty else [figure.to_dict() for figure in self.figures],
            "notices": [notice.to_dict() for notice in self.notices],
        }

    @property
    def problems(self) -> list[str]:
        """What contradicts itself in the figures; empty when all is well."""
        runs, traffic = self.now["runs"], self.now["traffic"]
        found = [
            f"{name} runs by day add up to {sum(row[name] for row in traffic)}, not {runs[name]}"
            for name in ("viewed", "started", "completed")
            if sum(row[name] for row in traffic) != runs[name]
        ]
        if not runs["completed"] <= runs["started"] <= runs["viewed"]:
            found.append(f"more runs completed than started, or started than viewed: {runs}")
        by_day = sum(row["events"] for row in self.now["events_by_day"])
        if by_day != self.now["events"]:
            found.append(f"events by day add up to {by_day}, not {self.now['events']}")
        if not self.document["running"] and len(self.now["active_users_by_day"]) != LAST_WEEK:
            found.append("the week has not seven days")
        return found


def cohorts_until(document: Document, monday: date) -> list[tuple[date, int, list[int | None]]]:
    """The cohorts with the weeks after their own up to the report's week, which begins on `monday`.

    Returns:
        For each cohort with people: its Monday, how many they were, and how many were active 1, 2, … weeks later;
        None for a week that has not ended.
    """
    found: dict[date, dict[int, int | None]] = {}
    for row in document["cohorts"]:
        found.setdefault(date.fromisoformat(row["cohort"]), {})[row["weeks_later"]] = row["actors"]
    cohorts = []
    for cohort, cells in sorted(found.items()):
        people, weeks = cells.get(0), (monday - cohort).days // 7
        if not people:
            continue
        later: list[int | None] = [cells.get(week, 0) for week in range(1, weeks + 1)]
        if later and document["running"]:
            later[-1] = None
        cohorts.append((cohort, people, later))
    return cohorts


def _runs_by_name(rows: list[dict[str, Any]]) -> dict[str, int | None]:
    """Runs by the companion's name; None for a name that several have."""
    counts = Counter(row["companion"] for row in rows)
    return {row["companion"]: row["runs"] if counts[row["companion"]] == 1 else None for row in rows}


def _longer(now: float | None, before: float | None) -> str:
    if now is None or before is None:
        return words.NONE
    difference = now - before
    if not difference:
        return "unchanged"
    return f"{words.duration(abs(difference))} {'longer' if difference > 0 else 'shorter'}"


def _peak(days: list[str], values: Any, one: str, many: str = "") -> str:
    """Which day had the most, in words."""
    most = max(values, default=0)
    if not most:
        return f"No day had a {one}."
    day = days[list(values).index(most)]
    return f"{words.day(day)} had the most: {words.counted(int(most), one, many)}."
