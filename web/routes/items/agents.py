"""Agents: asked from their page."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.agents import starting
from serving.session import CurrentPrincipal, Db, require_csrf
from web.form_values import REFUSALS
from web.pages import go
from web.routes.items.kind import CurrentKind
from web.routes.items.pages import show

router = APIRouter(prefix="/agents", dependencies=[Depends(require_csrf)])


@router.post("/{item_id}/threads")
def ask(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    kind: CurrentKind,
    item_id: UUID,
    question: Annotated[str, Form()] = "",
) -> Response:
    """Begin a thread and follow it; what can't be asked comes back in the form."""
    try:
        with session.begin_nested():
            thread = starting.begin(session, principal=principal, agent_id=item_id, text=question)
    except REFUSALS as error:
        return show(request, session, principal, kind, item_id, error=error, asked=question)
    return go(f"/threads/{thread.id}", "thread-begun")
