"""A worker answers a question that waits for its answer: reads the files that came with it, and asks the model or the agent.

The row of the answer says where it stands: it is taken while its `status` is writing, and each worker that takes it
counts `attempts` up. What a worker writes holds only while the row is as it left it, so that one that was held for dead,
or whose answer was stopped meanwhile, changes nothing.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Engine, and_, select, update
from sqlalchemy.orm import Session

from leitstand.conversations import agents
from leitstand.conversations.assistant import kept
from leitstand.conversations.file_reading import read
from leitstand.conversations.keeping import AGENT, DONE, FAILED, WRITING
from leitstand.conversations.remembered import Remembered, remembered
from leitstand.db.engine import transaction
from leitstand.db.models import Conversation, ConversationMessage, Item
from leitstand.errors import LeitstandError
from leitstand.identity.access import Principal
from leitstand.identity.standing import principal_of
from leitstand.knowledge.citations import Citation
from leitstand.knowledge.model_answers import Material, Turn, compose
from leitstand.outgoing.connections import Stopped
from leitstand.storage.objects import ObjectStorage
from leitstand.telemetry.logs import get_logger
from leitstand.words import N_

QUESTION_SECONDS = 180.0
LOOK_SECONDS = 1.0
MAY_NOT = N_("Whoever asked this may not ask any more.")
log = get_logger("conversations")


@dataclass(frozen=True)
class _Taken:
    """An answer in the hands of this worker."""

    message_id: UUID
    attempt: int
    attachments: tuple[str, ...]

    def mine(self) -> ColumnElement[bool]:
        """That the row still is as this worker left it."""
        return and_(
            ConversationMessage.id == self.message_id,
            ConversationMessage.status == WRITING,
            ConversationMessage.thread_id.is_(None),
            ConversationMessage.attempts == self.attempt,
        )


def answer(engine: Engine, storage: ObjectStorage, *, message_id: UUID) -> None:
    """Have a question answered; nothing happens where that was done, stopped, or deleted.

    Raises:
        Unavailable: a file can't be read now; the queue tries again.
    """
    taken = _take(engine, message_id)
    if taken is None:
        return
    for attachment_id in taken.attachments:
        read(engine, storage, attachment_id=UUID(attachment_id))
    try:
        _answer(engine, taken)
    except Stopped:
        log.info("answer stopped", message=str(message_id))
    except LeitstandError as error:
        _write(engine, taken, status=FAILED, error=error.said)


def _take(engine: Engine, message_id: UUID) -> _Taken | None:
    with transaction(engine) as session:
        query = select(ConversationMessage).where(ConversationMessage.id == message_id)
        message = session.scalar(query.with_for_update())
        if message is None or message.status != WRITING or message.thread_id is not None:
            return None
        message.attempts, message.text = message.attempts + 1, ""
        return _Taken(message_id, message.attempts, tuple(_question(session, message).attachments))


def _answer(engine: Engine, taken: _Taken) -> None:
    with transaction(engine) as session:
        message = session.scalar(select(ConversationMessage).where(taken.mine()).with_for_update())
        if message is None:
            return
        conversation = session.get_one(Conversation, message.conversation_id)
        question = _question(session, message)
        principal = _owner(session, conversation)
        if principal is None:
            message.status, message.error = FAILED, MAY_NOT
            return
        if conversation.partner == AGENT:
            agents.begin_thread(session, principal, conversation, question, message)
            return
        known = remembered(session, principal=principal, conversation=conversation, question=question)
        message.rests_on = list(known.rests_on)
    _compose(engine, taken, principal, conversation, question.text, known)


def _compose(
    engine: Engine,
    taken: _Taken,
    principal: Principal,
    conversation: Conversation,
    question: str,
    known: Remembered,
) -> None:
    now = _Now(engine, taken)

    def found(passages: Sequence[Citation]) -> None:
        spaces = [str(one.space_id) for one in passages]
        _write(engine, taken, rests_on=list(dict.fromkeys([*known.rests_on, *spaces])))

    made = compose(
        engine,
        principal=principal,
        question=question,
        space_id=conversation.space_id,
        purpose="assistant",
        earlier=[Turn(turn.person, turn.answer) for turn in known.turns],
        material=[Material(name, text) for name, text in known.files],
        item_id=conversation.item_id,
        seconds=QUESTION_SECONDS,
        on_found=found,
        on_text=lambda text: _write(engine, taken, text=text),
        stopped=now,
    )
    citations = [kept(citation) for citation in made.citations]
    _write(
        engine, taken, text=made.answer, note=made.note, model=made.model, citations=citations, status=DONE
    )


def _write(engine: Engine, taken: _Taken, **values: Any) -> None:
    with transaction(engine) as session:
        session.execute(update(ConversationMessage).where(taken.mine()).values(**values))


def _question(session: Session, message: ConversationMessage) -> ConversationMessage:
    query = select(ConversationMessage).where(
        ConversationMessage.conversation_id == message.conversation_id,
        ConversationMessage.position == message.parent,
    )
    return session.scalars(query).one()


def _owner(session: Session, conversation: Conversation) -> Principal | None:
    """For whom it is answered, with what they may do now; None where they may not ask any more."""
    owner_id = session.get_one(Item, conversation.item_id).owner_id
    if owner_id is None:
        return None
    found = principal_of(session, workspace_id=conversation.workspace_id, person_id=owner_id)
    return found if found is not None and found.may("item:write") else None


class _Now:
    """Whether the answer was stopped, deleted or taken by another worker, asked about once a second."""

    def __init__(self, engine: Engine, taken: _Taken) -> None:
        self._engine, self._taken = engine, taken
        self._looked_at, self._stopped = 0.0, False

    def __call__(self) -> bool:
        if not self._stopped and time.monotonic() - self._looked_at >= LOOK_SECONDS:
            with transaction(self._engine) as session:
                there = session.scalar(select(ConversationMessage.id).where(self._taken.mine()))
            self._stopped, self._looked_at = there is None, time.monotonic()
        return self._stopped
