"""Items of every kind together: a mixed list, actions on many, files out and in."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, status
from fastapi.responses import StreamingResponse

from api.items.filters import PAGE_SIZE, Limit, Wanted
from api.items.models import BulkIn, BulkOut, ImportOut, PlannedOut
from api.models import ItemPage, item_page
from leitstand.catalogue import bulk
from leitstand.catalogue.exports import FORMATS, export
from leitstand.catalogue.listing import Filters, find, matching
from leitstand.companions.importing import import_items
from leitstand.db.models.catalogue import BUILT
from leitstand.errors import InvalidInput
from leitstand.identity.access import Principal, require
from serving.bodies import raw_body
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf, transaction_of

router = APIRouter(prefix="/items", tags=["items"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]
OfKind = Annotated[str, Query(alias="kind", description=f"One of: {', '.join(BUILT)}; empty: all.")]
Form = Annotated[str, Query(alias="format", description="json, with everything, or csv.")]
FILE = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/csv": {
                "schema": {"type": "string"},
                "example": "kind,title,tags\nagent,Returns desk,support\n",
            },
        },
    }
}


@router.get("")
def list_items(
    session: Db,
    principal: CurrentPrincipal,
    wanted: Wanted,
    kind: OfKind = "",
    cursor: str | None = None,
    limit: Limit = PAGE_SIZE,
) -> ItemPage:
    """Items of every kind that match, a page at a time."""
    found = find(session, principal=principal, filters=wanted.of(kind), cursor=cursor, limit=limit)
    return item_page(found.items, found.cursor)


@router.post("/bulk", dependencies=CSRF)
def act_on_items(session: Db, principal: CurrentPrincipal, wanted: BulkIn) -> BulkOut:
    """Do an action on items: on all of them, or on none and say why (409)."""
    changed = bulk.apply(
        session, principal=principal, item_ids=wanted.ids, action=wanted.action, value=wanted.value
    )
    return BulkOut(changed=changed)


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}, "application/json": {}}}},
)
def export_items(
    principal: CurrentPrincipal, wanted: Wanted, kind: OfKind = "", form: Form = "json"
) -> StreamingResponse:
    """The items that match as a file, sent while it is read."""
    require(principal, "item:read")
    filters = wanted.of(kind)
    matching(principal, filters)
    if form not in FORMATS:
        raise InvalidInput("There is no such format.", hint="It is json or csv.")
    headers = {"Content-Disposition": f'attachment; filename="items.{form}"', "Cache-Control": "no-store"}
    return StreamingResponse(_pieces(principal, filters, form), media_type=FORMATS[form], headers=headers)


@router.post(
    "/import", status_code=status.HTTP_200_OK, dependencies=CSRF, openapi_extra=FILE, name="import_items"
)
def import_file(
    session: Db,
    principal: CurrentPrincipal,
    data: Annotated[bytes, Depends(raw_body)],
    form: Form = "json",
    kind: OfKind = "",
    dry_run: Annotated[bool, Query(description="Only say what would be done.")] = False,
) -> ImportOut:
    """Take in a file of at most 5 MB and 5,000 items: all of it, or none and say what is wrong and where (422)."""
    if form not in FORMATS:
        raise InvalidInput("There is no such format.", hint="It is json or csv.")
    planned = import_items(session, principal=principal, data=data, form=form, kind=kind, dry_run=dry_run)
    return ImportOut(dry_run=dry_run, items=[PlannedOut.model_validate(one) for one in planned])


def _pieces(principal: Principal, filters: Filters, form: str) -> Iterator[str]:
    """A transaction of its own: that of the request has ended when its answer is sent."""
    with transaction_of(principal) as session:
        yield from export(session, principal=principal, filters=filters, form=form)
