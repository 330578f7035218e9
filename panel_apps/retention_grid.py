"""Retention as a grid: weeks' newcomers against the weeks after."""

from datetime import date
from typing import TYPE_CHECKING, Any

from panel_apps.parts import WEEK, left_out, nothing
from panel_apps.speech import day as day_form
from panel_apps.speech import number, percent, say

if TYPE_CHECKING:
    import pandas as pd

MOST_COHORTS, MOST_WEEKS = 12, 12


def retention_grid(rows: "pd.DataFrame", *, start: date, end: date) -> str:
    """Weeks' newcomers against the weeks after: the share that was active, the darker the more.

    Cohorts that began before the range are left out: their size is not known here. A week that has not ended is blank.
    """
    whole = rows[rows["cohort"] >= start] if len(rows) else rows
    cohorts = sorted(set(whole["cohort"]))[-MOST_COHORTS:] if len(whole) else []
    if not cohorts:
        return nothing(say("No week’s newcomers lie wholly within this range."))
    known = {(row["cohort"], int(row["weeks_later"])): row["actors"] for row in whole.to_dict("records")}
    last = min(MOST_WEEKS, max((end - cohort).days // 7 for cohort in cohorts) - 1)
    head = "".join(f'<th scope="col" class="number">{later}</th>' for later in range(last + 1))
    body = "".join(_cohort(cohort, known, last, end) for cohort in cohorts)
    return (
        f'<div class="table-scroll whole" tabindex="0" role="group" aria-label="{say("Retention by week")}"><table class="retention">'
        f'<thead><tr><th scope="col">{say("First seen in the week of")}</th><th scope="col" class="number">{say("People")}</th>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        + left_out(
            say("Columns: weeks later. A cell is the share of the week’s newcomers who were active then.")
        )
    )


def _cohort(cohort: date, known: dict[tuple[date, int], Any], last: int, end: date) -> str:
    import pandas as pd

    size = known.get((cohort, 0))
    cells = []
    for later in range(last + 1):
        actors = known.get((cohort, later), 0)
        if cohort + (later + 1) * WEEK > end or pd.isna(actors) or pd.isna(size) or not size:
            cells.append("<td></td>")
            continue
        share = int(actors) / int(size)
        cells.append(
            f'<td class="number heat" style="--share:{share:.3f}" title="{say("{part} of {whole}", part=number(int(actors)), whole=number(int(size)))}">{percent(share, 0)}</td>'
        )
    people = number(int(size)) if size is not None and not pd.isna(size) else "–"
    return f'<tr><th scope="row">{day_form(cohort)}</th><td class="number">{people}</td>{"".join(cells)}</tr>'
