"""Collections: entries put in, moved, noted, taken out."""

from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from leitstand.catalogue import contents
from leitstand.catalogue.kinds.collection_edits import edited
from serving.session import CurrentPrincipal, Db, require_csrf
from web.form_values import REFUSALS
from web.pages import go
from web.routes.items.kind import CurrentKind, WholeForm, text_of
from web.routes.items.pages import show

router = APIRouter(prefix="/collections")


@router.post("/{item_id}/entries", dependencies=[Depends(require_csrf)])
def change_entries(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    kind: CurrentKind,
    item_id: UUID,
    form: WholeForm,
) -> Response:
    """Do one thing with one entry; `do` says which."""
    found = contents.read(session, principal=principal, item_id=item_id, kind=kind.name)
    fields = {name: text_of(form, name) for name in ("do", "entry", "note")}
    try:
        content = edited(found.content.document(), **fields)
        contents.save(session, principal=principal, item_id=item_id, content=content)
    except REFUSALS as error:
        typed = fields if fields["do"] == "note" else {}
        return show(request, session, principal, kind, item_id, error=error, typed=typed)
    return go(f"/collections/{item_id}", "saved")
