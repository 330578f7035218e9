"""What the audience dashboard says: its key figures, and its chart of new and returning people."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from panel_apps.audience.answers import Answers, People
from panel_apps.definitions import DEFINITIONS
from panel_apps.parts import Tile, share_of
from panel_apps.words import BY, delta, on
from serving.shell.formats import day, number, percent

if TYPE_CHECKING:
    import pandas as pd


def tiles(answers: Answers) -> list[Tile]:
    """The key figures of the range, compared where that was asked."""
    now, before = answers.people, answers.before
    new, returning, active = now.newcomers.new, now.newcomers.returning, now.active_users

    def change(figure: Callable[[People], float]) -> str:
        return delta(figure(now), figure(before), number) if before else ""

    def share(part: int) -> str:
        return f"{percent(share_of(part, active))} of {number(active)} active"

    return [
        Tile("Active users", number(active), "in the range", change(lambda one: one.active_users), DEFINITIONS["active"]),
        Tile("New users", number(new), share(new), change(lambda one: one.newcomers.new), DEFINITIONS["new"]),
        Tile("Returning users", number(returning), share(returning), change(lambda one: one.newcomers.returning), DEFINITIONS["returning"]),
        Tile("Sessions", number(now.sessions), _each(now), change(lambda one: one.sessions), DEFINITIONS["sessions"]),
        *_last_day(answers.active),
    ]  # fmt: skip


def newcomers_words(rows: "pd.DataFrame", people: People, unit: str) -> str:
    """The chart of new and returning people in a sentence."""
    if rows.empty:
        return "Nobody was active in this range."
    best = rows.nlargest(1, "new").iloc[0]
    most = f"; most {on(best['at'], unit)} ({number(best['new'])})" if best["new"] else ""
    return f"{number(people.newcomers.new)} of {number(people.active_users)} active people were new{BY[unit]}{most}."


def _last_day(active: "pd.DataFrame") -> list[Tile]:
    if active.empty:
        return []
    last = active.iloc[-1]
    whole = f"{number(last['dau'])} that day, {number(last['wau'])} in 7 days"
    return [
        Tile(
            f"Active by {day(last['day'])}",
            number(last["mau"]),
            f"in 30 days; {whole}",
            "",
            DEFINITIONS["active-days"],
        )
    ]


def _each(people: People) -> str:
    if not people.active_users:
        return "nobody was active"
    return f"{number(people.sessions / people.active_users, 1)} for each of {number(people.active_users)}"
