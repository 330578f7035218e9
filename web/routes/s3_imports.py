"""Imports from S3 buckets: listed, added, changed, tested, run and removed, with each object's lot."""

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from pydantic import BaseModel
from sqlalchemy.orm import Session

from leitstand.db.models import S3Import
from leitstand.db.models.s3_imports import EVERY, OBJECT_STATES
from leitstand.errors import Conflict, Forbidden, InvalidInput, LeitstandError, NotFound
from leitstand.identity.access import Principal
from leitstand.imports import configured, runs
from leitstand.imports.configured import Draft
from leitstand.words import N_
from serving.session import CurrentPrincipal, Db, require_csrf
from web import integration_pages
from web.integration_pages import StatusFilter, page
from web.pages import fragment, go

ADDRESS = f"{integration_pages.ADDRESS}/s3-imports"
router = APIRouter(prefix=ADDRESS, include_in_schema=False)
CSRF = [Depends(require_csrf)]
SCHEDULES = {"never": N_("Only by hand"), "hour": N_("Every hour"), "day": N_("Every day")}
WORDS = {
    "waiting": N_("Waits its turn"), "taken": N_("Taken"), "duplicate": N_("In the space already"),
    "failed": N_("Not taken"),
}  # fmt: skip


class Entered(BaseModel):
    """The form."""

    name: str = ""
    endpoint: str = ""
    region: str = ""
    bucket: str = ""
    prefix: str = ""
    access_key: str = ""
    secret_key: str = ""
    space_id: str = ""
    every: str = "never"

    @property
    def draft(self) -> Draft:
        """What is entered, as the core takes it."""
        try:
            space = UUID(self.space_id)
        except ValueError:
            space = None
        return Draft(**(self.model_dump() | {"space_id": space}))


class Filter(StatusFilter):
    """And where the page begins."""

    after: str = ""


@router.get("")
def list_page(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """The workspace's imports, each with how it is."""
    found = configured.list_imports(session, principal=principal)
    return page(request, principal, "s3_imports.html", imports=found, schedules=SCHEDULES)


@router.get("/new")
def new_page(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """The form of a new one."""
    return _form(request, session, principal, Draft())


@router.post("/new", dependencies=CSRF)
def create(
    request: Request, session: Db, principal: CurrentPrincipal, entered: Annotated[Entered, Form()]
) -> Response:
    """Add it."""
    draft = entered.draft
    try:
        found = configured.create(session, principal=principal, draft=draft)
    except (InvalidInput, Conflict, NotFound) as error:
        return _form(request, session, principal, draft, error=error)
    return go(f"{ADDRESS}/{found.id}", "created")


@router.get("/{import_id}")
def show(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    import_id: UUID,
    chosen: Annotated[Filter, Query()],
) -> Response:
    """State, progress and objects of one."""
    found = configured.get(session, principal=principal, import_id=import_id)
    return _page(request, session, principal, found, chosen)


@router.get("/{import_id}/state")
def state(session: Db, principal: CurrentPrincipal, import_id: UUID) -> Response:
    """How far the run is, for htmx to put in place."""
    found = configured.get(session, principal=principal, import_id=import_id)
    return fragment(principal, "parts/s3_import_state.html", **_state(session, principal, found))


@router.get("/{import_id}/edit")
def edit_page(request: Request, session: Db, principal: CurrentPrincipal, import_id: UUID) -> Response:
    """The form of one that is there; its secret key is never shown."""
    found = configured.get(session, principal=principal, import_id=import_id)
    draft = Draft(
        found.name, found.endpoint, found.region, found.bucket, found.prefix, found.access_key, "", found.space_id,
        found.every,
    )  # fmt: skip
    return _form(request, session, principal, draft, found=found)


@router.post("/{import_id}/edit", dependencies=CSRF)
def save(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    import_id: UUID,
    entered: Annotated[Entered, Form()],
) -> Response:
    """Change it; a secret key that is left empty stays as it is."""
    found, draft = configured.get(session, principal=principal, import_id=import_id), entered.draft
    try:
        configured.change(session, principal=principal, import_id=import_id, draft=draft)
    except (InvalidInput, Conflict, NotFound, Forbidden) as error:
        return _form(request, session, principal, draft, found=found, error=error)
    return go(f"{ADDRESS}/{import_id}", "saved")


@router.post("/{import_id}/test", dependencies=CSRF)
def test(session: Db, principal: CurrentPrincipal, import_id: UUID) -> Response:
    """Ask the store for its listing; the page says what was wrong."""
    problem = configured.test(session, principal=principal, import_id=import_id)
    return go(f"{ADDRESS}/{import_id}", "" if problem else "bucket-works")


@router.post("/{import_id}/run", dependencies=CSRF)
def run(request: Request, session: Db, principal: CurrentPrincipal, import_id: UUID) -> Response:
    """Queue a run."""
    try:
        runs.start(session, principal=principal, import_id=import_id)
    except Conflict as error:
        found = configured.get(session, principal=principal, import_id=import_id)
        return _page(request, session, principal, found, Filter(), error=error)
    return go(f"{ADDRESS}/{import_id}", "import-started")


@router.post("/{import_id}/retry", dependencies=CSRF)
def retry_all(session: Db, principal: CurrentPrincipal, import_id: UUID) -> Response:
    """Have everything that failed taken once more."""
    runs.retry(session, principal=principal, import_id=import_id)
    return go(f"{ADDRESS}/{import_id}", "import-started")


@router.post("/{import_id}/objects/{object_id}/retry", dependencies=CSRF)
def retry_one(session: Db, principal: CurrentPrincipal, import_id: UUID, object_id: UUID) -> Response:
    """Have one object that failed taken once more."""
    runs.retry(session, principal=principal, import_id=import_id, object_id=object_id)
    return go(f"{ADDRESS}/{import_id}", "import-started")


@router.post("/{import_id}/remove", dependencies=CSRF)
def remove(session: Db, principal: CurrentPrincipal, import_id: UUID) -> Response:
    """Take it away, with its key; the documents stay."""
    configured.remove(session, principal=principal, import_id=import_id)
    return go(ADDRESS, "import-removed")


def _state(session: Session, principal: Principal, found: S3Import) -> dict[str, Any]:
    counted = runs.progress(session, principal=principal, import_id=found.id)
    return {"found": found, "progress": counted, "busy": runs.is_busy(found), "words": WORDS}


def _page(
    request: Request,
    session: Session,
    principal: Principal,
    found: S3Import,
    chosen: Filter,
    *,
    error: LeitstandError | None = None,
) -> Response:
    objects = []
    try:
        objects = runs.list_objects(
            session, principal=principal, import_id=found.id, status=chosen.status, after=chosen.after,
            limit=runs.PAGE + 1,
        )  # fmt: skip
    except InvalidInput as refused:
        error = refused
    shown = objects[: runs.PAGE]
    following = {"status": chosen.status, "after": shown[-1].key} if len(objects) > runs.PAGE else {}
    spaces = {one.id: one for one in configured.spaces_to_fill(session, principal=principal)}
    return page(
        request,
        principal,
        "s3_import.html",
        error=error,
        chosen=chosen,
        objects=shown,
        following=urlencode(following),
        statuses=OBJECT_STATES,
        schedules=SCHEDULES,
        space=spaces.get(found.space_id) if found.space_id else None,
        **_state(session, principal, found),
    )


def _form(
    request: Request,
    session: Session,
    principal: Principal,
    draft: Draft,
    *,
    found: S3Import | None = None,
    error: LeitstandError | None = None,
) -> Response:
    return page(
        request,
        principal,
        "s3_import_form.html",
        draft=draft,
        found=found,
        error=error,
        spaces=configured.spaces_to_fill(session, principal=principal),
        schedules={one: SCHEDULES[one] for one in EVERY},
    )
