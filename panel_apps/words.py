"""What dashboards say: key figures with their change, the line of a range, a sentence for each chart."""

from collections.abc import Callable
from datetime import date, timedelta
from html import escape
from typing import TYPE_CHECKING, Any

from panel_apps.scoped import Snapshot
from panel_apps.speech import clock, day, month, number, percent, say

if TYPE_CHECKING:
    import pandas as pd

DAY = timedelta(days=1)


def delta(
    now: float | None, before: float | None, form: Callable[[float], str], *, judged: bool = True
) -> str:
    """How a figure differs from the one before, as HTML: arrow, share and the figure before.

    Args:
        judged: whether more is better, which a colour shows.
    """
    if now is None or before is None:
        return f'<span class="before">{say("none before")}</span>' if now is not None else ""
    if now == before:
        return _same(form(before))
    up = now > before
    size = _change(abs(now - before) / before) if before else say("new")
    return _marked(up, size, form(before), judged=judged)


def rate_delta(now: float | None, before: float | None) -> str:
    """The same for a share: the difference in percentage points."""
    if now is None or before is None:
        return ""
    points = round((now - before) * 100, 1)
    if not points:
        return _same(percent(before))
    return _marked(points > 0, say("{count} points", count=number(abs(points), 1)), percent(before))


def range_line(snapshot: Snapshot[Any]) -> str:
    """Which days are shown and why, compared with which, and how fresh the figures are; HTML."""
    scope, before = snapshot.scope, snapshot.before
    as_of = snapshot.answers.as_of
    parts = [f"<strong>{days(scope.start, scope.end)}</strong>", escape(scope.zone)]
    if before is not None:
        other = days(before.start, before.end)
        parts.append(
            say("compared with {days} (the same part of it)", days=other)
            if before.until
            else say("compared with {days}", days=other)
        )
    time = f'<time datetime="{as_of.isoformat()}">{clock(as_of, seconds=True)} UTC</time>'
    parts.append(say("figures as of {time}", time=time))
    reason = snapshot.range.why
    why = f'<span class="why">{escape(say("Suggested: {why}", why=reason))}</span>' if reason else ""
    return " · ".join(parts) + why


def empty_range(snapshot: Snapshot[Any]) -> str:
    """What to do where nothing happened in the range; empty where something did."""
    if not snapshot.empty:
        return ""
    if snapshot.newest is None:
        return f'<div class="callout"><p>{snapshot.beginning}</p></div>'
    newest = say(
        "Nothing happened in this range. The newest day with data is {day}.", day=day(snapshot.newest)
    )
    link = f'<a href="?range=recent">{say("Show the latest 30 days with data")}</a>'
    return f'<div class="callout"><p>{newest} {link}</p></div>'


def days(start: date, end: date) -> str:
    """A range of days as people write it; `end` is the day after the last."""
    last = end - DAY
    return day(start) if last <= start else f"{day(start)} – {day(last)}"


def traffic_words(rows: "pd.DataFrame", unit: str) -> str:
    """The chart of traffic in a sentence."""
    if not int(rows["viewed"].sum()):
        return say("No run began in this range.")
    best = rows.nlargest(1, "viewed").iloc[0]
    return say(
        "{viewed} viewed, {started} started and {completed} completed runs{by}; most {when} ({most}).",
        **{name: number(rows[name].sum()) for name in ("viewed", "started", "completed")},
        by=by(unit), when=on(best["at"], unit), most=number(best["viewed"]),
    )  # fmt: skip


def active_words(rows: "pd.DataFrame") -> str:
    """The chart of active users in a sentence."""
    if rows.empty or not int(rows["mau"].max()):
        return say("Nobody was active in this range or in the 30 days before.")
    last, best = rows.iloc[-1], rows.nlargest(1, "dau").iloc[0]
    return say(
        "On {day}: {dau} active that day, {wau} in the 7 days and {mau} in the 30 days ending with it."
        " The busiest day was {best} ({most}).",
        day=day(last["day"]),
        **{name: number(last[name]) for name in ("dau", "wau", "mau")},
        best=day(best["day"]), most=number(best["dau"]),
    )  # fmt: skip


def completion_labels(rows: "pd.DataFrame", times: list[str]) -> list[str]:
    """What each point of the chart of completion is called: its time and the counts behind its shares."""
    counts = zip(times, rows["completed"], rows["started"], rows["viewed"], strict=True)
    return [
        say(
            "{at}: {done} of {begun} started, {seen} viewed",
            at=at,
            done=number(done),
            begun=number(begun),
            seen=number(seen),
        )
        for at, done, begun, seen in counts
    ]


def on(at: date, unit: str) -> str:
    """When something was, as the end of a sentence."""
    if unit == "week":
        return say("in the week of {day}", day=day(at))
    return say("in {month}", month=month(at)) if unit == "month" else say("on {day}", day=day(at))


def by(unit: str) -> str:
    """By what counts were summed, as a part of a sentence; nothing where each day is its own."""
    if unit == "week":
        return say(", by week")
    return say(", by month") if unit == "month" else ""


def _change(share: float) -> str:
    return percent(share, 0 if share >= 0.1 else 1)


def _same(before: str) -> str:
    return f'<span class="delta">= {escape(say("{figure} before", figure=before))}</span>'


def _marked(up: bool, size: str, before: str, *, judged: bool = True) -> str:
    look, word, arrow = ("up", say("up"), "▲") if up else ("down", say("down"), "▼")
    look = f"delta {look}" if judged else "delta"
    earlier = escape(say("{figure} before", figure=before))
    return f'<span class="{look}"><b aria-hidden="true">{arrow}</b> <span class="visually-hidden">{word} </span>{size}</span> <span class="before">{earlier}</span>'
