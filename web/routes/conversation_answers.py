"""What is done with the messages of a conversation: asked in other words, answered again, stopped, followed, judged."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.conversations import judging, talking
from leitstand.conversations.reading import open_message
from serving.downloads import attachment_file
from serving.session import CurrentPrincipal, Db, require_csrf
from web.conversation_page import mark, message_names, tried
from web.pages import fragment, go, wants_fragment

router = APIRouter(prefix="/conversations/{item_id}", include_in_schema=False)
CSRF = [Depends(require_csrf)]
NOTHING_NEW = 204


@router.get("/messages/{message_id}/state")
def message_state(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    message_id: UUID,
    seen: str = "",
) -> Response:
    """One message as it is now; nothing while that is what was seen."""
    opened = open_message(session, principal=principal, item_id=item_id, message_id=message_id)
    (shown,) = opened.messages
    if not wants_fragment(request):
        return go(f"/conversations/{item_id}#message-{message_id}")
    if shown.writing and mark(shown) == seen:
        return Response(status_code=NOTHING_NEW)
    return fragment(
        principal, "parts/opened_message.html", shown=shown, item=opened.row.item,
        conversation=opened.row.conversation, **message_names(session, principal, opened),
    )  # fmt: skip


@router.post("/messages/{message_id}/edit", dependencies=CSRF)
def edit(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    message_id: UUID,
    text: Annotated[str, Form()] = "",
) -> Response:
    """Ask it in other words, as a branch beside it."""

    def deed() -> None:
        talking.edit(session, principal=principal, item_id=item_id, message_id=message_id, question=text)

    return tried(request, session, principal, item_id, deed, f"/conversations/{item_id}#say", text=text)


@router.post("/messages/{message_id}/again", dependencies=CSRF)
def answer_again(
    request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID, message_id: UUID
) -> Response:
    """Have it answered once more, as a branch beside the answer."""

    def deed() -> None:
        talking.regenerate(session, principal=principal, item_id=item_id, message_id=message_id)

    return tried(request, session, principal, item_id, deed, f"/conversations/{item_id}#say")


@router.post("/messages/{message_id}/choose", dependencies=CSRF)
def choose(session: Db, principal: CurrentPrincipal, item_id: UUID, message_id: UUID) -> Response:
    """Show the branch of this message from now on."""
    talking.choose(session, principal=principal, item_id=item_id, message_id=message_id)
    return go(f"/conversations/{item_id}#message-{message_id}")


@router.post("/messages/{message_id}/stop", dependencies=CSRF)
def stop(
    request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID, message_id: UUID
) -> Response:
    """Have it not written any further."""

    def deed() -> None:
        talking.stop(session, principal=principal, item_id=item_id, message_id=message_id)

    address = f"/conversations/{item_id}#message-{message_id}"
    return tried(request, session, principal, item_id, deed, address, "answer-stopped")


@router.post("/messages/{message_id}/feedback", dependencies=CSRF)
def judge(
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    message_id: UUID,
    feedback: Annotated[str, Form()] = "",
) -> Response:
    """Say whether an answer helped."""
    judging.judge(session, principal=principal, item_id=item_id, message_id=message_id, feedback=feedback)
    return go(f"/conversations/{item_id}#message-{message_id}", "saved")


@router.get("/attachments/{attachment_id}")
def download(
    request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID, attachment_id: UUID
) -> Response:
    """A file that came with a question, to be saved."""
    return attachment_file(request, session, principal, item_id=item_id, attachment_id=attachment_id)
