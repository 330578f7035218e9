"""Operations: services, backups, restore drills, schedules, checks and jobs; starting a backup or a drill."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.backups.catalogue import last_proven, list_backups, list_drills
from leitstand.backups.conditions import conditions
from leitstand.catalogue import operations
from leitstand.checks import history as check_history
from leitstand.errors import Conflict
from leitstand.health.evidence import chain_of_evidence
from leitstand.identity.access import Principal, require
from leitstand.jobs.listing import list_jobs, queue_figures
from leitstand.runbooks.library import titles
from leitstand.settings import get_settings
from serving.session import CurrentPrincipal, Db, require_csrf
from web.evidence import EVIDENCE_CSP, drill_of, evidence
from web.pages import fragment, go, render, wants_fragment
from web.routes.home import PROVEN_WITHIN
from web.schedules import schedules
from web.services import services

router = APIRouter(prefix="/operations", include_in_schema=False)
CSRF = [Depends(require_csrf)]
SHOWN = 10


@router.get("")
def operations_page(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """Everything an operator looks at; the services come afterwards, because one that hangs takes two seconds."""
    require(principal, "operations:read")
    return _page(request, session, principal)


@router.get("/services")
def service_states(request: Request, principal: CurrentPrincipal) -> Response:
    """The state of every service now."""
    states = services(principal)
    if wants_fragment(request):
        return fragment(principal, "parts/services.html", services=states)
    return render(
        request,
        principal,
        "piece.html",
        area="operations",
        piece="parts/services.html",
        heading="Services",
        services=states,
    )


@router.post("/backups", dependencies=CSRF)
def start_backup(
    request: Request, session: Db, principal: CurrentPrincipal, kind: Annotated[str, Form()] = "postgres"
) -> Response:
    """Have a backup made."""
    try:
        operations.start_backup(session, principal=principal, kind=kind)
    except Conflict as error:
        return _page(request, session, principal, error=error)
    return go("/operations#jobs", "job-started")


@router.post("/drills", dependencies=CSRF)
def start_drill(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    name: Annotated[str, Form()] = "postgres-latest",
) -> Response:
    """Have a restore rehearsed."""
    try:
        operations.start_drill(session, principal=principal, name=name)
    except Conflict as error:
        return _page(request, session, principal, error=error)
    return go("/operations#jobs", "job-started")


@router.get("/drills/{drill_id}")
def drill_page(request: Request, session: Db, principal: CurrentPrincipal, drill_id: UUID) -> Response:
    """One drill: its figures and its evidence."""
    drill = drill_of(session, principal=principal, drill_id=drill_id)
    title = titles(get_settings()).get(drill.kind, drill.kind)
    return render(request, principal, "drill.html", area="operations", drill=drill, title=title)


@router.get("/drills/{drill_id}/evidence.html")
def drill_evidence(session: Db, principal: CurrentPrincipal, drill_id: UUID) -> Response:
    """The executed notebook as a page, in a sandbox: it runs nothing and asks nobody for anything."""
    drill = drill_of(session, principal=principal, drill_id=drill_id)
    headers = {"Content-Security-Policy": EVIDENCE_CSP, "Cache-Control": "private, no-store"}
    return Response(evidence(drill.html), media_type="text/html; charset=utf-8", headers=headers)


@router.get("/drills/{drill_id}/evidence.ipynb")
def drill_notebook(session: Db, principal: CurrentPrincipal, drill_id: UUID) -> Response:
    """The executed notebook to download."""
    drill = drill_of(session, principal=principal, drill_id=drill_id)
    headers = {
        "Content-Disposition": f'attachment; filename="drill-{drill_id}.ipynb"',
        "Cache-Control": "private, no-store",
    }
    return Response(evidence(drill.notebook), media_type="application/x-ipynb+json", headers=headers)


def _page(request: Request, session: Db, principal: Principal, *, error: Conflict | None = None) -> Response:
    planned = schedules(get_settings().schedules_file)
    proven = last_proven(session)
    return render(
        request,
        principal,
        "operations.html",
        area="operations",
        error=error,
        chain=chain_of_evidence(session, principal=principal),
        proven={"at": proven, "good": proven is not None and datetime.now(UTC) - proven < PROVEN_WITHIN},
        backups=list_backups(session, limit=SHOWN, removed=False),
        conditions=conditions(session, get_settings()),
        drills=list_drills(session, limit=SHOWN),
        titles=titles(get_settings()),
        schedules=planned,
        executions=operations.last_executions(
            session, principal=principal, flows=[entry.name for entry in planned]
        ),
        checks=check_history.latest(session, limit=SHOWN),
        jobs=list_jobs(session, limit=SHOWN),
        queue=queue_figures(session),
        kinds=operations.BACKUP_KINDS,
        names=operations.DRILLS,
    )
