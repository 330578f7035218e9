"""Imports from S3 buckets: set up, tested, run, and each object's lot."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, status

from api.integration_models import ObjectOut, ObjectPage, RetriedOut, S3ImportIn, S3ImportOut
from leitstand.db.models import S3Import
from leitstand.imports import configured, runs
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

PREFIX = "/integrations/s3-imports"
router = APIRouter(prefix=PREFIX, tags=["integrations"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]


@router.get("")
def list_imports(session: Db, principal: CurrentPrincipal) -> list[S3ImportOut]:
    """The workspace's imports from buckets, without their secret keys."""
    found = configured.list_imports(session, principal=principal)
    return [_out(session, principal, one) for one in found]


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=CSRF)
def create_import(session: Db, principal: CurrentPrincipal, new: S3ImportIn) -> S3ImportOut:
    """Add an import."""
    found = configured.create(session, principal=principal, draft=new.draft)
    return _out(session, principal, found)


@router.get("/{import_id}")
def get_import(session: Db, principal: CurrentPrincipal, import_id: UUID) -> S3ImportOut:
    """One import: its state, and how far it is."""
    return _out(session, principal, configured.get(session, principal=principal, import_id=import_id))


@router.put("/{import_id}", dependencies=CSRF)
def change_import(
    session: Db, principal: CurrentPrincipal, import_id: UUID, change: S3ImportIn
) -> S3ImportOut:
    """Change an import; an empty secret key leaves the one that is there."""
    found = configured.change(session, principal=principal, import_id=import_id, draft=change.draft)
    return _out(session, principal, found)


@router.delete("/{import_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF)
def remove_import(session: Db, principal: CurrentPrincipal, import_id: UUID) -> None:
    """Take an import away, with its key; the documents stay."""
    configured.remove(session, principal=principal, import_id=import_id)


@router.post("/{import_id}/test", dependencies=CSRF)
def test_import(session: Db, principal: CurrentPrincipal, import_id: UUID) -> S3ImportOut:
    """Ask the store for its listing; `check_problem` says what is wrong."""
    configured.test(session, principal=principal, import_id=import_id)
    return get_import(session, principal, import_id)


@router.post("/{import_id}/run", status_code=status.HTTP_202_ACCEPTED, dependencies=CSRF)
def run_import(session: Db, principal: CurrentPrincipal, import_id: UUID) -> S3ImportOut:
    """Queue a run."""
    return _out(session, principal, runs.start(session, principal=principal, import_id=import_id))


@router.get("/{import_id}/objects")
def list_objects(
    session: Db,
    principal: CurrentPrincipal,
    import_id: UUID,
    status: str = "",
    after: Annotated[str, Query(description="The key behind which the page begins: `next`.")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = runs.PAGE,
) -> ObjectPage:
    """What the bucket was seen to have, by key, and what became of it, a page at a time."""
    found = runs.list_objects(
        session, principal=principal, import_id=import_id, status=status, after=after, limit=limit + 1
    )
    items = [ObjectOut.model_validate(one) for one in found[:limit]]
    return ObjectPage(items=items, next=items[-1].key if len(found) > limit else None)


@router.post("/{import_id}/objects/retry", status_code=status.HTTP_202_ACCEPTED, dependencies=CSRF)
def retry_objects(session: Db, principal: CurrentPrincipal, import_id: UUID) -> RetriedOut:
    """Have every object that failed taken once more."""
    return RetriedOut(retried=runs.retry(session, principal=principal, import_id=import_id))


@router.post(
    "/{import_id}/objects/{object_id}/retry", status_code=status.HTTP_202_ACCEPTED, dependencies=CSRF
)
def retry_object(session: Db, principal: CurrentPrincipal, import_id: UUID, object_id: UUID) -> RetriedOut:
    """Have one object that failed taken once more."""
    count = runs.retry(session, principal=principal, import_id=import_id, object_id=object_id)
    return RetriedOut(retried=count)


def _out(session: Db, principal: CurrentPrincipal, found: S3Import) -> S3ImportOut:
    session.refresh(found)
    counted = runs.progress(session, principal=principal, import_id=found.id)
    return S3ImportOut.of(found, counted)
