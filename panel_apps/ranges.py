"""Ranges by name: what "last 7 days" means today, what a range in an address means, and which one is suggested."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from leitstand.insights.scope import EARLIEST, LATEST
from serving.shell.formats import number

DAY = timedelta(days=1)
AUTO, RECENT, ALL = "auto", "recent", "all"
PRESETS = {
    AUTO: "Suggested range",
    RECENT: "Latest 30 days with data",
    "last-7": "Last 7 days",
    "last-30": "Last 30 days",
    "last-90": "Last 90 days",
    "last-365": "Last 365 days",
    "this-month": "This month",
    "last-month": "Last month",
    ALL: "All there is",
}
# What is tried when a range is suggested, and which part of all runs it must hold.
TRIED = ("last-30", "last-90", "last-365")
FAIR_SHARE = 0.1
BETWEEN = re.compile(r"(\d{4}-\d{2}-\d{2})\.\.(\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True)
class Suggestion:
    """A preset and why it was chosen, as a sentence."""

    word: str
    why: str


@dataclass(frozen=True)
class Range:
    """Days of a range.

    Args:
        word: how the address names it: a preset, or FIRST..LAST (both days included).
        start: first day.
        end: the day after the last.
        notice: what was corrected, for the person; empty where nothing was.
        why: why these days, where the range was suggested; else empty.
        whole: whether it is all there is, before which there is nothing.
    """

    word: str
    start: date
    end: date
    notice: str = ""
    why: str = ""
    whole: bool = False


def suggest(total: int, within: Mapping[str, int]) -> Suggestion:
    """The shortest of the last 30, 90 and 365 days that holds at least a tenth of all runs, else all there is.

    Args:
        total: how many runs there are.
        within: how many of them lie within each of `TRIED`.
    """
    rule = "the shortest of the last 30, 90 and 365 days with at least a tenth of all runs"
    for word in TRIED:
        if total and within[word] >= FAIR_SHARE * total:
            return Suggestion(
                word, f"{PRESETS[word]}: {rule} ({number(within[word])} of {number(total)} runs)."
            )
    if not total:
        return Suggestion(TRIED[0], f"{PRESETS[TRIED[0]]}: there is no run yet.")
    longest = TRIED[-1]
    few = f"{number(within[longest])} of {number(total)} runs"
    return Suggestion(
        ALL, f"All there is: the {PRESETS[longest].lower()} hold less than a tenth of it ({few})."
    )


def find_range(
    word: str, *, today: date, first: date | None, last: date | None, suggested: Callable[[], Suggestion]
) -> Range:
    """The days that a word of the address means; one that means nothing becomes the default, with a notice.

    Args:
        word: a preset, or FIRST..LAST (both days included).
        today: the day it is now in the zone of the report.
        first: the first day with data; None without any.
        last: the last one.
        suggested: gives what `AUTO` means; asked only where it is needed.
    """
    if word == AUTO:
        chosen = suggested()
        days = _preset(chosen.word, today, first, last)
        return Range(word, *days, why=chosen.why, whole=chosen.word == ALL)
    if word in PRESETS:
        return Range(word, *_preset(word, today, first, last), whole=word == ALL)
    found = BETWEEN.fullmatch(word)
    if found is not None:
        try:
            start, last_day = (date.fromisoformat(day) for day in found.groups())
        except ValueError:
            problem = f"“{word}” has a day that is in no calendar"
        else:
            return _between(start, last_day)
    else:
        problem = f"“{word[:40]}” is no range"
    usual = find_range(AUTO, today=today, first=first, last=last, suggested=suggested)
    return replace(usual, notice=f"{problem}: the {PRESETS[AUTO].lower()} is shown.")


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
    if word == ALL:
        return first or newest, newest + DAY
    month = today.replace(day=1)
    if word == "this-month":
        return month, (month + 31 * DAY).replace(day=1)
    if word == "last-month":
        return (month - DAY).replace(day=1), month
    length = int(word.removeprefix("last-"))
    return today - (length - 1) * DAY, today + DAY
