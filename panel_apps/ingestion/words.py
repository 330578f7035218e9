"""What the ingestion dashboard says: its key figures, and its charts."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from panel_apps.definitions import DEFINITIONS
from panel_apps.ingestion.answers import Answers, Totals
from panel_apps.parts import Tile, share_of
from panel_apps.words import delta
from serving.shell.formats import duration, number, percent

if TYPE_CHECKING:
    import pandas as pd


def tiles(answers: Answers) -> list[Tile]:
    """The key figures of the range, compared where that was asked."""
    now, before = answers.totals, answers.before.totals if answers.before else None
    sent, read = now.accepted + now.refused, now.ready + now.failed

    def change(figure: Callable[[Totals], float], *, judged: bool = False) -> str:
        return delta(figure(now), figure(before), number, judged=judged) if before else ""

    lost = f"{percent(share_of(now.refused, sent))} of {number(sent)} sent"
    failed = f"{percent(share_of(now.failed, read))} of {number(read)} read"
    slow = f"95% within {duration(now.latency.p95)}; of {number(now.latency.documents)} ready"
    return [
        Tile("Event files", number(now.files), "imported", change(lambda one: one.files), DEFINITIONS["files"]),
        Tile("Accepted events", number(now.accepted), "of imported files", change(lambda one: one.accepted), DEFINITIONS["accepted"]),
        Tile("Refused events", number(now.refused), lost, change(lambda one: one.refused), DEFINITIONS["refused"], "bad" if now.refused else ""),
        Tile("Documents ready", number(now.ready), f"{number(now.waiting)} not read yet", change(lambda one: one.ready), DEFINITIONS["ready"]),
        Tile("Documents failed", number(now.failed), failed, change(lambda one: one.failed), DEFINITIONS["failed"], "bad" if now.failed else ""),
        Tile("Until ready", duration(now.latency.median), slow, "", DEFINITIONS["latency"]),
    ]  # fmt: skip


def events_words(rows: "pd.DataFrame") -> str:
    """The chart of events in a sentence."""
    if rows.empty:
        return "No event file was imported in this range."
    said = ", ".join(
        f"{number(rows[name].sum())} {word}"
        for name, word in (("accepted", "accepted"), ("refused", "refused"), ("duplicates", "there already"))
    )
    return f"{number(rows['files'].sum())} files: {said}."


def documents_words(rows: "pd.DataFrame") -> str:
    """The chart of documents in a sentence."""
    if rows.empty:
        return "No document was uploaded in this range."
    return f"{number(rows['ready'].sum())} ready, {number(rows['failed'].sum())} failed, {number(rows['waiting'].sum())} not read yet."
