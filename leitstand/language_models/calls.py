"""What questions to models cost: each is a row, also those that failed, and plans have room for so many tokens a month."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leitstand.db.engine import transaction
from leitstand.db.models import Item, ModelCall, Person, Thread
from leitstand.db.models.base import new_id
from leitstand.errors import LeitstandError
from leitstand.language_models.chat import complete, spent_on
from leitstand.language_models.endpoints import Target
from leitstand.language_models.messages import Definition, Message, Reply, Spent
from leitstand.language_models.metrics import count
from leitstand.limits.counting import tokens_since
from leitstand.limits.room import require_room
from leitstand.telemetry.logs import get_logger

__all__ = ["Asker", "ask", "cost_of", "record", "tokens_since"]

A_MILLION = 1_000_000
log = get_logger("models")


@dataclass(frozen=True)
class Asker:
    """For what a model is asked: `purpose` is one of `leitstand.db.models.agents.PURPOSES`."""

    workspace_id: UUID
    purpose: str
    item_id: UUID | None = None
    person_id: UUID | None = None
    thread_id: UUID | None = None


def ask(
    engine: Engine,
    target: Target,
    messages: Sequence[Message],
    *,
    asker: Asker,
    tools: Sequence[Definition] = (),
    seconds: float,
    longest: int,
    on_text: Callable[[str], None] | None = None,
    stopped: Callable[[], bool] | None = None,
) -> Reply:
    """Ask a model where the plan has room, and keep what it cost; no transaction is open meanwhile.

    Args:
        the others: as `chat.complete`.

    Raises:
        LimitReached: the plan's tokens of the month are used up.
        LeitstandError: as `chat.complete`.
    """
    with transaction(engine) as session:
        require_room(session, asker.workspace_id, "model_tokens_a_month")
    began = time.monotonic()

    def kept(spent: Spent, error: LeitstandError | None = None) -> None:
        seconds = time.monotonic() - began
        count(asker.purpose, seconds=seconds, spent=spent, error=error)
        with transaction(engine) as session:
            record(
                session,
                target=target,
                asker=asker,
                spent=spent,
                succeeded=error is None,
                milliseconds=round(seconds * 1000),
            )

    try:
        reply = complete(
            target,
            messages,
            tools=tools,
            seconds=seconds,
            longest=longest,
            on_text=on_text,
            stopped=stopped,
        )
    except LeitstandError as error:
        kept(spent_on(error), error)
        raise
    kept(Spent(reply.prompt_tokens, reply.completion_tokens))
    return reply


def record(
    session: Session,
    *,
    target: Target,
    asker: Asker,
    spent: Spent,
    succeeded: bool,
    milliseconds: int,
) -> ModelCall:
    """Keep one question and what it cost."""
    call = ModelCall(
        id=new_id(),
        workspace_id=asker.workspace_id,
        purpose=asker.purpose,
        item_id=_still_there(session, Item, asker.item_id),
        person_id=_still_there(session, Person, asker.person_id),
        thread_id=_still_there(session, Thread, asker.thread_id),
        endpoint=target.name,
        model=target.model,
        succeeded=succeeded,
        prompt_tokens=spent.prompt_tokens,
        completion_tokens=spent.completion_tokens,
        cost=cost_of(target, spent),
        milliseconds=milliseconds,
    )
    session.add(call)
    session.flush()
    log.info(
        "model asked",
        model=target.model,
        succeeded=succeeded,
        ms=milliseconds,
        tokens=spent.prompt_tokens + spent.completion_tokens,
    )
    return call


def _still_there(
    session: Session, kind: type[Item] | type[Person] | type[Thread], found: UUID | None
) -> UUID | None:
    """What was asked for, where it was not deleted while the model answered."""
    query = select(kind.id).where(kind.id == found).with_for_update(read=True, key_share=True)
    return session.scalar(query) if found else None


def cost_of(target: Target, spent: Spent | Reply) -> int:
    """What tokens cost, in millionths of the currency; a part of one counts as one."""
    parts = spent.prompt_tokens * target.prompt_price + spent.completion_tokens * target.completion_price
    return -(-parts // A_MILLION)
