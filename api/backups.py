"""Backups: the catalogue, why each stays, and what a person does with them."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, status

from api.models import BackupIn, BackupOut, BackupShown, JobOut, KeepIn, PruneIn, RetentionOut
from leitstand.backups import actions
from leitstand.backups.catalogue import list_backups
from leitstand.backups.conditions import conditions
from leitstand.catalogue import operations
from leitstand.identity.access import require
from leitstand.settings import get_settings
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(tags=["operations"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]
Limit = Annotated[int, Query(ge=1, le=500)]


@router.get("/backups", name="list_backups")
def backups(
    session: Db,
    principal: CurrentPrincipal,
    kind: Literal["postgres", "objects", "secrets"] | None = None,
    removed: bool = False,
    limit: Limit = 50,
) -> list[BackupOut]:
    """Backups, newest first; with `removed` also those that retention has removed."""
    require(principal, "operations:read")
    found = list_backups(session, kind=kind, limit=limit, removed=removed)
    return [BackupOut.model_validate(backup) for backup in found]


@router.post("/backups", status_code=status.HTTP_202_ACCEPTED, dependencies=CSRF)
def start_backup(session: Db, principal: CurrentPrincipal, wanted: BackupIn) -> JobOut:
    """Have the queue worker make a backup."""
    return JobOut(job=operations.start_backup(session, principal=principal, kind=wanted.kind))


@router.get("/backups/conditions")
def get_backup_conditions(session: Db, principal: CurrentPrincipal) -> list[dict[str, str]]:
    """What is wrong with the backups that there are; empty when nothing is."""
    require(principal, "operations:read")
    return [condition.to_dict() for condition in conditions(session, get_settings())]


@router.get("/backups/retention")
def get_retention(session: Db, principal: CurrentPrincipal) -> RetentionOut:
    """What retention would remove now and why each other backup stays; its hash is what a removal has to name."""
    found = actions.overview(session, get_settings(), principal=principal)
    return RetentionOut(
        **found.proposal.to_dict(), window_from=found.window.since, window_promised=found.window.promised
    )


@router.post("/backups/prune", status_code=status.HTTP_202_ACCEPTED, dependencies=CSRF)
def start_prune(session: Db, principal: CurrentPrincipal, wanted: PruneIn) -> JobOut:
    """Have the queue worker carry out a plan that was seen; `name` is the bucket's."""
    job = actions.start_prune(
        session, get_settings(), plan=wanted.plan, name=wanted.name, principal=principal
    )
    return JobOut(job=job)


@router.get("/backups/{backup_id}")
def get_backup(session: Db, principal: CurrentPrincipal, backup_id: UUID) -> BackupShown:
    """One backup: why it stays, and which instants it can be restored to."""
    shown = actions.show(session, get_settings(), backup_id, principal=principal)
    values: dict[str, Any] = {**BackupOut.model_validate(shown.backup).model_dump(), **shown.to_dict()}
    return BackupShown(**values)


@router.post("/backups/{backup_id}/verify", status_code=status.HTTP_202_ACCEPTED, dependencies=CSRF)
def verify_backup(session: Db, principal: CurrentPrincipal, backup_id: UUID) -> JobOut:
    """Have the queue worker check a backup against what was stored."""
    return JobOut(job=actions.start_verification(session, backup_id, principal=principal))


@router.put("/backups/{backup_id}/kept", dependencies=CSRF)
def keep_backup(session: Db, principal: CurrentPrincipal, backup_id: UUID, wanted: KeepIn) -> BackupOut:
    """Mark a backup as kept, so that retention never removes it, or leave it to retention again."""
    row = actions.keep(session, get_settings(), backup_id, kept=wanted.kept, principal=principal)
    return BackupOut.model_validate(row)
