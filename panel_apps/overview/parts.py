"""The overview's parts that are HTML: bars of companions."""

from typing import TYPE_CHECKING

from panel_apps.parts import bar, bars, nothing, with_share
from panel_apps.speech import number, say

if TYPE_CHECKING:
    import pandas as pd


def score(value: float) -> str:
    """A popularity score: one that fades says so."""
    return number(value, 2) if value >= 0.01 else f"< {number(0.01, 2)}"


def companions_table(rows: "pd.DataFrame") -> str:
    """The companions with the most runs, as bars."""
    if rows.empty:
        return nothing(say("No companion was used in this range."))
    widest = max(1, int(rows["runs"].max()))
    body = [
        bar(
            row["companion"],
            row["runs"],
            widest,
            [number(row["runs"]), with_share(row["completed"], row["runs"]), number(row["active_users"])],
        )
        for row in rows.to_dict("records")
    ]
    heads = (say("Companion"), say("Runs"), say("Completed"), say("Active users"))
    return bars(heads, body, say("Most used companions"))


def popular_table(rows: "pd.DataFrame") -> str:
    """The companions by decayed use, as bars."""
    if rows.empty:
        return nothing(say("Nobody used a companion in this range."))
    widest = max(float(rows["score"].max()), 1e-12)
    body = [
        bar(row["companion"], row["score"], widest, [score(row["score"])]) for row in rows.to_dict("records")
    ]
    return bars((say("Companion"), say("Score")), body, say("Popular companions"))
