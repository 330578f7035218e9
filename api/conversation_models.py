"""What the API says and takes of conversations."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from api.models import Answer, Request
from leitstand.agents.starting import LONGEST_TEXT
from leitstand.catalogue.kinds.base import WHOLE
from leitstand.conversations.files import MOST_FILES
from leitstand.knowledge.search import MAX_QUESTION


class AttachmentIn(Request):
    """A file that comes with a question; scanned and read before it is answered."""

    name: str = Field(min_length=1, max_length=200)
    content: str = Field(min_length=1, description="Its bytes in base64, at most 5 MB.")
    media_type: str = Field("", max_length=200, description="Empty: told by the name.")


Attachments = Annotated[list[AttachmentIn], Field(max_length=MOST_FILES)]


class ConversationOut(Answer):
    id: UUID
    title: str
    partner: str = Field(description="assistant, companion, or agent.")
    companion_id: UUID | None
    companion: str = Field(description="Its title; empty where you may not see it.")
    agent_id: UUID | None
    agent: str = Field(description="Its title; empty where you may not see it.")
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


class AttachmentOut(Answer):
    id: UUID
    name: str
    bytes: int
    status: str = Field(description="waiting, ready, or refused.")
    reason: str = Field(description="Why it was refused; empty where it was not.")


class MessageOut(Answer):
    id: UUID
    position: int
    parent: int | None = Field(description="Position of the message before it; null: it is a first one.")
    chosen: bool = Field(description="Whether it stands on the branch that is chosen.")
    said_by: str = Field(description="person, companion, agent or assistant.")
    status: str = Field(description="done; of an answer also writing, failed, or stopped.")
    error: str = Field(
        description="Why it was not answered; empty where it was, and for others than its owner."
    )
    model: str = Field(description="Which model wrote it; empty where none did, or an agent did.")
    thread_id: UUID | None = Field(description="The thread that answers; null for others than its owner.")
    attachments: list[AttachmentOut]
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
    """A conversation with its messages of all branches; `revision` goes with an answer to a companion, null where none is awaited."""

    mine: bool
    revision: int | None
    awaits: AwaitedOut | None
    messages: list[MessageOut]


class ConversationIn(Request):
    """With a companion (`companion_id` alone), with an agent (`agent_id` and `question`), or with the assistant (`question`)."""

    companion_id: UUID | None = None
    agent_id: UUID | None = None
    question: str = Field("", max_length=LONGEST_TEXT)
    space_id: UUID | None = None
    attachments: Attachments = Field(default_factory=list)


class QuestionIn(Request):
    question: str = Field(min_length=1, max_length=MAX_QUESTION)
    space_id: UUID | None = None
    attachments: Attachments = Field(default_factory=list)


class MessageIn(Request):
    """What is said; `revision` is that of the conversation as it was read, for one with a companion."""

    text: str = Field("", max_length=LONGEST_TEXT)
    revision: Annotated[int | None, Field(ge=0, le=1_000_000), WHOLE] = None
    after: Annotated[
        int | None,
        Field(ge=0, le=1_000_000, description="Where the chosen branch ended as it was read; null: unasked."),
        WHOLE,
    ] = None
    attachments: Attachments = Field(default_factory=list)


class EditIn(Request):
    """The question in other words."""

    text: str = Field(min_length=1, max_length=LONGEST_TEXT)


class ConversationChange(Request):
    title: str | None = None
    archived: bool | None = None


class FeedbackIn(Request):
    feedback: str = Field("", description="helpful, not helpful, or empty.")


class AssistantOut(Answer):
    """How the assistant answers now."""

    kind: str = Field(
        description="model: written by one; extractive: quoted word for word from the documents."
    )
    model_endpoint: bool = Field(description="Whether a model endpoint is connected.")
