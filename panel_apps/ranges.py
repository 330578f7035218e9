"""Ranges by name: what "last 7 days" means today, what a range in an address means, and which one is suggested."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from leitstand.insights.scope import EARLIEST, LATEST
from leitstand.words import N_
from panel_apps.speech import day, number, say, told

DAY = timedelta(days=1)
AUTO, RECENT, ALL = "auto", "recent", "all"
PRESETS = {
    AUTO: N_("Suggested range"),
    RECENT: N_("Latest 30 days with data"),
    "last-7": N_("Last 7 days"),
    "last-30": N_("Last 30 days"),
    "last-90": N_("Last 90 days"),
    "last-365": N_("Last 365 days"),
    "this-month": N_("This month"),
    "last-month": N_("Last month"),
    ALL: N_("All there is"),
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
    for word in TRIED:
        if total and within[word] >= FAIR_SHARE * total:
            why = say(
                "{range}: the shortest of the last 30, 90 and 365 days with at least a tenth of all runs"
                " ({part} of {all} runs).",
                range=told(PRESETS[word]), part=number(within[word]), all=number(total),
            )  # fmt: skip
            return Suggestion(word, why)
    if not total:
        return Suggestion(TRIED[0], say("{range}: there is no run yet.", range=told(PRESETS[TRIED[0]])))
    few = say(
        "All there is: the last 365 days hold less than a tenth of it ({part} of {all} runs).",
        part=number(within[TRIED[-1]]), all=number(total),
    )  # fmt: skip
    return Suggestion(ALL, few)


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
            notice = say(
                "“{word}” has a day that is in no calendar: the suggested range is shown.", word=word
            )
        else:
            return _between(start, last_day)
    else:
        notice = say("“{word}” is no range: the suggested range is shown.", word=word[:40])
    usual = find_range(AUTO, today=today, first=first, last=last, suggested=suggested)
    return replace(usual, notice=notice)


def _between(first: date, last: date) -> Range:
    notice = ""
    if first > last:
        first, last, notice = (
            last,
            first,
            say("The range's last day lay before its first: they have been swapped."),
        )
    start, final = max(first, EARLIEST), min(last, LATEST - DAY)
    if start > final:
        start = final = min(max(first, EARLIEST), LATEST - DAY)
    if (start, final) != (first, last):
        notice = say(
            "The range was cut to {first} – {last}: no day before {earliest} or after {latest} can be asked for.",
            first=day(start), last=day(final), earliest=day(EARLIEST), latest=day(LATEST - DAY),
        )  # fmt: skip
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
