"""What dashboards say: key figures with their change, the line of a range, a sentence for each chart."""

from collections.abc import Callable
from datetime import date, timedelta
from html import escape
from typing import TYPE_CHECKING, Any

from panel_apps.scoped import Snapshot
from serving.shell.formats import day, number, percent

if TYPE_CHECKING:
    import pandas as pd

BY = {"day": "", "week": ", by week", "month": ", by month"}
DAY = timedelta(days=1)


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


def range_line(snapshot: Snapshot[Any]) -> str:
    """Which days are shown and why, compared with which, and how fresh the figures are; HTML."""
    scope, before = snapshot.scope, snapshot.before
    as_of = snapshot.answers.as_of
    parts = [f"<strong>{days(scope.start, scope.end)}</strong>", escape(scope.zone)]
    if before is not None:
        elapsed = " (the same part of it)" if before.until else ""
        parts.append(f"compared with {days(before.start, before.end)}{elapsed}")
    parts.append(f'figures as of <time datetime="{as_of.isoformat()}">{as_of:%H:%M:%S} UTC</time>')
    why = f'<span class="why">Suggested: {escape(snapshot.range.why)}</span>' if snapshot.range.why else ""
    return " · ".join(parts) + why


def empty_range(snapshot: Snapshot[Any]) -> str:
    """What to do where nothing happened in the range; empty where something did."""
    if not snapshot.empty:
        return ""
    if snapshot.newest is None:
        words = (
            "No event has been recorded yet. Publish a companion and share its link, or import an event log:"
        )
        return f'<div class="callout"><p>{words} <code>leitstand events import FILE --workspace NAME</code></p></div>'
    newest = f"Nothing happened in this range. The newest event is of {day(snapshot.newest)}."
    return f'<div class="callout"><p>{newest} <a href="?range=recent">Show the latest 30 days with data</a></p></div>'


def days(start: date, end: date) -> str:
    """A range of days as people write it; `end` is the day after the last."""
    last = end - DAY
    return day(start) if last <= start else f"{day(start)} – {day(last)}"


def traffic_words(rows: "pd.DataFrame", unit: str) -> str:
    """The chart of traffic in a sentence."""
    if not int(rows["viewed"].sum()):
        return "No run began in this range."
    best = rows.nlargest(1, "viewed").iloc[0]
    return f"{number(rows['viewed'].sum())} viewed, {number(rows['started'].sum())} started and {number(rows['completed'].sum())} completed runs{BY[unit]}; most {on(best['at'], unit)} ({number(best['viewed'])})."


def active_words(rows: "pd.DataFrame") -> str:
    """The chart of active users in a sentence."""
    if rows.empty or not int(rows["mau"].max()):
        return "Nobody was active in this range or in the 30 days before."
    last, best = rows.iloc[-1], rows.nlargest(1, "dau").iloc[0]
    return f"On {day(last['day'])}: {number(last['dau'])} active that day, {number(last['wau'])} in the 7 days and {number(last['mau'])} in the 30 days ending with it. The busiest day was {day(best['day'])} ({number(best['dau'])})."


def completion_labels(rows: "pd.DataFrame", times: list[str]) -> list[str]:
    """What each point of the chart of completion is called: its time and the counts behind its shares."""
    counts = zip(times, rows["completed"], rows["started"], rows["viewed"], strict=True)
    return [
        f"{at}: {number(done)} of {number(begun)} started, {number(seen)} viewed"
        for at, done, begun, seen in counts
    ]


def on(at: date, unit: str) -> str:
    return {"week": f"in the week of {day(at)}", "month": f"in {at:%B %Y}"}.get(unit, f"on {day(at)}")


def _change(share: float) -> str:
    return percent(share, 0 if share >= 0.1 else 1)


def _marked(up: bool, size: str, before: str, *, judged: bool = True) -> str:
    word, arrow = ("up", "▲") if up else ("down", "▼")
    look = f"delta {word}" if judged else "delta"
    return f'<span class="{look}"><b aria-hidden="true">{arrow}</b> <span class="visually-hidden">{word} </span>{size}</span> <span class="before">{before}</span>'
