"""What the audience dashboard says: its key figures, and its chart of new and returning people."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from panel_apps.audience.answers import Answers, People
from panel_apps.definitions import DEFINITIONS
from panel_apps.parts import Tile, share_of
from panel_apps.speech import day, number, percent, say
from panel_apps.words import by, delta, on

if TYPE_CHECKING:
    import pandas as pd


def tiles(answers: Answers) -> list[Tile]:
    """The key figures of the range, compared where that was asked."""
    now, before = answers.people, answers.before
    new, returning, active = now.newcomers.new, now.newcomers.returning, now.active_users

    def change(figure: Callable[[People], float]) -> str:
        return delta(figure(now), figure(before), number) if before else ""

    def share(part: int) -> str:
        return say("{share} of {all} active", share=percent(share_of(part, active)), all=number(active))

    return [
        Tile(say("Active users"), number(active), say("in the range"), change(lambda one: one.active_users), DEFINITIONS["active"]),
        Tile(say("New users"), number(new), share(new), change(lambda one: one.newcomers.new), DEFINITIONS["new"]),
        Tile(say("Returning users"), number(returning), share(returning), change(lambda one: one.newcomers.returning), DEFINITIONS["returning"]),
        Tile(say("Sessions"), number(now.sessions), _each(now), change(lambda one: one.sessions), DEFINITIONS["sessions"]),
        *_last_day(answers.active),
    ]  # fmt: skip


def newcomers_words(rows: "pd.DataFrame", people: People, unit: str) -> str:
    """The chart of new and returning people in a sentence."""
    if rows.empty:
        return say("Nobody was active in this range.")
    best = rows.nlargest(1, "new").iloc[0]
    counts = {"new": number(people.newcomers.new), "all": number(people.active_users), "by": by(unit)}
    if not best["new"]:
        return say("{new} of {all} active people were new{by}.", **counts)
    return say(
        "{new} of {all} active people were new{by}; most {when} ({most}).",
        **counts, when=on(best["at"], unit), most=number(best["new"]),
    )  # fmt: skip


def _last_day(active: "pd.DataFrame") -> list[Tile]:
    if active.empty:
        return []
    last = active.iloc[-1]
    note = say(
        "in 30 days; {dau} that day, {wau} in 7 days", dau=number(last["dau"]), wau=number(last["wau"])
    )
    return [
        Tile(
            say("Active by {day}", day=day(last["day"])),
            number(last["mau"]),
            note,
            "",
            DEFINITIONS["active-days"],
        )
    ]


def _each(people: People) -> str:
    if not people.active_users:
        return say("nobody was active")
    each = number(people.sessions / people.active_users, 1)
    return say("{each} for each of {all}", each=each, all=number(people.active_users))
