"""Whether answers helped: kept with the message, and for companions in the ledger of events, where it holds no word."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.conversations.companions import visitor_of
from leitstand.conversations.keeping import PERSON, WRITING, held
from leitstand.db.models import Conversation, ConversationMessage, Item
from leitstand.db.models.base import new_id
from leitstand.errors import IntegrityFailed, InvalidInput, NotFound
from leitstand.events.ledger import IncomingEvent, Verdict, record
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.words import msg, said

FEEDBACK = ("", "helpful", "not helpful")
# No kind of actor that figures of use count: whoever judges was counted when they talked.
ACTOR_KIND = "judge"


def judge(session: Session, *, principal: Principal, item_id: UUID, message_id: UUID, feedback: str) -> None:
    """Say whether an answer helped; empty takes the opinion back.

    Of a companion's answer the ledger keeps an event in the same transaction, and one more where it is taken back.

    Raises:
        NotFound: there is no such conversation or answer in it.
        Forbidden: it is somebody else's.
        InvalidInput: there is no such opinion.
    """
    if feedback not in FEEDBACK:
        raise InvalidInput("There is no such opinion.", hint="It is one of: helpful, not helpful.")
    item, conversation = held(session, principal=principal, item_id=item_id)
    require(principal, "item:write")
    message = session.scalar(
        select(ConversationMessage).where(
            ConversationMessage.workspace_id == principal.workspace_id,
            ConversationMessage.conversation_id == item.id,
            ConversationMessage.id == message_id,
            ConversationMessage.said_by != PERSON,
            ConversationMessage.status != WRITING,
        )
    )
    if message is None:
        raise NotFound("There is no such answer in this conversation.")
    if message.feedback != feedback:
        before, message.feedback = message.feedback, feedback
        session.flush()
        audit.record(
            session, principal=principal, action="conversation.judge", target=f"conversation:{item.id}",
            before={"feedback": before}, after={"feedback": feedback},
        )  # fmt: skip
        if conversation.companion_id is not None:
            _note(session, principal, conversation, conversation.companion_id, message)


def judged(session: Session, *, principal: Principal, companion: Item) -> dict[str, int]:
    """How many answers of a companion people find helpful, and how many not, in the conversations that there are.

    Raises:
        Forbidden: without `insights:read`.
    """
    require(principal, "insights:read")
    counting = (
        select(ConversationMessage.feedback, func.count())
        .join(Conversation, Conversation.item_id == ConversationMessage.conversation_id)
        .where(
            Conversation.workspace_id == principal.workspace_id,
            Conversation.companion_id == companion.id,
            ConversationMessage.workspace_id == principal.workspace_id,
            ConversationMessage.feedback != "",
        )
        .group_by(ConversationMessage.feedback)
    )
    counted = dict(session.execute(counting).tuples().all())
    return {name: counted.get(name, 0) for name in FEEDBACK if name}


def _note(
    session: Session,
    principal: Principal,
    conversation: Conversation,
    companion_id: UUID,
    message: ConversationMessage,
) -> None:
    event = IncomingEvent(
        event_id=new_id(),
        kind="judged",
        companion_id=companion_id,
        run_key=str(conversation.run_id or conversation.item_id),
        occurred_at=datetime.now(UTC),
        actor_key=visitor_of(principal),
        actor_kind=ACTOR_KIND,
        touched=f"message:{message.id}",
        props={"feedback": message.feedback},
    )
    (outcome,) = record(session, workspace_id=principal.workspace_id, events=[event], source="runtime")
    if outcome.verdict is not Verdict.ACCEPTED:
        raise IntegrityFailed(msg("The opinion was not taken: {reason}.", reason=said(outcome.reason)))
