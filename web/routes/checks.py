"""Data checks: every suite with its last result, what fails and where, the runs and their pages; starting a run."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.checks import history
from leitstand.checks.overview import overview, start, suite_of
from leitstand.checks.result import database_of
from leitstand.errors import Conflict
from leitstand.identity.access import Principal, require
from leitstand.settings import get_settings
from serving.session import CurrentPrincipal, Db, require_csrf
from web.evidence import EVIDENCE_CSP, evidence
from web.pages import go, render

router = APIRouter(prefix="/operations/checks", include_in_schema=False)
CSRF = [Depends(require_csrf)]
RUNS_SHOWN, ROWS_SHOWN = 20, 30


@router.get("")
def checks_page(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """Every suite, and the runs."""
    return _page(request, session, principal)


@router.post("", dependencies=CSRF)
def start_checks(
    request: Request, session: Db, principal: CurrentPrincipal, suite: Annotated[str, Form()] = "all"
) -> Response:
    """Have checks run on the live database."""
    try:
        start(session, get_settings().checks_dir, principal=principal, suite=suite)
    except Conflict as error:
        return _page(request, session, principal, error=error)
    return go("/operations/checks", "job-started")


@router.get("/runs/{run_id}/page")
def run_page(session: Db, principal: CurrentPrincipal, run_id: str) -> Response:
    """The archived page of a run, in a sandbox: it runs nothing and asks nobody for anything."""
    require(principal, "operations:read")
    address = str(history.run_rows(session, run_id)[0].result.get("documents") or "")
    headers = {"Content-Security-Policy": EVIDENCE_CSP, "Cache-Control": "private, no-store"}
    return Response(evidence(address), media_type="text/html; charset=utf-8", headers=headers)


@router.get("/{name}")
def suite_page(request: Request, session: Db, principal: CurrentPrincipal, name: str) -> Response:
    """One suite: its rules, what violates them, and how it went before."""
    suite = suite_of(session, get_settings().checks_dir, name, principal=principal)
    past = history.rows_of_suite(session, name, limit=ROWS_SHOWN)
    return render(
        request,
        principal,
        "check_suite.html",
        area="operations",
        suite=suite,
        past=past,
        database_of=database_of,
    )


def _page(request: Request, session: Db, principal: Principal, *, error: Conflict | None = None) -> Response:
    found = overview(session, get_settings().checks_dir, principal=principal, runs=RUNS_SHOWN)
    return render(
        request,
        principal,
        "checks.html",
        area="operations",
        error=error,
        overview=found,
        database_of=database_of,
    )
