"""What the agents dashboard says: its key figures, its charts, and what agents and purposes are called."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from leitstand.words import N_
from panel_apps.agents.answers import Answers, Totals
from panel_apps.definitions import DEFINITIONS
from panel_apps.parts import Tile, share_of
from panel_apps.speech import cost, duration, number, percent, say, told
from panel_apps.words import delta

if TYPE_CHECKING:
    import pandas as pd

PURPOSES = {
    "agent": N_("Agents"),
    "assistant": N_("Assistant"),
    "companion": N_("Companions"),
    "ask": N_("Questions to spaces"),
}


def purpose(name: str) -> str:
    """What models were asked for."""
    return told(PURPOSES.get(name, name))


def agent_name(title: str) -> str:
    """What an agent is called; those without a name are gone or are not the reader's to open."""
    return title or say("Agents that are gone or that you may not open")


def tiles(answers: Answers) -> list[Tile]:
    """The key figures of the range, compared where that was asked."""
    now, before = answers.totals, answers.before.totals if answers.before else None

    def change(figure: Callable[[Totals], float]) -> str:
        return delta(figure(now), figure(before), number, judged=False) if before else ""

    def money(millionths: float) -> str:
        return cost(round(millionths), answers.currency)

    spent = delta(now.used.cost, before.used.cost, money, judged=False) if before else ""
    ended = now.threads - now.open
    good = say(
        "{share} of {all} that ended", share=percent(share_of(now.succeeded, ended)), all=number(ended)
    )
    lost = say("{share} of {all} that ended", share=percent(share_of(now.failed, ended)), all=number(ended))
    unanswered = say("{count} without an answer", count=number(now.used.failed))
    slow = say("95% within {time}", time=duration(now.used.p95))
    return [
        Tile(say("Threads"), number(now.threads), say("{count} going on", count=number(now.open)), change(lambda one: one.threads), DEFINITIONS["threads"]),
        Tile(say("Succeeded"), number(now.succeeded), good, change(lambda one: one.succeeded), DEFINITIONS["threads"]),
        Tile(say("Failed"), number(now.failed), lost, change(lambda one: one.failed), DEFINITIONS["threads"], "bad" if now.failed else ""),
        Tile(say("Questions to models"), number(now.used.questions), unanswered, change(lambda one: one.used.questions), DEFINITIONS["model-questions"]),
        Tile(say("Tokens"), number(now.used.tokens), say("of questions and answers"), change(lambda one: one.used.tokens), DEFINITIONS["tokens"]),
        Tile(say("Cost"), cost(now.used.cost, answers.currency), say("by the prices at the endpoints"), spent, DEFINITIONS["cost"]),
        Tile(say("Until the answer"), duration(now.used.median), slow, "", DEFINITIONS["answer-time"]),
    ]  # fmt: skip


def threads_words(rows: "pd.DataFrame") -> str:
    """The chart of threads in a sentence."""
    if rows.empty:
        return say("No thread began in this range.")
    return say(
        "{succeeded} succeeded, {failed} failed, {cancelled} cancelled, {open} going on.",
        **{name: number(rows[name].sum()) for name in ("succeeded", "failed", "cancelled", "open")},
    )


def tokens_words(answers: Answers) -> str:
    """The chart of tokens in a sentence."""
    used = answers.totals.used
    if not used.questions:
        return say("No model was asked in this range.")
    return say(
        "{questions} questions used {tokens} tokens and cost {cost}.",
        questions=number(used.questions),
        tokens=number(used.tokens),
        cost=cost(used.cost, answers.currency),
    )
