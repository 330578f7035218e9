"""Spaces asked by flows: with the rights of whoever saved the version, never with more."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leitstand.companions.runner import NO_REPLY, Asker, Reply, Source
from leitstand.db.models import CompanionVersion, Membership
from leitstand.errors import Forbidden, InvalidInput, NotFound
from leitstand.identity.access import Principal, system_principal
from leitstand.knowledge.answers import EXTRACTIVE, Answer
from leitstand.knowledge.answers import ask as ask_space
from leitstand.knowledge.model_answers import compose

# A visitor looks at a page that does not come yet.
ANSWER_SECONDS = 20.0


def asker(session: Session, principal: Principal) -> Asker:
    """Quotes from the spaces that the principal may read; nothing is found in one that they may not."""

    def ask(space: str, question: str) -> Reply:
        return _reply(
            lambda: ask_space(session, principal=principal, question=question, space_id=UUID(space))
        )

    return ask


def model_asker(
    engine: Engine,
    principal: Principal,
    companion_id: UUID,
    *,
    allow: Callable[[], None] | None = None,
) -> Asker:
    """As `asker`, by a model where the workspace has one. No transaction of the caller's may be open meanwhile.

    Args:
        allow: called before a model is asked; what it raises is raised.
    """

    def ask(space: str, question: str) -> Reply:
        return _reply(
            lambda: compose(
                engine,
                principal=principal,
                question=question,
                space_id=UUID(space),
                purpose="companion",
                item_id=companion_id,
                seconds=ANSWER_SECONDS,
                allow=allow,
            )
        )

    return ask


def _reply(answer: Callable[[], Answer]) -> Reply:
    try:
        found = answer()
    except (Forbidden, InvalidInput, NotFound):
        return NO_REPLY
    if not found.relevant:
        return NO_REPLY
    sources = tuple(Source(c.number, c.title, c.passage, c.quote) for c in found.citations)
    return Reply(True, found.answer, sources, found.kind)


def asker_of_version(session: Session, workspace_id: UUID, companion_id: UUID, number: int) -> Asker:
    """Answers from the spaces that the version's author may read today; without one, what the workspace shares."""

    def ask(space: str, question: str) -> Reply:
        return asker(session, reader_of_version(session, workspace_id, companion_id, number))(space, question)

    return ask


def reader_of_version(session: Session, workspace_id: UUID, companion_id: UUID, number: int) -> Principal:
    """With whose rights a version's spaces are asked today: its author's, else those of what the workspace shares."""
    author = session.scalar(
        select(CompanionVersion.created_by).where(
            CompanionVersion.companion_id == companion_id, CompanionVersion.number == number
        )
    )
    return _reader(session, workspace_id, author)


def reply_to(reply: Reply) -> dict[str, Any]:
    """A reply as JSON values."""
    return asdict(reply) | {"sources": [asdict(source) for source in reply.sources]}


def reply_from(kept: dict[str, Any] | None) -> Reply | None:
    """A reply from what `reply_to` gave."""
    if kept is None:
        return None
    sources = tuple(Source(**source) for source in kept["sources"])
    # Before there was a kind, all were quoted.
    return Reply(kept["found"], kept["text"], sources, kept.get("kind", EXTRACTIVE))


def _reader(session: Session, workspace_id: UUID, person_id: UUID | None) -> Principal:
    member = session.get(Membership, (workspace_id, person_id)) if person_id else None
    ended = member is not None and member.expires_at is not None and member.expires_at <= datetime.now(UTC)
    if member is None or member.suspended_at or ended:
        return system_principal(workspace_id, "companion")
    may = frozenset({"item:read"})
    return Principal(person_id, workspace_id, "companion", "", member.role, may)
