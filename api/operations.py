"""Services, restore drills and what else an operator looks at."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, status

from api.models import CheckOut, DrillIn, DrillOut, JobOut
from leitstand.backups.catalogue import last_proven, list_drills
from leitstand.backups.conditions import conditions
from leitstand.catalogue import operations
from leitstand.db.engine import get_engine
from leitstand.health.evidence import chain_of_evidence, last_passed
from leitstand.health.overview import overview
from leitstand.identity.access import require
from leitstand.jobs.listing import list_jobs, queue_figures
from leitstand.settings import get_settings
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(tags=["operations"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]
Limit = Annotated[int, Query(ge=1, le=500)]


@router.get("/health")
def get_health(principal: CurrentPrincipal) -> list[dict[str, object]]:
    """The state of every service now."""
    require(principal, "operations:read")
    return [service.to_dict() for service in overview(get_engine(), get_settings())]


@router.get("/operations")
def get_operations(session: Db, principal: CurrentPrincipal) -> dict[str, Any]:
    """When a restore was last proven, what is wrong with the backups, how the queue stands, the last jobs and data checks."""
    require(principal, "operations:read")
    proven: datetime | None = last_proven(session)
    checks = operations.list_check_runs(session, principal=principal)
    return {
        "last_proven_at": proven,
        "proven": last_passed(session, principal=principal),
        "chain": chain_of_evidence(session, principal=principal).to_dict(),
        "conditions": [condition.to_dict() for condition in conditions(session, get_settings())],
        "queue": queue_figures(session),
        "jobs": [job.to_dict() for job in list_jobs(session, limit=20)],
        "checks": [CheckOut.model_validate(check) for check in checks],
    }


@router.get("/drills", name="list_drills")
def drills(session: Db, principal: CurrentPrincipal, limit: Limit = 20) -> list[DrillOut]:
    """Restore drills, newest first."""
    require(principal, "operations:read")
    return [DrillOut.model_validate(drill) for drill in list_drills(session, limit=limit)]


@router.post("/drills", status_code=status.HTTP_202_ACCEPTED, dependencies=CSRF)
def start_drill(session: Db, principal: CurrentPrincipal, wanted: DrillIn) -> JobOut:
    """Have the queue worker rehearse a restore."""
    return JobOut(job=operations.start_drill(session, principal=principal, name=wanted.name))
