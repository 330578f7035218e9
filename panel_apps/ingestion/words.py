"""What the ingestion dashboard says: its key figures, and its charts."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from panel_apps.definitions import DEFINITIONS
from panel_apps.ingestion.answers import Answers, Totals
from panel_apps.parts import Tile, share_of
from panel_apps.speech import duration, number, percent, say
from panel_apps.words import delta

if TYPE_CHECKING:
    import pandas as pd


def tiles(answers: Answers) -> list[Tile]:
    """The key figures of the range, compared where that was asked."""
    now, before = answers.totals, answers.before.totals if answers.before else None
    sent, read = now.accepted + now.refused, now.ready + now.failed

    def change(figure: Callable[[Totals], float], *, judged: bool = False) -> str:
        return delta(figure(now), figure(before), number, judged=judged) if before else ""

    lost = say("{share} of {all} sent", share=percent(share_of(now.refused, sent)), all=number(sent))
    failed = say("{share} of {all} read", share=percent(share_of(now.failed, read)), all=number(read))
    slow = say(
        "95% within {time}; of {count} ready",
        time=duration(now.latency.p95), count=number(now.latency.documents),
    )  # fmt: skip
    return [
        Tile(say("Event files"), number(now.files), say("imported"), change(lambda one: one.files), DEFINITIONS["files"]),
        Tile(say("Accepted events"), number(now.accepted), say("of imported files"), change(lambda one: one.accepted), DEFINITIONS["accepted"]),
        Tile(say("Refused events"), number(now.refused), lost, change(lambda one: one.refused), DEFINITIONS["refused"], "bad" if now.refused else ""),
        Tile(say("Documents ready"), number(now.ready), say("{count} not read yet", count=number(now.waiting)), change(lambda one: one.ready), DEFINITIONS["ready"]),
        Tile(say("Documents failed"), number(now.failed), failed, change(lambda one: one.failed), DEFINITIONS["failed"], "bad" if now.failed else ""),
        Tile(say("Until ready"), duration(now.latency.median), slow, "", DEFINITIONS["latency"]),
    ]  # fmt: skip


def events_words(rows: "pd.DataFrame") -> str:
    """The chart of events in a sentence."""
    if rows.empty:
        return say("No event file was imported in this range.")
    names = ("files", "accepted", "refused", "duplicates")
    return say(
        "{files} files: {accepted} accepted, {refused} refused, {duplicates} there already.",
        **{name: number(rows[name].sum()) for name in names},
    )


def documents_words(rows: "pd.DataFrame") -> str:
    """The chart of documents in a sentence."""
    if rows.empty:
        return say("No document was uploaded in this range.")
    return say(
        "{ready} ready, {failed} failed, {waiting} not read yet.",
        **{name: number(rows[name].sum()) for name in ("ready", "failed", "waiting")},
    )
