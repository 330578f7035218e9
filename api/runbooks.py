"""Runbooks: which there are, their runs, and what a person does with them."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, status

from api.models import ResumeIn, RunbookIn, RunbookOut, RunIdOut, SignIn
from leitstand.identity.access import require
from leitstand.runbooks import actions, texts
from leitstand.runbooks.audit import audit
from leitstand.runbooks.library import RUNBOOKS, Notebook, find, notebooks
from leitstand.runbooks.runs import list_runs, view
from leitstand.settings import get_settings
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(tags=["operations"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]
Limit = Annotated[int, Query(ge=1, le=500)]


@router.get("/runbooks")
def list_runbooks(principal: CurrentPrincipal) -> list[RunbookOut]:
    """Every runbook, with when it is for and what it asks for."""
    require(principal, "operations:read")
    return [_out(one) for one in notebooks(get_settings(), RUNBOOKS)]


@router.get("/runbook-runs", name="list_runbook_runs")
def runs(session: Db, principal: CurrentPrincipal, name: str = "", limit: Limit = 20) -> list[dict[str, Any]]:
    """Runs of runbooks, newest first, with their signatures."""
    require(principal, "operations:read")
    return [run.to_dict() for run in list_runs(session, name=name, limit=limit)]


@router.get("/runbook-audit")
def get_runbook_audit(session: Db, principal: CurrentPrincipal) -> dict[str, Any]:
    """Verify the whole chain of evidence: reads all of it, so it takes a while."""
    require(principal, "operations:read")
    return audit(session, get_settings()).to_dict()


@router.get("/runbook-runs/{run_id}")
def get_runbook_run(session: Db, principal: CurrentPrincipal, run_id: UUID) -> dict[str, Any]:
    """One run; while it is under way, `figures.progress` says where it is."""
    require(principal, "operations:read")
    return view(session, run_id).to_dict()


@router.post("/runbook-runs/{run_id}/resume", status_code=status.HTTP_202_ACCEPTED, dependencies=CSRF)
def resume_runbook_run(session: Db, principal: CurrentPrincipal, run_id: UUID, wanted: ResumeIn) -> RunIdOut:
    """Have the queue worker go on with a run; the target's name is typed again."""
    return RunIdOut(
        run_id=actions.resume(session, get_settings(), run_id, typed=wanted.typed, principal=principal)
    )


@router.post("/runbook-runs/{run_id}/signatures", status_code=status.HTTP_201_CREATED, dependencies=CSRF)
def sign_runbook_run(
    session: Db, principal: CurrentPrincipal, run_id: UUID, wanted: SignIn
) -> dict[str, Any]:
    """Sign a run off, in person."""
    return actions.sign_off(session, get_settings(), run_id, note=wanted.note, principal=principal).to_dict()


@router.get("/runbooks/{name}")
def get_runbook(principal: CurrentPrincipal, name: str) -> RunbookOut:
    """One runbook, with its text as Markdown."""
    require(principal, "operations:read")
    return _out(find(get_settings(), RUNBOOKS, name))


@router.post("/runbooks/{name}", status_code=status.HTTP_202_ACCEPTED, dependencies=CSRF)
def start_runbook(session: Db, principal: CurrentPrincipal, name: str, wanted: RunbookIn) -> RunIdOut:
    """Have the queue worker run a runbook; one that is no dry run needs the plan's hash and the target's name typed."""
    run_id = actions.start(
        session, get_settings(), name, dict(wanted.parameters), typed=wanted.typed, principal=principal
    )
    return RunIdOut(run_id=run_id)


def _out(one: Notebook) -> RunbookOut:
    text = texts.text_of(one)
    return RunbookOut(
        number=one.number,
        name=one.name,
        title=one.title,
        when=texts.when_to_use(text),
        text=text,
        parameters=[parameter.to_dict() for parameter in texts.parameters_of(one)],
    )
