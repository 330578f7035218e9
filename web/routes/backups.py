"""Backups: which there are, why each stays, and what is done to them; retention is previewed before it is carried out."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.backups import actions
from leitstand.backups.catalogue import list_backups
from leitstand.backups.conditions import conditions
from leitstand.errors import Conflict, InvalidInput, LeitstandError
from leitstand.identity.access import Principal, require
from leitstand.settings import get_settings
from serving.session import CurrentPrincipal, Db, require_csrf
from web.pages import go, render

router = APIRouter(prefix="/operations/backups", include_in_schema=False)
CSRF = [Depends(require_csrf)]
SHOWN = 200


@router.get("")
def backups_page(
    request: Request, session: Db, principal: CurrentPrincipal, removed: bool = False
) -> Response:
    """Every backup that is there, with why it stays; a store that does not answer takes only the reasons away."""
    require(principal, "operations:read")
    overview, error = None, None
    try:
        overview = actions.overview(session, get_settings(), principal=principal)
    except LeitstandError as refused:
        error = refused
    return render(
        request,
        principal,
        "backups.html",
        area="operations",
        code=200,
        backups=list_backups(session, limit=SHOWN, removed=removed),
        overview=overview,
        verdicts=overview.verdicts if overview else {},
        conditions=conditions(session, get_settings()),
        removed=removed,
        error=error,
    )


@router.get("/retention")
def preview(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """What retention would remove now, and why everything else stays."""
    require(principal, "operations:read")
    return _preview(request, session, principal)


@router.post("/retention", dependencies=CSRF)
def carry_out(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    plan: Annotated[str, Form()],
    name: Annotated[str, Form()] = "",
) -> Response:
    """Have the plan that was seen carried out, after the bucket's name was typed."""
    try:
        actions.start_prune(session, get_settings(), plan=plan, name=name, principal=principal)
    except (Conflict, InvalidInput) as error:
        return _preview(request, session, principal, error=error, name=name)
    return go("/operations#jobs", "job-started")


@router.get("/{backup_id}")
def backup_page(request: Request, session: Db, principal: CurrentPrincipal, backup_id: UUID) -> Response:
    """One backup: what it is, which instants it can be restored to, and why it stays."""
    return _one(request, session, principal, backup_id)


@router.post("/{backup_id}/verify", dependencies=CSRF)
def verify(request: Request, session: Db, principal: CurrentPrincipal, backup_id: UUID) -> Response:
    """Have a backup checked against what was stored."""
    try:
        actions.start_verification(session, backup_id, principal=principal)
    except Conflict as error:
        return _one(request, session, principal, backup_id, error=error)
    return go("/operations#jobs", "job-started")


@router.post("/{backup_id}/keep", dependencies=CSRF)
def keep(request: Request, session: Db, principal: CurrentPrincipal, backup_id: UUID) -> Response:
    """Mark a backup as kept."""
    return _mark(request, session, principal, backup_id, kept=True)


@router.post("/{backup_id}/unkeep", dependencies=CSRF)
def unkeep(request: Request, session: Db, principal: CurrentPrincipal, backup_id: UUID) -> Response:
    """Leave a backup to retention again."""
    return _mark(request, session, principal, backup_id, kept=False)


def _mark(request: Request, session: Db, principal: Principal, backup_id: UUID, *, kept: bool) -> Response:
    try:
        actions.keep(session, get_settings(), backup_id, kept=kept, principal=principal)
    except Conflict as error:
        return _one(request, session, principal, backup_id, error=error)
    return go(f"/operations/backups/{backup_id}", "saved")


def _one(
    request: Request, session: Db, principal: Principal, backup_id: UUID, *, error: Conflict | None = None
) -> Response:
    shown = actions.show(session, get_settings(), backup_id, principal=principal)
    return render(
        request,
        principal,
        "backup.html",
        area="operations",
        code=error.status if error else 200,
        backup=shown.backup,
        shown=shown,
        error=error,
    )


def _preview(
    request: Request,
    session: Db,
    principal: Principal,
    *,
    error: LeitstandError | None = None,
    name: str = "",
) -> Response:
    overview = actions.overview(session, get_settings(), principal=principal)
    return render(
        request,
        principal,
        "retention.html",
        area="operations",
        code=error.status if error else 200,
        overview=overview,
        plan=overview.proposal.plan,
        bucket=get_settings().bucket_backups,
        error=error,
        name=name,
    )
