"""Ranges by name: what "last 7 days" means today, and what a range in an address means."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from leitstand.insights.scope import EARLIEST, LATEST

DAY = timedelta(days=1)
RECENT = "recent"
PRESETS = {
    RECENT: "Latest 30 days with data",
    "last-7": "Last 7 days",
    "last-30": "Last 30 days",
    "last-90": "Last 90 days",
    "this-month": "This month",
    "last-month": "Last month",
    "all": "All there is",
}
BETWEEN = re.compile(r"(\d{4}-\d{2}-\d{2})\.\.(\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True)
class Range:
    """Days of a range.

    Args:
        word: how the address names it: a preset, or FIRST..LAST (both days included).
        start: first day.
        end: the day after the last.
        notice: what was corrected, for the person; empty where nothing was.
    """

    word: str
    start: date
    end: date
    notice: str = ""


def find_range(word: str, *, today: date, first: date | None, last: date | None) -> Range:
    """The days that a word of the address means; one that means nothing becomes the default, with a notice.

    Args:
        word: a preset, or FIRST..LAST (both days included).
        today: the day it is now in the zone of the report.
        first: the first day with data; None without any.
        last: the last one.
    """
    if word in PRESETS:
        return Range(word, *_preset(word, today, first, last))
    usual = find_range(RECENT, today=today, first=first, last=last)
    found = BETWEEN.fullmatch(word)
    if found is None:
        return Range(
            usual.word,
            usual.start,
            usual.end,
            f"“{word[:40]}” is no range: the {PRESETS[RECENT].lower()} are shown.",
        )
    try:
        start, last_day = (date.fromisoformat(day) for day in found.groups())
    except ValueError:
        return Range(
            usual.word,
            usual.start,
            usual.end,
            f"“{word}” has a day that is in no calendar: the {PRESETS[RECENT].lower()} are shown.",
        )
    return _between(start, last_day)


def _between(first: date, last: date) -> Range:
    notice = ""
    if first > last:
        first, last, notice = (
            last,
            first,
            "The range's last day lay before its first: they have been swapped.",
        )
    start, final = max(first, EARLIEST), min(last, LATEST - DAY)
    if start > final:
        start = final = min(max(first, EARLIEST), LATEST - DAY)
    if (start, final) != (first, last):
        notice = f"The range was cut to {start}..{final}: no day before {EARLIEST} or after {LATEST - DAY} can be asked for."
    return Range(f"{start}..{final}", start, final + DAY, notice)


def _preset(word: str, today: date, first: date | None, last: date | None) -> tuple[date, date]:
    newest = last or today
    if word == RECENT:
        return newest - 29 * DAY, newest + DAY
    if word == "all":
        return first or newest, newest + DAY
    month = today.replace(day=1)
    if word == "this-month":
        return month, (month + 31 * DAY).replace(day=1)
    if word == "last-month":
        return (month - DAY).replace(day=1), month
    length = int(word.removeprefix("last-"))
    return today - (length - 1) * DAY, today + DAY
