"""Answers that a model writes from the passages that were found, with citations; quoted sentences where none can."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import BoundedSemaphore
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.db import row_security
from leitstand.db.engine import transaction
from leitstand.errors import LeitstandError, LimitReached, Unavailable
from leitstand.identity.access import Principal
from leitstand.knowledge.answers import (
    EXTRACTIVE_NOTE,
    MODEL,
    NOTHING_NOTE,
    Answer,
    extractive,
    quoted_because,
)
from leitstand.knowledge.citations import Citation, Quotes
from leitstand.knowledge.model_citations import so_far, taken
from leitstand.knowledge.model_prompts import Material, Turn, prompt
from leitstand.knowledge.remembered import quotes_of
from leitstand.knowledge.scope import readable
from leitstand.knowledge.search import MAX_QUESTION
from leitstand.language_models.calls import Asker, ask
from leitstand.language_models.endpoints import Target, choose
from leitstand.language_models.messages import Message, Reply
from leitstand.outgoing.connections import Stopped
from leitstand.telemetry.logs import get_logger
from leitstand.words import N_, joined, msg, said

__all__ = ["Basis", "Material", "Turn", "compose", "look_up"]

LONGEST = 8_000
# Each question holds one of the threads in which a process answers requests; others need them too.
MOST_AT_ONCE = 16
NOT_ASKED = N_("Nothing in the documents fits, so no model was asked.")
USED_UP = N_("The plan's tokens of models are used up for this month.")
BUSY = N_("Too many questions are being answered at this moment.")
EMPTY = N_("The model gave no answer.")
FILTERED = N_("The model's answer was held back by its endpoint.")
UNFOUNDED = N_("The model's answer did not say which passages it rests on, and was left out.")
UNREAD = N_("Attachments are read by models only.")
log = get_logger("answers")
_room = BoundedSemaphore(MOST_AT_ONCE)


class Busy(Unavailable):
    """This process waits for as many models as it can."""


@dataclass(frozen=True)
class Basis:
    """What an answer can rest on: what the principal may read on the question, and the model that would write it, if any."""

    quotes: Quotes
    target: Target | None


def look_up(
    session: Session,
    *,
    principal: Principal,
    question: str,
    space_id: UUID | None = None,
    earlier: Sequence[Turn] = (),
) -> Basis:
    """What `compose` answers from, for callers who have a transaction open that they end before it.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is no such space.
        InvalidInput: the question is empty or too long.
    """
    scope = readable(session, principal, space_id)
    found = quotes_of(session, scope, question)
    if earlier and not found.fits:
        # "And how heavy is it?" says what it is about only with the question before it.
        found = quotes_of(session, scope, f"{question} {earlier[-1].person}"[:MAX_QUESTION])
    return Basis(found, choose(session, principal.workspace_id) if scope.endpoints else None)


def compose(
    engine: Engine,
    *,
    principal: Principal,
    question: str,
    space_id: UUID | None = None,
    basis: Basis | None = None,
    purpose: str,
    earlier: Sequence[Turn] = (),
    material: Sequence[Material] = (),
    item_id: UUID | None = None,
    seconds: float,
    allow: Callable[[], None] | None = None,
    on_found: Callable[[Sequence[Citation]], None] | None = None,
    on_text: Callable[[str], None] | None = None,
    stopped: Callable[[], bool] | None = None,
) -> Answer:
    """Answer a question from the documents that the principal may read, by a model where there is one.

    Documents and attachments are material: they reach the model quoted, and it is offered no tool, so that nothing in
    them can do anything but be cited. No transaction is open while it is asked. An answer without a citation of what
    it was given is not taken. Where no model can answer, sentences are quoted, and the note says why.

    Args:
        basis: what was looked up beforehand; else it is looked up here.
        purpose: for what tokens are spent, one of `leitstand.db.models.agents.PURPOSES`.
        earlier: what was asked and answered before in the same conversation, oldest first.
        material: what the person attached to the question.
        item_id: for which item tokens are spent; None: the space.
        seconds: for the model's answer, attempts and waits included.
        allow: called before a model is asked; what it raises is raised.
        on_found: told the passages that the model is given, before it is asked; their numbers are not the answer's.
        on_text: told the answer so far about once a second, numbered as the whole will be; an attempt that broke off
            begins anew.
        stopped: asked about twice a second whether to give up.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is no such space.
        InvalidInput: the question is empty or too long.
        Stopped: `stopped` said so.
    """
    if basis is None:
        with _reading(engine, principal) as session:
            basis = look_up(
                session, principal=principal, question=question, space_id=space_id, earlier=earlier
            )
    found, target = basis.quotes, basis.target
    if target is None:
        return extractive(question, found.fitting, joined(EXTRACTIVE_NOTE, UNREAD if material else ""))
    if not found.fits and not material:
        return extractive(question, [], NOT_ASKED)
    if allow is not None:
        allow()
    passages = found.passages if found.fits else ()
    if on_found is not None:
        on_found(passages)
    names = [one.name for one in material]

    def told(text: str) -> None:
        if on_text is not None and (shown := so_far(text, passages=len(passages), attachments=names)):
            on_text(shown)

    asker = Asker(principal.workspace_id, purpose, item_id or space_id, principal.person_id)
    messages = prompt(question, passages, earlier, material)
    try:
        reply = _ask(engine, target, messages, asker=asker, seconds=seconds, on_text=told, stopped=stopped)
    except Stopped:
        raise
    except LeitstandError as error:
        return _quoted(question, found, _why(error))
    return _written(question, found, target.model, passages, names, reply)


@contextmanager
def _reading(engine: Engine, principal: Principal) -> Iterator[Session]:
    """A transaction of its own, which sees the rows of the principal's workspace alone."""
    with transaction(engine) as session:
        row_security.enter(session, workspace_id=principal.workspace_id, person_id=principal.person_id)
        yield session


def _ask(
    engine: Engine,
    target: Target,
    messages: Sequence[Message],
    *,
    asker: Asker,
    seconds: float,
    on_text: Callable[[str], None],
    stopped: Callable[[], bool] | None,
) -> Reply:
    if not _room.acquire(blocking=False):
        raise Busy(BUSY)
    try:
        return ask(
            engine,
            target,
            messages,
            asker=asker,
            seconds=seconds,
            longest=LONGEST,
            on_text=on_text,
            stopped=stopped,
        )
    finally:
        _room.release()


def _written(
    question: str,
    found: Quotes,
    model: str,
    passages: Sequence[Citation],
    names: Sequence[str],
    reply: Reply,
) -> Answer:
    """A model's answer, where it can be taken; else quotes."""
    written = taken(reply.text, passages=len(passages), attachments=names)
    if written.unanswered:
        note = msg("{model} found nothing in the documents that answers this.", model=model)
        return Answer(question, NOTHING_NOTE, MODEL, relevant=False, note=note, model=model)
    if reply.finish == "content_filter":
        return _quoted(question, found, FILTERED)
    if not written.text:
        return _quoted(question, found, EMPTY)
    if not written.passages and not written.attached:
        return _quoted(question, found, UNFOUNDED)
    cited = tuple(
        replace(passages[told - 1], number=number) for number, told in enumerate(written.passages, start=1)
    )
    text = f"{written.text} …" if reply.finish == "length" else written.text
    note = msg("Written by {model} from the documents; check the sources.", model=model)
    return Answer(question, text, MODEL, relevant=True, note=note, citations=cited, model=model)


def _quoted(question: str, found: Quotes, reason: str) -> Answer:
    log.info("no model's answer", reason=str(reason))
    return extractive(question, found.fitting, quoted_because(reason))


def _why(error: LeitstandError) -> str:
    if isinstance(error, LimitReached):
        return USED_UP
    if isinstance(error, Busy):
        return BUSY
    return msg("The model could not be asked: {reason}", reason=said(error.message))
