"""Data checks: the suites with their last results, the runs, and starting one."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, status

from api.models import CheckIn, CheckRunOut, JobOut, SuiteOut
from leitstand.checks import history
from leitstand.checks.overview import overview, start, suite_of
from leitstand.identity.access import require
from leitstand.settings import get_settings
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(tags=["operations"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]
Limit = Annotated[int, Query(ge=1, le=500)]


@router.get("/checks")
def list_suites(session: Db, principal: CurrentPrincipal) -> list[SuiteOut]:
    """Every suite of data checks with its last result on the live database, those that fail first."""
    found = overview(session, get_settings().checks_dir, principal=principal, runs=1)
    return [SuiteOut(**suite.to_dict()) for suite in found.suites]


@router.post("/checks", status_code=status.HTTP_202_ACCEPTED, dependencies=CSRF)
def start_checks(session: Db, principal: CurrentPrincipal, wanted: CheckIn) -> JobOut:
    """Have the queue worker run one suite, `all`, or `ingestion` (those that events can violate)."""
    return JobOut(job=start(session, get_settings().checks_dir, principal=principal, suite=wanted.suite))


@router.get("/check-runs")
def list_check_runs(
    session: Db, principal: CurrentPrincipal, target: str = "", limit: Limit = 20
) -> list[CheckRunOut]:
    """Runs of data checks, newest first, on the live database and on restored ones."""
    require(principal, "operations:read")
    return [CheckRunOut(**run.to_dict()) for run in history.latest(session, limit=limit, target=target)]


@router.get("/checks/{name}")
def get_suite(session: Db, principal: CurrentPrincipal, name: str) -> SuiteOut:
    """One suite with its last result: every check, and the keys of some of the rows that violate it."""
    return SuiteOut(**suite_of(session, get_settings().checks_dir, name, principal=principal).to_dict())
