"""A member's conversation with a published companion: a run of its flow, kept with every word of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from leitstand.catalogue.items import get_item
from leitstand.companions import preparing, runs
from leitstand.companions.runner import Shown, transcript
from leitstand.companions.runs import OpenCompanion, Outcome, Prepared, Run
from leitstand.conversations.keeping import COMPANION, PERSON, Said, add, begin, held
from leitstand.db import row_security
from leitstand.db.engine import transaction
from leitstand.db.models import Companion, Conversation, ConversationMessage, Item
from leitstand.errors import Conflict, Forbidden, NotFound
from leitstand.identity.access import Principal, require
from leitstand.knowledge.answers import EXTRACTIVE
from leitstand.words import N_

SPEAKERS = {"visitor": PERSON, "companion": COMPANION}
NOTHING = N_("Nothing in our documents answers this.")


def begin_with(session: Session, *, principal: Principal, companion_id: UUID) -> Conversation:
    """Begin a conversation with a companion that is published; one that is still open with it is left.

    Where nothing was answered in the open one, that one is gone on with.

    Raises:
        NotFound: there is no such companion.
        Forbidden: see `keeping.begin`.
        Conflict: it is not published.
    """
    require(principal, "item:write")
    item = get_item(session, principal=principal, item_id=companion_id, kind="companion")
    companion, visitor = _open(session, principal, item), visitor_of(principal)
    run = runs.open_run(session, companion=companion, visitor=visitor)
    kept = _of_run(session, principal, run)
    if kept is not None and (run.ended or run.state.revision):
        _end(session, kept)
        run = runs.start_again(session, companion=companion, visitor=visitor, run_id=run.run_id)
        kept = _of_run(session, principal, run)
    if kept is not None:
        return kept
    conversation = begin(
        session,
        principal=principal,
        partner=COMPANION,
        title=item.title,
        companion_id=item.id,
        run_id=run.run_id,
    )
    _write_down(session, principal, conversation, run)
    return conversation


def prepare(
    engine: Engine,
    *,
    principal: Principal,
    item_id: UUID,
    revision: int,
    words: str,
    allow: Callable[[], None] | None = None,
) -> Prepared | None:
    """What a model answers where the companion asks a space, for `answer`; no transaction may be open meanwhile.

    None where there is nothing to prepare, also since the conversation can't be gone on with: `answer` says why.

    Args:
        the others: as `answer`.
        allow: called before a model is asked; what it raises is raised.

    Raises:
        TooManyRequests: this question is being answered already.
    """
    with transaction(engine) as session:
        row_security.enter(session, workspace_id=principal.workspace_id, person_id=principal.person_id)
        try:
            require(principal, "item:write")
            _, conversation = held(session, principal=principal, item_id=item_id)
            companion = _companion(session, principal, conversation)
        except (Forbidden, NotFound, Conflict):
            return None
        run_id = conversation.run_id
    if run_id is None:
        return None
    return preparing.prepare(
        engine, companion=companion, visitor=visitor_of(principal), run_id=run_id, revision=revision,
        answer=words, allow=allow,
    )  # fmt: skip


def answer(
    session: Session,
    *,
    principal: Principal,
    item_id: UUID,
    revision: int,
    words: str,
    prepared: Prepared | None = None,
) -> None:
    """Answer the companion where the conversation stands; an answer that was taken already is not taken twice.

    Args:
        revision: `Standing.revision` as the page showed it.
        prepared: as `prepare` gave it.

    Raises:
        NotFound: there is no such conversation.
        Forbidden: it is somebody else's.
        Conflict: it has ended, it has moved on meanwhile, or the companion is not published any more.
        InvalidInput: the companion does not take this answer.
    """
    require(principal, "item:write")
    _, conversation = held(session, principal=principal, item_id=item_id)
    if conversation.run_id is None:
        raise Conflict("This conversation has ended.", hint="Begin a new one.")
    companion = _companion(session, principal, conversation)
    outcome, run = runs.give_answer(
        session, companion=companion, visitor=visitor_of(principal), run_id=conversation.run_id,
        revision=revision, answer=words, prepared=prepared,
    )  # fmt: skip
    if outcome is Outcome.STALE:
        raise Conflict("This conversation has moved on meanwhile.", hint="Load the page again.")
    if outcome is Outcome.TAKEN:
        _write_down(session, principal, conversation, run)


def standing(session: Session, *, principal: Principal, conversation: Conversation) -> Run | None:
    """Where one's own conversation stands, to be answered there; None where it can't be gone on with."""
    if conversation.run_id is None or conversation.ended_at is not None or conversation.companion_id is None:
        return None
    try:
        companion = _companion(session, principal, conversation)
    except Conflict:
        return None
    run = runs.find_run(session, companion=companion, visitor=visitor_of(principal))
    return run if run is not None and run.run_id == conversation.run_id and not run.ended else None


def _companion(session: Session, principal: Principal, conversation: Conversation) -> OpenCompanion:
    mine = (Item.id == conversation.companion_id) & (Item.workspace_id == principal.workspace_id)
    item = session.scalar(select(Item).where(mine))
    if item is None:
        raise Conflict("The companion of this conversation is gone.", hint="Begin one with another.")
    return _open(session, principal, item)


def _open(session: Session, principal: Principal, item: Item) -> OpenCompanion:
    """The companion as it is open to a member, whose steps count as theirs and not as a visitor's."""
    slug = session.scalar(select(Companion.slug).where(Companion.item_id == item.id))
    published = slug is not None and item.status == "published" and item.deleted_at is None
    if slug is None or not published:
        raise Conflict("This companion is not published.", hint="Publish it, or ask its owner to.")
    kind = "external" if principal.external else "member"
    return replace(runs.find_open(session, slug), actor_kind=kind)


def visitor_of(principal: Principal) -> str:
    """A member as companions' runs know them: no browser's token has this form, and no name is in it."""
    return runs.visitor_key(principal.workspace_id, f"member:{principal.person_id}")


def _of_run(session: Session, principal: Principal, run: Run) -> Conversation | None:
    query = select(Conversation).where(
        Conversation.workspace_id == principal.workspace_id, Conversation.run_id == run.run_id
    )
    return session.scalar(query)


def _end(session: Session, conversation: Conversation) -> None:
    session.execute(
        update(Conversation)
        .where(Conversation.item_id == conversation.item_id, Conversation.ended_at.is_(None))
        .values(ended_at=datetime.now(UTC))
    )


def _write_down(session: Session, principal: Principal, conversation: Conversation, run: Run) -> None:
    """Keep what was said since the last time."""
    item, conversation = held(session, principal=principal, item_id=conversation.item_id)
    kept = session.scalar(
        select(func.count()).where(
            ConversationMessage.conversation_id == item.id,
            ConversationMessage.workspace_id == item.workspace_id,
        )
    )
    lines = list(transcript(run.flow, run.state))[kept or 0 :]
    add(session, item, conversation, [_said(line) for line in lines])
    if run.ended:
        conversation.ended_at = datetime.now(UTC)
        session.flush()


def _said(line: Shown) -> Said:
    """A line as it is kept. What a companion cites stands in its words, as every visitor reads them: whoever talks to
    it need not be able to open the space that it asks."""
    if line.reply is None:
        return Said(SPEAKERS[line.who], line.text)
    if not line.reply.found:
        return Said(COMPANION, NOTHING, EXTRACTIVE)
    sources = "\n".join(f"[{source.number}] {source.title}" for source in line.reply.sources)
    return Said(COMPANION, f"{line.text}\n\n{sources}")
