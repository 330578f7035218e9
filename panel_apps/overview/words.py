"""What the overview says: key figures with their change, and a sentence for each chart."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from html import escape
from typing import TYPE_CHECKING

from panel_apps.overview.answers import Answers, Figures
from panel_apps.overview.store import Snapshot
from serving.shell.formats import day, duration, number, percent

if TYPE_CHECKING:
    import pandas as pd

DEFINITIONS = {
    "active": "Different people with at least one event in the range. Bots, tests and previews don't count.",
    "viewed": "Runs that were loaded, by the day on which they began.",
    "started": "Runs that got their first answer or input.",
    "completed": "Of the runs that began in the range, those that reached an end step, whenever they did.",
    "rate": "Completed ÷ started runs; beneath it completed ÷ viewed runs.",
    "duration": "From the first to the last event of a completed run. 95% of them took no longer than the second figure.",
    "sessions": "A person's events on one companion without a pause of more than 30 minutes.",
}
BY = {"day": "", "week": ", by week", "month": ", by month"}


@dataclass(frozen=True)
class Tile:
    """One key figure.

    Args:
        title: what it is.
        value: as it is shown.
        note: beneath it.
        change: how it differs from the period before, as HTML; empty without a comparison.
        definition: what exactly is counted.
    """

    title: str
    value: str
    note: str
    change: str
    definition: str


def tiles(answers: Answers) -> list[Tile]:
    """The key figures of the range, compared with the period before where that was asked."""
    now, before = answers.figures, answers.before
    runs = now.runs
    rate_note = (
        f"{number(runs.completed)} of {number(runs.started)}; {percent(runs.rate_of_viewed)} of viewed"
    )
    p95 = f"95% within {duration(runs.p95)}" if runs.p95 is not None else "no completed run"

    def change(figure: Callable[[Figures], float | None]) -> str:
        return delta(figure(now), figure(before), number) if before else ""

    return [
        Tile("Active users", number(now.active_users), f"{number(now.sessions)} sessions", change(lambda one: one.active_users), DEFINITIONS["active"]),
        Tile("Viewed runs", number(runs.viewed), f"{number(now.events)} events", change(lambda one: one.runs.viewed), DEFINITIONS["viewed"]),
        Tile("Started runs", number(runs.started), f"{percent(_share(runs.started, runs.viewed))} of viewed", change(lambda one: one.runs.started), DEFINITIONS["started"]),
        Tile("Completed runs", number(runs.completed), "some may still be going" if runs.immature else "of those that began", change(lambda one: one.runs.completed), DEFINITIONS["completed"]),
        Tile("Completion rate", percent(runs.rate), rate_note, rate_delta(now.runs.rate, before.runs.rate) if before else "", DEFINITIONS["rate"]),
        Tile("Median duration", duration(runs.median), p95, delta(runs.median, before.runs.median, duration, judged=False) if before else "", DEFINITIONS["duration"]),
    ]  # fmt: skip


def delta(
    now: float | None, before: float | None, form: Callable[[float], str], *, judged: bool = True
) -> str:
    """How a figure differs from the one before, as HTML: arrow, share and the figure before.

    Args:
        judged: whether more is better, which a colour shows.
    """
    if now is None or before is None:
        return '<span class="before">none before</span>' if now is not None else ""
    if now == before:
        return f'<span class="delta">= {escape(form(before))} before</span>'
    up = now > before
    size = _change(abs(now - before) / before) if before else "new"
    return _marked(up, size, f"{escape(str(form(before)))} before", judged=judged)


def rate_delta(now: float | None, before: float | None) -> str:
    """The same for a share: the difference in percentage points."""
    if now is None or before is None:
        return ""
    points = round((now - before) * 100, 1)
    if not points:
        return f'<span class="delta">= {percent(before)} before</span>'
    return _marked(points > 0, f"{number(abs(points), 1)} points", f"{percent(before)} before")


def range_line(snapshot: Snapshot) -> str:
    """Which days are shown, compared with which, and how fresh the figures are."""
    scope = snapshot.scope
    parts = [f"<strong>{days(scope.start, scope.end)}</strong>", escape(scope.zone)]
    if snapshot.answers.before is not None:
        before = scope.previous()
        elapsed = " (the same part of it)" if before.until else ""
        parts.append(f"compared with {days(before.start, before.end)}{elapsed}")
    parts.append(
        f'figures as of <time datetime="{snapshot.answers.as_of.isoformat()}">{snapshot.answers.as_of:%H:%M:%S} UTC</time>'
    )
    return " · ".join(parts)


def days(start: date, end: date) -> str:
    """A range of days as people write it; `end` is the day after the last."""
    from datetime import timedelta

    last = end - timedelta(days=1)
    return day(start) if last <= start else f"{day(start)} – {day(last)}"


def traffic_words(rows: "pd.DataFrame", unit: str) -> str:
    """The chart of traffic in a sentence."""
    if not int(rows["viewed"].sum()):
        return "No run began in this range."
    best = rows.nlargest(1, "viewed").iloc[0]
    return f"{number(rows['viewed'].sum())} viewed, {number(rows['started'].sum())} started and {number(rows['completed'].sum())} completed runs{BY[unit]}; most {_on(best['at'], unit)} ({number(best['viewed'])})."


def active_words(rows: "pd.DataFrame") -> str:
    """The chart of active users in a sentence."""
    if rows.empty or not int(rows["mau"].max()):
        return "Nobody was active in this range or in the 30 days before."
    last, best = rows.iloc[-1], rows.nlargest(1, "dau").iloc[0]
    return f"On {day(last['day'])}: {number(last['dau'])} active that day, {number(last['wau'])} in the 7 days and {number(last['mau'])} in the 30 days ending with it. The busiest day was {day(best['day'])} ({number(best['dau'])})."


def completion_words(snapshot: Snapshot) -> str:
    """The chart of completion in a sentence."""
    runs = snapshot.answers.figures.runs
    if runs.rate is None:
        return "No run was started in this range."
    return f"{number(runs.completed)} of {number(runs.started)} started runs were completed ({percent(runs.rate)}), and of {number(runs.viewed)} viewed ones {percent(runs.rate_of_viewed)}."


def completion_labels(rows: "pd.DataFrame", times: list[str]) -> list[str]:
    """What each point of the chart of completion is called: its time and the counts behind its shares."""
    counts = zip(times, rows["completed"], rows["started"], rows["viewed"], strict=True)
    return [
        f"{at}: {number(done)} of {number(begun)} started, {number(seen)} viewed"
        for at, done, begun, seen in counts
    ]


def _on(at: date, unit: str) -> str:
    return {"week": f"in the week of {day(at)}", "month": f"in {at:%B %Y}"}.get(unit, f"on {day(at)}")


def _change(share: float) -> str:
    return percent(share, 0 if share >= 0.1 else 1)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _marked(up: bool, size: str, before: str, *, judged: bool = True) -> str:
    word, arrow = ("up", "▲") if up else ("down", "▼")
    look = f"delta {word}" if judged else "delta"
    return f'<span class="{look}"><b aria-hidden="true">{arrow}</b> <span class="visually-hidden">{word} </span>{size}</span> <span class="before">{before}</span>'
