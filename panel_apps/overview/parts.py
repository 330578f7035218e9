"""The overview's parts that are HTML: bars of steps and companions."""

from typing import TYPE_CHECKING, Any

from panel_apps.parts import bar, bars, nothing, with_share
from serving.shell.formats import EMPTY, number, percent

if TYPE_CHECKING:
    import pandas as pd

MOST_STEPS = 12


def score(value: float) -> str:
    """A popularity score: one that fades says so."""
    return number(value, 2) if value >= 0.01 else "< 0.01"


def funnel(rows: "pd.DataFrame") -> str:
    """Steps as bars: how many runs reached each, and how many of these went no further."""
    if rows.empty or not int(rows["reached"].max()):
        return nothing("No run took a step in this range.")
    widest, shown = int(rows["reached"].max()), rows.head(MOST_STEPS)
    more = (
        f'<p class="muted small">{len(shown)} of {len(rows)} steps; the CSV has them all.</p>'
        if len(shown) < len(rows)
        else ""
    )
    body = [
        bar(row["step"], row["reached"], widest, [number(row["reached"]), _gone(row)])
        for row in shown.to_dict("records")
    ]
    return bars(("Step", "Reached", "Went no further"), body, "Steps") + more


def companions_table(rows: "pd.DataFrame") -> str:
    """The companions with the most runs, as bars."""
    if rows.empty:
        return nothing("No companion was used in this range.")
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
    return bars(("Companion", "Runs", "Completed", "Active users"), body, "Most used companions")


def popular_table(rows: "pd.DataFrame") -> str:
    """The companions by decayed use, as bars."""
    if rows.empty:
        return nothing("Nobody used a companion in this range.")
    widest = max(float(rows["score"].max()), 1e-12)
    body = [
        bar(row["companion"], row["score"], widest, [score(row["score"])]) for row in rows.to_dict("records")
    ]
    return bars(("Companion", "Score"), body, "Popular companions")


def _gone(row: dict[Any, Any]) -> str:
    if not row["reached"]:
        return EMPTY
    return f'{number(row["dropped"])} <span class="muted">({percent(row["drop_off"])})</span>'
