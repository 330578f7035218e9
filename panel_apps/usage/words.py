"""What the usage dashboard says: the running month against what is allowed, and its charts."""

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

from leitstand.insights.usage import Forecast
from panel_apps.definitions import DEFINITIONS
from panel_apps.parts import Tile
from panel_apps.speech import cost, day, month, month_name, number, say, size
from panel_apps.usage.answers import Answers

if TYPE_CHECKING:
    import pandas as pd


def tiles(answers: Answers) -> list[Tile]:
    """The running month and what is stored."""
    name, limits = month_name(answers.month), answers.limits
    return [
        Tile(say("Events in {month}", month=name), number(answers.events.so_far), _foretold(answers.events, answers), _limit(limits.events_a_month, number), DEFINITIONS["forecast"]),
        Tile(say("Runs in {month}", month=name), number(answers.runs.so_far), _foretold(answers.runs, answers), _limit(None, number), DEFINITIONS["forecast"]),
        Tile(say("Active users in {month}", month=name), number(answers.active_users), say("until now; people are not foretold"), _limit(None, number), DEFINITIONS["monthly-users"]),
        Tile(say("Documents"), number(answers.stored.documents), say("stored now"), _limit(None, number), DEFINITIONS["stored"]),
        Tile(say("Storage"), size(answers.stored.bytes), say("of documents, now"), _limit(limits.storage_bytes, size), DEFINITIONS["stored"]),
        Tile(say("Tokens in {month}", month=name), number(answers.tokens), say("of models, until now"), _limit(limits.model_tokens_a_month, number), DEFINITIONS["usage-tokens"]),
    ]  # fmt: skip


def _limit(most: int | None, form: Callable[[int], str]) -> str:
    """What the plan has room for, as HTML."""
    return escape(say("no limit") if most is None else say("the plan has room for {most}", most=form(most)))


def tokens_words(answers: Answers) -> str:
    """The chart of tokens by month in a sentence."""
    rows = answers.months
    if not int(rows["tokens"].sum()):
        return say("No model was asked in this range.")
    return say(
        "{total} tokens in {months} months, which cost {cost}; most in {best} ({most}).",
        **_totals(rows, "tokens"),
        cost=cost(int(rows["cost_millionths"].sum()), answers.currency),
    )


def events_words(rows: "pd.DataFrame") -> str:
    """The chart of events by month in a sentence."""
    if not int(rows["events"].sum()):
        return say("No events in this range.")
    return say("{total} events in {months} months; most in {best} ({most}).", **_totals(rows, "events"))


def runs_words(rows: "pd.DataFrame") -> str:
    """The chart of runs by month in a sentence."""
    if not int(rows["runs"].sum()):
        return say("No runs in this range.")
    return say("{total} runs in {months} months; most in {best} ({most}).", **_totals(rows, "runs"))


def _totals(rows: "pd.DataFrame", column: str) -> dict[str, str]:
    best = rows.nlargest(1, column).iloc[0]
    return {
        "total": number(rows[column].sum()),
        "months": number(len(rows)),
        "best": month(best["month"]),
        "most": number(best[column]),
    }


def people_words(rows: "pd.DataFrame") -> str:
    """The chart of people by month in a sentence; people of several months are never added."""
    if not int(rows["active_users"].max()):
        return say("Nobody was active in this range.")
    best = rows.nlargest(1, "active_users").iloc[0]
    last = rows.iloc[-1]
    return say(
        "{last} people in {month}; most in {best} ({most}).",
        last=number(last["active_users"]), month=month(last["month"]),
        best=month(best["month"]), most=number(best["active_users"]),
    )  # fmt: skip


def _foretold(one: Forecast, answers: Answers) -> str:
    span = f"{number(one.low)}–{number(one.high)}"
    return say(
        "about {expected} ({span}) by {day}", expected=number(one.expected), span=span, day=day(answers.last)
    )
