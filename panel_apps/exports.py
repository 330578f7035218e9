"""Tables of the overview as CSV files, for the choices that their address names."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Response

from leitstand.errors import NotFound
from leitstand.identity.access import require
from leitstand.insights.scope import DAY
from panel_apps.access import PREFIX, Present
from panel_apps.overview.answers import Answers
from panel_apps.overview.app import PERMISSION
from panel_apps.overview.parts import TABLES
from panel_apps.overview.ranges import RECENT
from panel_apps.overview.store import ALL, OverviewStore
from panel_apps.tables import to_csv
from serving.session import CurrentPrincipal

if TYPE_CHECKING:
    import pandas as pd

router = APIRouter(include_in_schema=False)
ROWS: "dict[str, Callable[[Answers], pd.DataFrame]]" = {
    "traffic": lambda answers: answers.traffic,
    "active-users": lambda answers: answers.active,
    "completion": lambda answers: answers.completion,
    "steps": lambda answers: answers.steps,
    "top-companions": lambda answers: answers.top,
    "popular": lambda answers: answers.popular,
    "retention": lambda answers: answers.retention,
}


@router.get(f"{PREFIX}/export/overview/{{table}}.csv")
def overview_table(
    principal: CurrentPrincipal,
    table: str,
    days: Annotated[str, Query(alias="range")] = RECENT,
    zone: str = "",
    companion: str = ALL,
) -> Response:
    """One table of the overview as CSV; the rows of the page, all of them."""
    require(principal, PERMISSION)
    if table not in ROWS:
        raise NotFound("There is no such table.", hint=f"There are: {', '.join(ROWS)}.")
    visitor = Present(principal, PERMISSION, "")
    snapshot = OverviewStore(visitor, range=days, zone=zone, companion=companion, compare="none").load()
    text = to_csv(ROWS[table](snapshot.answers), TABLES[table])
    first, last = snapshot.scope.start, snapshot.scope.end - DAY
    headers = {
        "Content-Disposition": f'attachment; filename="{table}_{first}_{last}.csv"',
        "Cache-Control": "private, no-store",
    }
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)
