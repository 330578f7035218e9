"""Conversations with companions and the assistant."""

from base64 import b64decode
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response, status
from fastapi import Request as HttpRequest

from api.conversation_models import (
    AssistantOut,
    AttachmentIn,
    AttachmentOut,
    AwaitedOut,
    ConversationChange,
    ConversationFull,
    ConversationIn,
    ConversationOut,
    ConversationPage,
    EditIn,
    FeedbackIn,
    MessageIn,
    MessageOut,
    QuestionIn,
)
from api.items.filters import PAGE_SIZE, Limit
from api.items.tags import IfMatch, check_match, etag_of
from api.moments import Instant
from leitstand.catalogue.items import get_item
from leitstand.companions.steps import AnyStep, Choice, Input
from leitstand.conversations import agents, assistant, changing, companions, judging, keeping, talking
from leitstand.conversations.branches import is_chosen
from leitstand.conversations.export import TYPES, export
from leitstand.conversations.files import File
from leitstand.conversations.reading import (
    OWNERS,
    STATES,
    Filters,
    Opened,
    Row,
    Shown,
    find,
    open_message,
    open_one,
)
from leitstand.db.models.conversations import PARTNERS
from leitstand.errors import InvalidInput
from leitstand.identity.access import Principal
from leitstand.settings import get_settings
from leitstand.storage.store import store_of
from serving.companion_answers import prepared
from serving.downloads import attachment_file
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(tags=["conversations"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]
NOTHING = status.HTTP_204_NO_CONTENT
MADE = status.HTTP_201_CREATED


def _wanted(
    q: Annotated[str, Query(description="Text of the title or of a message.", max_length=500)] = "",
    partner: Annotated[str, Query(description=f"One of: {', '.join(PARTNERS)}.")] = "",
    companion: UUID | None = None,
    agent: UUID | None = None,
    owner: Annotated[str, Query(description=f"One of: {', '.join(OWNERS)}.")] = "",
    state: Annotated[str, Query(description=f"One of: {', '.join(STATES)}; empty: not archived.")] = "",
    since: Instant | None = None,
    favorites: bool = False,
) -> Filters:
    """The filters of a request."""
    return Filters(q, partner, companion, agent, owner, state, since, favorites)


@router.get("/conversations")
def list_conversations(
    session: Db,
    principal: CurrentPrincipal,
    filters: Annotated[Filters, Depends(_wanted)],
    cursor: str | None = None,
    limit: Limit = PAGE_SIZE,
) -> ConversationPage:
    """Your own and those shared with you, the last changed first."""
    found = find(session, principal=principal, filters=filters, cursor=cursor, limit=limit)
    return ConversationPage(items=[_out(row) for row in found.rows], next=found.cursor)


@router.post("/conversations", status_code=MADE, dependencies=CSRF)
def begin_conversation(
    session: Db, principal: CurrentPrincipal, new: ConversationIn, response: Response
) -> ConversationFull:
    """Begin one with a published companion, or by asking an agent or the assistant."""
    if (new.companion_id is None) == (not new.question):
        raise InvalidInput("Name one: a companion, or a question to an agent or the assistant.")
    given: dict[str, Any] = {
        "principal": principal, "question": new.question, "files": _files(new.attachments),
        "storage": store_of(get_settings()),
    }  # fmt: skip
    if new.companion_id is not None:
        made = companions.begin_with(session, principal=principal, companion_id=new.companion_id)
    elif new.agent_id is not None:
        made = agents.begin_with(session, agent_id=new.agent_id, **given)
    else:
        made = assistant.begin_asking(session, space_id=new.space_id, **given)
    response.headers["Location"] = f"/api/v1/conversations/{made.item_id}"
    return _full(session, principal, made.item_id, response)


@router.get("/conversations/{item_id}")
def get_conversation(
    session: Db, principal: CurrentPrincipal, item_id: UUID, response: Response
) -> ConversationFull:
    """One with its messages; its ETag goes into the If-Match of a change."""
    return _full(session, principal, item_id, response)


@router.patch("/conversations/{item_id}", dependencies=CSRF)
def change_conversation(
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    change: ConversationChange,
    response: Response,
    if_match: IfMatch = None,
) -> ConversationFull:
    """Rename it, put it into the archive or take it back."""
    _held(session, principal, item_id, if_match)
    if change.title is not None:
        changing.rename(session, principal=principal, item_id=item_id, title=change.title)
    if change.archived is not None:
        changing.archive(session, principal=principal, item_id=item_id, archived=change.archived)
    return _full(session, principal, item_id, response)


@router.delete("/conversations/{item_id}", status_code=NOTHING, dependencies=CSRF)
def delete_conversation(
    session: Db, principal: CurrentPrincipal, item_id: UUID, if_match: IfMatch = None
) -> None:
    """Put it into the trash."""
    _held(session, principal, item_id, if_match)
    changing.throw_away(session, principal=principal, item_id=item_id)


@router.post("/conversations/{item_id}/messages", status_code=MADE, dependencies=CSRF)
def send_message(
    session: Db, principal: CurrentPrincipal, item_id: UUID, said: MessageIn, response: Response
) -> ConversationFull:
    """Go on: answer the companion, or ask the agent or the assistant once more."""
    _, conversation = keeping.held(session, principal=principal, item_id=item_id)
    if conversation.partner != keeping.COMPANION:
        talking.go_on(
            session, principal=principal, item_id=item_id, question=said.text, after=said.after,
            files=_files(said.attachments), storage=store_of(get_settings()),
        )  # fmt: skip
    elif said.revision is None:
        raise InvalidInput("The revision is missing.", hint="Read the conversation and send its revision.")
    else:
        reply = prepared(session, principal, item_id=item_id, revision=said.revision, words=said.text)
        companions.answer(
            session, principal=principal, item_id=item_id, revision=said.revision, words=said.text,
            prepared=reply,
        )  # fmt: skip
    return _full(session, principal, item_id, response)


@router.get("/conversations/{item_id}/messages/{message_id}")
def get_message(session: Db, principal: CurrentPrincipal, item_id: UUID, message_id: UUID) -> MessageOut:
    """One message; while an answer is written, what has come of it."""
    opened = open_message(session, principal=principal, item_id=item_id, message_id=message_id)
    (shown,) = opened.messages
    chosen = is_chosen(session, opened.row.conversation, shown.message.position)
    return _message(shown, chosen, mine=opened.mine)


@router.post("/conversations/{item_id}/messages/{message_id}/edits", status_code=MADE, dependencies=CSRF)
def edit_message(
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    message_id: UUID,
    given: EditIn,
    response: Response,
) -> ConversationFull:
    """Ask one of your questions in other words: a branch beside it."""
    talking.edit(session, principal=principal, item_id=item_id, message_id=message_id, question=given.text)
    return _full(session, principal, item_id, response)


@router.post("/conversations/{item_id}/messages/{message_id}/answers", status_code=MADE, dependencies=CSRF)
def answer_again(
    session: Db, principal: CurrentPrincipal, item_id: UUID, message_id: UUID, response: Response
) -> ConversationFull:
    """Have a question answered once more: a branch beside this answer."""
    talking.regenerate(session, principal=principal, item_id=item_id, message_id=message_id)
    return _full(session, principal, item_id, response)


@router.post("/conversations/{item_id}/messages/{message_id}/choose", dependencies=CSRF)
def choose_branch(
    session: Db, principal: CurrentPrincipal, item_id: UUID, message_id: UUID, response: Response
) -> ConversationFull:
    """Let the newest branch through a message be the chosen one."""
    talking.choose(session, principal=principal, item_id=item_id, message_id=message_id)
    return _full(session, principal, item_id, response)


@router.post("/conversations/{item_id}/messages/{message_id}/stop", dependencies=CSRF)
def stop_answer(
    session: Db, principal: CurrentPrincipal, item_id: UUID, message_id: UUID, response: Response
) -> ConversationFull:
    """Have an answer not written any further; what has come of it stays."""
    talking.stop(session, principal=principal, item_id=item_id, message_id=message_id)
    return _full(session, principal, item_id, response)


@router.get(
    "/conversations/{item_id}/attachments/{attachment_id}",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def get_attachment(
    request: HttpRequest, session: Db, principal: CurrentPrincipal, item_id: UUID, attachment_id: UUID
) -> Response:
    """A file that came with a question; ranges are served."""
    return attachment_file(request, session, principal, item_id=item_id, attachment_id=attachment_id)


@router.put("/conversations/{item_id}/messages/{message_id}/feedback", status_code=NOTHING, dependencies=CSRF)
def judge_message(
    session: Db, principal: CurrentPrincipal, item_id: UUID, message_id: UUID, given: FeedbackIn
) -> None:
    """Say whether an answer helped."""
    judging.judge(
        session, principal=principal, item_id=item_id, message_id=message_id, feedback=given.feedback
    )


@router.get(
    "/conversations/{item_id}/export",
    response_class=Response,
    responses={200: {"content": {kind.partition(";")[0]: {} for kind in TYPES.values()}}},
)
def export_conversation(
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    form: Annotated[str, Query(alias="format", description="json, md or csv.")] = "json",
) -> Response:
    """Everything said in it, as a file."""
    text = export(session, principal=principal, item_id=item_id, form=form)
    headers = {
        "Content-Disposition": f'attachment; filename="conversation.{form}"',
        "Cache-Control": "no-store",
    }
    return Response(text, media_type=TYPES[form], headers=headers)


@router.get("/assistant")
def get_assistant(session: Db, principal: CurrentPrincipal) -> AssistantOut:
    """How questions are answered."""
    model = assistant.has_model(session, principal=principal)
    return AssistantOut(kind="model" if model else "extractive", model_endpoint=model)


@router.post("/assistant", status_code=MADE, dependencies=CSRF)
def ask_assistant(
    session: Db, principal: CurrentPrincipal, asked: QuestionIn, response: Response
) -> ConversationFull:
    """Ask about everything that you may read; the answer is kept as a conversation."""
    made = assistant.begin_asking(
        session, principal=principal, question=asked.question, space_id=asked.space_id,
        files=_files(asked.attachments), storage=store_of(get_settings()),
    )  # fmt: skip
    response.headers["Location"] = f"/api/v1/conversations/{made.item_id}"
    return _full(session, principal, made.item_id, response)


def _held(session: Db, principal: Principal, item_id: UUID, if_match: str | None) -> None:
    item = get_item(session, principal=principal, item_id=item_id, kind=keeping.KIND, for_update=True)
    check_match(item, if_match)


def _out(row: Row) -> ConversationOut:
    item, kept = row.item, row.conversation
    return ConversationOut(
        id=item.id, title=item.title, partner=kept.partner, companion_id=kept.companion_id if row.companion else None,
        companion=row.companion, agent_id=kept.agent_id if row.agent else None, agent=row.agent, space_id=kept.space_id, owner_id=item.owner_id, owner=row.owner,
        archived=item.status == "archived", ended_at=kept.ended_at, created_at=item.created_at,
        updated_at=item.updated_at,
    )  # fmt: skip


def _full(session: Db, principal: Principal, item_id: UUID, response: Response) -> ConversationFull:
    opened = open_one(session, principal=principal, item_id=item_id)
    response.headers["ETag"] = etag_of(opened.row.item)
    run = None
    if opened.mine:
        run = companions.standing(session, principal=principal, conversation=opened.row.conversation)
    return ConversationFull(
        **_out(opened.row).model_dump(), mine=opened.mine, revision=run.state.revision if run else None,
        awaits=_awaited(run.flow.step(run.state.step)) if run else None,
        messages=_messages(opened),
    )  # fmt: skip


def _awaited(step: AnyStep) -> AwaitedOut:
    options = [option.value for option in step.options] if isinstance(step, Choice) else []
    schema = step.content["schema"] if isinstance(step, Input) else None
    return AwaitedOut(kind=step.kind, options=options, json_schema=schema)


def _messages(opened: Opened) -> list[MessageOut]:
    chosen = {shown.message.id for shown in opened.messages}
    return [_message(shown, shown.message.id in chosen, mine=opened.mine) for shown in opened.everything]


def _message(shown: Shown, chosen: bool, *, mine: bool) -> MessageOut:
    message = shown.message
    files = [
        AttachmentOut(id=one.id, name=one.name, bytes=one.bytes, status=one.status, reason=one.reason)
        for one in shown.files
    ]
    return MessageOut(
        id=message.id, position=message.position, parent=message.parent, chosen=chosen, said_by=message.said_by,
        text=shown.text, note=message.note, feedback=message.feedback, withheld=shown.withheld,
        citations=list(shown.citations), created_at=message.created_at, status=message.status,
        error=message.error if mine else "", model=message.model, thread_id=message.thread_id if mine else None,
        attachments=files,
    )  # fmt: skip


def _files(given: list[AttachmentIn]) -> list[File]:
    """Files as they were sent.

    Raises:
        InvalidInput: one is no base64.
    """
    try:
        return [File(one.name, b64decode(one.content, validate=True), one.media_type) for one in given]
    except ValueError as error:
        raise InvalidInput("A file is not sent as base64.", hint="Encode its bytes by RFC 4648.") from error
