"""Spaces asked by flows: with the rights of whoever saved the version, never with more."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.companions.runner import NO_REPLY, Asker, Reply, Source
from leitstand.db.models import CompanionVersion, Membership
from leitstand.errors import Forbidden, InvalidInput, NotFound
from leitstand.identity.access import Principal, system_principal
from leitstand.knowledge.answers import ask as ask_space


def asker(session: Session, principal: Principal) -> Asker:
    """Answers from the spaces that the principal may read; nothing is found in one that they may not."""

    def ask(space: str, question: str) -> Reply:
        try:
            found = ask_space(session, principal=principal, question=question, space_id=UUID(space))
        except (Forbidden, InvalidInput, NotFound):
            return NO_REPLY
        if not found.relevant:
            return NO_REPLY
        sources = tuple(Source(c.number, c.title, c.passage, c.quote) for c in found.citations)
        return Reply(True, found.answer, sources)

    return ask


def asker_of_version(session: Session, workspace_id: UUID, companion_id: UUID, number: int) -> Asker:
    """Answers from the spaces that the version's author may read today; without one, what the workspace shares."""

    def ask(space: str, question: str) -> Reply:
        author = session.scalar(
            select(CompanionVersion.created_by).where(
                CompanionVersion.companion_id == companion_id, CompanionVersion.number == number
            )
        )
        return asker(session, _reader(session, workspace_id, author))(space, question)

    return ask


def reply_to(reply: Reply) -> dict[str, Any]:
    """A reply as JSON values."""
    return asdict(reply) | {"sources": [asdict(source) for source in reply.sources]}


def reply_from(kept: dict[str, Any] | None) -> Reply | None:
    """A reply from what `reply_to` gave."""
    if kept is None:
        return None
    return Reply(kept["found"], kept["text"], tuple(Source(**source) for source in kept["sources"]))


def _reader(session: Session, workspace_id: UUID, person_id: UUID | None) -> Principal:
    member = session.get(Membership, (workspace_id, person_id)) if person_id else None
    ended = member is not None and member.expires_at is not None and member.expires_at <= datetime.now(UTC)
    if member is None or member.suspended_at or ended:
        return system_principal(workspace_id, "companion")
    may = frozenset({"item:read"})
    return Principal(person_id, workspace_id, "companion", "", member.role, may)
