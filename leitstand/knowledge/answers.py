"""Answers with citations. Without a model endpoint they are extractive: sentences quoted from the documents."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from leitstand.identity.access import Principal
from leitstand.knowledge.citations import Citation
from leitstand.knowledge.remembered import quotes_of
from leitstand.knowledge.scope import readable
from leitstand.words import N_, joined

EXTRACTIVE, MODEL = "extractive", "model"
EXTRACTIVE_NOTE = N_(
    "No model endpoint is configured, so this answer is put together from sentences of the documents, word for word."
)
QUOTED_NOTE = N_("This answer is put together from sentences of the documents, word for word.")
NOTHING_NOTE = N_("Nothing in the documents that you may read answers this.")


@dataclass(frozen=True)
class Answer:
    """An answer: its text with citation numbers in brackets, how it was made, and what it rests on.

    Args:
        kind: `EXTRACTIVE` (quoted word for word) or `MODEL` (written by one).
        relevant: False where nothing in the documents answers; the text then says so.
        note: how it was made, in words.
        model: which one wrote it; empty where none did.
    """

    question: str
    answer: str
    kind: str
    relevant: bool
    note: str
    citations: tuple[Citation, ...] = ()
    model: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON values."""
        citations = [
            asdict(c) | {"document_id": str(c.document_id), "space_id": str(c.space_id)}
            for c in self.citations
        ]
        return asdict(self) | {"citations": citations}


def ask(
    session: Session,
    *,
    principal: Principal,
    question: str,
    space_id: UUID | None = None,
    why: str = EXTRACTIVE_NOTE,
) -> Answer:
    """Answer a question with sentences from the documents that the principal may read; no model is asked.

    What a document says is only ever quoted: nothing in it is followed as an instruction.

    Args:
        why: the answer's note.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is no such space.
        InvalidInput: the question is empty or too long.
    """
    scope = readable(session, principal, space_id)
    return extractive(question, quotes_of(session, scope, question).fitting, why)


def extractive(question: str, citations: Sequence[Citation], why: str = EXTRACTIVE_NOTE) -> Answer:
    """The quotes of these citations as an answer; without any it says that nothing was found."""
    if not citations:
        return Answer(question, NOTHING_NOTE, EXTRACTIVE, relevant=False, note=why)
    words = " ".join(f"{citation.quote} [{citation.number}]" for citation in citations)
    return Answer(question, words, EXTRACTIVE, relevant=True, note=why, citations=tuple(citations))


def quoted_because(reason: str) -> str:
    """The note of an answer that no model wrote, although there is one."""
    return joined(reason, QUOTED_NOTE)
