"""The history of an item: its versions, two of them compared, and going back to one."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request, Response

from leitstand.catalogue import items, versions
from leitstand.catalogue.editing import may_edit
from serving.session import CurrentPrincipal, Db, require_csrf
from web.pages import go, render
from web.routes.items.kind import CurrentKind

router = APIRouter()
LARGEST = 2_147_483_647
Number = Annotated[int | None, Query(ge=1, le=LARGEST)]


@router.get("/{item_id}/history")
def history_page(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    kind: CurrentKind,
    item_id: UUID,
    first: Number = None,
    second: Number = None,
    before: Number = None,
) -> Response:
    """The versions, and how two differ: those named, else the last two."""
    item = items.get_item(session, principal=principal, item_id=item_id, kind=kind.name)
    found = versions.list_versions(session, principal=principal, item_id=item_id, before=before)
    if first is None and second is None and len(found) > 1:
        first, second = found[1].number, found[0].number
    changes = None
    if first and second:
        changes = versions.compare(session, principal=principal, item_id=item_id, first=first, second=second)
    return render(
        request, principal, "items/history.html", area=kind.slug, kind=kind, item=item, versions=found, first=first,
        second=second, changes=changes, most=versions.MOST, editable=may_edit(session, principal, item),
    )  # fmt: skip


@router.post("/{item_id}/history/roll-back", dependencies=[Depends(require_csrf)])
def roll_back(
    session: Db,
    principal: CurrentPrincipal,
    kind: CurrentKind,
    item_id: UUID,
    version: Annotated[int | None, Form(ge=1, le=LARGEST)] = None,
) -> Response:
    """Make a version the newest again, as a new one."""
    versions.roll_back(session, principal=principal, item_id=item_id, number=version, kind=kind.name)
    return go(f"{kind.route}/{item_id}", "version-restored")
