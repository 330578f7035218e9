"""Conversations with companions and the assistant."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response, status
from pydantic import Field

from api.items.filters import PAGE_SIZE, Limit
from api.items.tags import IfMatch, check_match, etag_of
from api.models import Answer, Request
from api.moments import Instant
from leitstand.catalogue.items import get_item
from leitstand.companions.steps import AnyStep, Choice, Input
from leitstand.conversations import assistant, changing, companions, keeping
from leitstand.conversations.export import TYPES, export
from leitstand.conversations.reading import OWNERS, PARTNERS, STATES, Filters, Row, Shown, find, open_one
from leitstand.errors import InvalidInput
from leitstand.identity.access import Principal
from leitstand.knowledge.search import MAX_QUESTION
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(tags=["conversations"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]
NOTHING = status.HTTP_204_NO_CONTENT
MADE = status.HTTP_201_CREATED


class ConversationOut(Answer):
    id: UUID
    title: str
    partner: str = Field(description="assistant, or companion.")
    companion_id: UUID | None
    companion: str = Field(description="Its title; empty where you may not see it.")
    space_id: UUID | None = Field(description="The space that the assistant is asked about; null: all.")
    owner_id: UUID | None
    owner: str
    archived: bool
    ended_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ConversationPage(Answer):
    """One page of the list; `next` is the cursor of the next page, null at the end."""

    items: list[ConversationOut]
    next: str | None


class MessageOut(Answer):
    id: UUID
    position: int
    said_by: str = Field(description="person, companion or assistant.")
    text: str
    note: str
    feedback: str = Field(description="helpful, not helpful, or empty.")
    withheld: bool = Field(description="Its text rests on documents that you may not open, and is left out.")
    citations: list[dict[str, Any]]
    created_at: datetime


class AwaitedOut(Answer):
    """What a companion waits for: words, one of `options` by its value, or the JSON text of a value that fits `json_schema`."""

    kind: str = Field(description="question, choice, input or ask.")
    options: list[str]
    json_schema: dict[str, Any] | None


class ConversationFull(ConversationOut):
    """A conversation with its messages; `revision` goes with an answer to a companion, null where none is awaited."""

    mine: bool
    revision: int | None
    awaits: AwaitedOut | None
    messages: list[MessageOut]


class ConversationIn(Request):
    """With a companion, or with the assistant: one of `companion_id` and `question`."""

    companion_id: UUID | None = None
    question: str = Field("", max_length=MAX_QUESTION)
    space_id: UUID | None = None


class QuestionIn(Request):
    question: str = Field(min_length=1, max_length=MAX_QUESTION)
    space_id: UUID | None = None


class MessageIn(Request):
    """What is said; `revision` is that of the conversation as it was read, for one with a companion."""

    text: str = Field("", max_length=10_000)
    revision: Annotated[int | None, Field(ge=0, le=1_000_000)] = None


class ConversationChange(Request):
    title: str | None = None
    archived: bool | None = None


class FeedbackIn(Request):
    feedback: str = Field("", description="helpful, not helpful, or empty.")


class AssistantOut(Answer):
    """How the assistant answers now."""

    kind: str = Field(description="extractive: quoted word for word from the documents.")
    model_endpoint: bool = Field(description="Whether a model endpoint is connected; it is not used yet.")


def _wanted(
    q: Annotated[str, Query(description="Text of the title or of a message.", max_length=500)] = "",
    partner: Annotated[str, Query(description=f"One of: {', '.join(PARTNERS)}.")] = "",
    companion: UUID | None = None,
    owner: Annotated[str, Query(description=f"One of: {', '.join(OWNERS)}.")] = "",
    state: Annotated[str, Query(description=f"One of: {', '.join(STATES)}; empty: not archived.")] = "",
    since: Instant | None = None,
    favorites: bool = False,
) -> Filters:
    """The filters of a request."""
    return Filters(q, partner, companion, owner, state, since, favorites)


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
    """Begin one with a published companion, or by asking the assistant."""
    if (new.companion_id is None) == (not new.question):
        raise InvalidInput("Name one: a companion, or a question to the assistant.")
    if new.companion_id is not None:
        made = companions.begin_with(session, principal=principal, companion_id=new.companion_id)
    else:
        made = assistant.begin_asking(
            session, principal=principal, question=new.question, space_id=new.space_id
        )
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
    """Go on: answer the companion, or ask the assistant once more."""
    _, conversation = keeping.held(session, principal=principal, item_id=item_id)
    if conversation.partner == keeping.ASSISTANT:
        assistant.go_on(session, principal=principal, item_id=item_id, question=said.text)
    elif said.revision is None:
        raise InvalidInput("The revision is missing.", hint="Read the conversation and send its revision.")
    else:
        companions.answer(
            session, principal=principal, item_id=item_id, revision=said.revision, words=said.text
        )
    return _full(session, principal, item_id, response)


@router.put("/conversations/{item_id}/messages/{message_id}/feedback", status_code=NOTHING, dependencies=CSRF)
def judge_message(
    session: Db, principal: CurrentPrincipal, item_id: UUID, message_id: UUID, given: FeedbackIn
) -> None:
    """Say whether an answer helped."""
    changing.judge(
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
    return AssistantOut(kind="extractive", model_endpoint=model)


@router.post("/assistant", status_code=MADE, dependencies=CSRF)
def ask_assistant(
    session: Db, principal: CurrentPrincipal, asked: QuestionIn, response: Response
) -> ConversationFull:
    """Ask about everything that you may read; the answer is kept as a conversation."""
    made = assistant.begin_asking(
        session, principal=principal, question=asked.question, space_id=asked.space_id
    )
    response.headers["Location"] = f"/api/v1/conversations/{made.item_id}"
    return _full(session, principal, made.item_id, response)


def _held(session: Db, principal: Principal, item_id: UUID, if_match: str | None) -> None:
    item = get_item(session, principal=principal, item_id=item_id, kind=keeping.KIND, for_update=True)
    check_match(item, if_match)


def _out(row: Row) -> ConversationOut:
    item, kept = row.item, row.conversation
    return ConversationOut(
        id=item.id, title=item.title, partner=kept.partner, companion_id=kept.companion_id if row.companion else None,
        companion=row.companion, space_id=kept.space_id, owner_id=item.owner_id, owner=row.owner,
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
        messages=[_message(shown) for shown in opened.messages],
    )  # fmt: skip


def _awaited(step: AnyStep) -> AwaitedOut:
    options = [option.value for option in step.options] if isinstance(step, Choice) else []
    schema = step.content["schema"] if isinstance(step, Input) else None
    return AwaitedOut(kind=step.kind, options=options, json_schema=schema)


def _message(shown: Shown) -> MessageOut:
    message = shown.message
    return MessageOut(
        id=message.id, position=message.position, said_by=message.said_by, text=shown.text, note=message.note,
        feedback=message.feedback, withheld=shown.withheld, citations=list(shown.citations),
        created_at=message.created_at,
    )  # fmt: skip
