"""Boards: the canvas, and single changes from forms and from the canvas."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from leitstand.catalogue import contents
from leitstand.catalogue.kinds.board_edits import edited
from serving.session import CurrentPrincipal, Db, require_csrf
from web.form_values import REFUSALS
from web.pages import go, wants_fragment
from web.routes.items.kind import CurrentKind, WholeForm, text_of
from web.routes.items.pages import show

router = APIRouter(prefix="/boards")
NAMES = ("id", "text", "colour", "x", "y", "item", "from", "to", "label")
# Changes that something is typed for; what is refused comes back in their forms.
TYPED = ("add-note", "change-note", "add-link", "comment")
NOTE_WIDTH, NOTE_HEIGHT, MARGIN = 220, 130, 60
LEAST_WIDTH, LEAST_HEIGHT = 1_100, 640
DONE = 204


@router.get("/{item_id}/canvas")
def canvas(
    request: Request, session: Db, principal: CurrentPrincipal, kind: CurrentKind, item_id: UUID
) -> Response:
    """The board as a picture; a script lets notes and cards be dragged, or moved by the arrow keys."""
    content = contents.read(session, principal=principal, item_id=item_id, kind=kind.name).content
    size = canvas_size(content.document())
    return show(request, session, principal, kind, item_id, template="items/canvas.html", size=size)


@router.post("/{item_id}/parts", dependencies=[Depends(require_csrf)])
def change_parts(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    kind: CurrentKind,
    item_id: UUID,
    form: WholeForm,
) -> Response:
    """Do one thing with one part of the board; `do` says which."""
    found = contents.read(session, principal=principal, item_id=item_id, kind=kind.name)
    fields, do = {name: text_of(form, name) for name in NAMES}, text_of(form, "do")
    try:
        content = edited(found.content.document(), do, fields)
        contents.save(session, principal=principal, item_id=item_id, content=content)
    except REFUSALS as error:
        if wants_fragment(request):
            raise
        typed = fields | {"do": do} if do in TYPED else {}
        return show(request, session, principal, kind, item_id, error=error, typed=typed)
    if wants_fragment(request):
        return Response(status_code=DONE)
    return go(f"/boards/{item_id}", "saved")


def canvas_size(board: dict[str, Any]) -> dict[str, int]:
    """How much of the canvas is shown, and how large what stands on it is."""
    parts = [*board["notes"], *board["items"]]
    width = max([part["x"] for part in parts], default=0) + NOTE_WIDTH + MARGIN
    height = max([part["y"] for part in parts], default=0) + NOTE_HEIGHT + MARGIN
    return {
        "width": max(LEAST_WIDTH, width), "height": max(LEAST_HEIGHT, height), "part_width": NOTE_WIDTH,
        "part_height": NOTE_HEIGHT,
    }  # fmt: skip
