"""The history of an item: its versions, two of them compared, and going back to one."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request, Response

from leitstand.catalogue import items, versions
from leitstand.catalogue.editing import may_edit
from leitstand.words import N_
from serving.session import CurrentPrincipal, Db, require_csrf
from web.pages import go, render
from web.routes.items.kind import CurrentKind

router = APIRouter()
LARGEST = 2_147_483_647
# What the members of an item are called on its pages; every other is shown as it is named.
FIELD_TITLES = {
    "title": N_("Title"), "description": N_("Description"), "tags": N_("Tags"), "icon": N_("Icon"),
    "content": N_("Content"), "instructions": N_("Instructions"), "model": N_("Model"), "tools": N_("Tools"),
    "questions": N_("Questions to begin with"), "spaces": N_("Spaces that it reads"), "notes": N_("Notes"),
    "items": N_("Items"), "links": N_("Links"), "comments": N_("Comments"), "entries": N_("Entries"),
    "sources": N_("Where the documents come from"), "schema": N_("JSON Schema of the value"), "label": N_("Label"),
    "help": N_("Help"), "placeholder": N_("Placeholder"), "text": N_("Text"), "note": N_("Note"), "colour": N_("Colour"),
}  # fmt: skip
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
        fields=FIELD_TITLES,
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
