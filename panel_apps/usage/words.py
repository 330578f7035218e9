"""What the usage dashboard says: the running month against what is allowed, and its charts."""

from typing import TYPE_CHECKING

from leitstand.insights.usage import Forecast
from panel_apps.definitions import DEFINITIONS
from panel_apps.parts import Tile
from panel_apps.usage.answers import Answers
from serving.shell.formats import day, number, size

if TYPE_CHECKING:
    import pandas as pd

# There are no plans yet, so nothing is limited.
NO_LIMIT = "no limit"


def tiles(answers: Answers) -> list[Tile]:
    """The running month and what is stored."""
    name = f"{answers.month:%B}"
    return [
        Tile(f"Events in {name}", number(answers.events.so_far), _foretold(answers.events, answers), NO_LIMIT, DEFINITIONS["forecast"]),
        Tile(f"Runs in {name}", number(answers.runs.so_far), _foretold(answers.runs, answers), NO_LIMIT, DEFINITIONS["forecast"]),
        Tile(f"Active users in {name}", number(answers.active_users), "until now; people are not foretold", NO_LIMIT, DEFINITIONS["monthly-users"]),
        Tile("Documents", number(answers.stored.documents), "stored now", NO_LIMIT, DEFINITIONS["stored"]),
        Tile("Storage", size(answers.stored.bytes), "of documents, now", NO_LIMIT, DEFINITIONS["stored"]),
    ]  # fmt: skip


def months_words(rows: "pd.DataFrame", column: str, what: str) -> str:
    """A chart by month in a sentence."""
    total = int(rows[column].sum())
    if not total:
        return f"No {what} in this range."
    best = rows.nlargest(1, column).iloc[0]
    return f"{number(total)} {what} in {number(len(rows))} months; most in {best['month']:%B %Y} ({number(best[column])})."


def people_words(rows: "pd.DataFrame") -> str:
    """The chart of people by month in a sentence; people of several months are never added."""
    if not int(rows["active_users"].max()):
        return "Nobody was active in this range."
    best = rows.nlargest(1, "active_users").iloc[0]
    last = rows.iloc[-1]
    return (
        f"{number(last['active_users'])} people in {last['month']:%B %Y}; "
        f"most in {best['month']:%B %Y} ({number(best['active_users'])})."
    )


def _foretold(one: Forecast, answers: Answers) -> str:
    span = f"{number(one.low)}–{number(one.high)}"
    return f"about {number(one.expected)} ({span}) by {day(answers.last)}"
