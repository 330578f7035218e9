"""The figures: the same document as `leitstand insights report --json`."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.moments import Day
from leitstand.identity.access import require
from leitstand.insights.opening import open_facts
from leitstand.insights.report import build
from leitstand.insights.scope import resolve
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db

router = APIRouter(prefix="/insights", tags=["insights"], route_class=OnceRoute)
MOST_STEPS = 100


@router.get("/report")
def get_insights(
    session: Db,
    principal: CurrentPrincipal,
    companion: Annotated[str | None, Query(max_length=500)] = None,
    start: Annotated[Day | None, Query(alias="from")] = None,
    end: Annotated[Day | None, Query(alias="to")] = None,
    zone: Annotated[str | None, Query(max_length=100)] = None,
    step: Annotated[list[str] | None, Query(max_length=MOST_STEPS)] = None,
) -> dict[str, Any]:
    """Every figure of a range of local days (half-open), a zone and, where named, one companion."""
    require(principal, "insights:read")
    scope = resolve(
        session,
        workspace_id=principal.workspace_id,
        companion=companion,
        start=start,
        end=end,
        zone=zone,
        reader=principal,
    )
    with open_facts(session, scope) as facts:
        return build(facts, scope, steps=step)
