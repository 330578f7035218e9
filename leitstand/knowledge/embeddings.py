"""The vectors of passages: made behind the reading of a document, from what PostgreSQL has, so that they can be made
again at any time. A document is found by words meanwhile.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import md5
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.db import vectors
from leitstand.db.engine import transaction
from leitstand.db.models import Document
from leitstand.jobs.queue import enqueue
from leitstand.knowledge.encoder import encode
from leitstand.knowledge.vector_source import Source, made, source_of
from leitstand.telemetry.logs import get_logger

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AT_ONCE = 64
EMBED, CATCH_UP = "knowledge.embed", "knowledge.vectors"
# After so many seconds the job that catches up makes way and goes to the end of its queue.
SLICE_SECONDS = 300.0
FIRST = UUID(int=0)

COUNTED = text("""
    SELECT count(*) AS passages, count(embedding.document_id) AS embedded
    FROM chunk LEFT JOIN embedding ON embedding.document_id = chunk.document_id
        AND embedding.ordinal = chunk.ordinal AND embedding.model = :model
    WHERE chunk.workspace_id = :workspace
""")
LACKING = text("""
    SELECT document_id, ordinal, heading || ' ' || content AS words FROM chunk
    WHERE workspace_id = :workspace AND (document_id, ordinal) > (:document, :ordinal)
        AND (CAST(:only AS uuid) IS NULL OR document_id = :only)
        AND NOT EXISTS (
            SELECT FROM embedding WHERE embedding.document_id = chunk.document_id
                AND embedding.ordinal = chunk.ordinal AND embedding.model = :model
        )
    ORDER BY document_id, ordinal LIMIT :most
""")
# Where the document was read anew meanwhile, the passage has other words, and its turn comes again.
KEEP = text("""
    INSERT INTO embedding (document_id, ordinal, workspace_id, space_id, model, vector)
    SELECT chunk.document_id, chunk.ordinal, chunk.workspace_id, chunk.space_id, :model, CAST(given.vector AS halfvec)
    FROM unnest(CAST(:documents AS uuid[]), CAST(:ordinals AS integer[]), CAST(:digests AS text[]),
                CAST(:vectors AS text[])) AS given(document_id, ordinal, digest, vector)
    JOIN chunk ON chunk.document_id = given.document_id AND chunk.ordinal = given.ordinal
        AND md5(chunk.heading || ' ' || chunk.content) = given.digest
    ON CONFLICT (document_id, ordinal) DO UPDATE SET model = excluded.model, vector = excluded.vector
""")
WORKSPACES = text("SELECT DISTINCT workspace_id FROM chunk ORDER BY workspace_id")
FORGET = text("DELETE FROM embedding WHERE workspace_id = coalesce(CAST(:workspace AS uuid), workspace_id)")
log = get_logger("knowledge")


@dataclass(frozen=True)
class Lacking:
    """A passage that has no vector of its workspace's model yet: its place, and heading and content."""

    document_id: UUID
    ordinal: int
    words: str


@dataclass(frozen=True)
class Progress:
    """How many passages there are, and how many have a vector of their workspace's model."""

    passages: int
    embedded: int

    def to_dict(self) -> dict[str, int]:
        """JSON values."""
        return asdict(self)


def as_text(vector: "NDArray[np.float32]") -> str:
    """A vector as PostgreSQL reads it."""
    return "[" + ",".join([f"{number:.6g}" for number in vector.tolist()]) + "]"


def progress(session: Session, *, workspace_id: UUID | None = None) -> Progress:
    """How far the vectors are, of one workspace or of all."""
    passages = embedded = 0
    for one in _workspaces(session, workspace_id):
        row = session.execute(COUNTED, {"workspace": one, "model": source_of(session, one).model}).one()
        passages, embedded = passages + row.passages, embedded + row.embedded
    return Progress(passages, embedded)


def embed_document(engine: Engine, *, document_id: UUID) -> int:
    """Give the passages of a document the vectors that they lack; how many. Nothing where it is gone, or where
    PostgreSQL has no pgvector. May run again at any time.
    """
    with transaction(engine) as session:
        document = session.get(Document, document_id)
        if document is None or not vectors.usable(session.connection()):
            return 0
        workspace_id = document.workspace_id
    count = sum(_batches(engine, workspace_id, only=document_id))
    log.info("document embedded", document=str(document_id), passages=count)
    return count


def embed_lacking(
    engine: Engine,
    *,
    workspace_id: UUID | None = None,
    seconds: float = float("inf"),
    told: Callable[[int], None] = lambda _: None,
) -> bool:
    """Give all passages, or those of one workspace, the vectors that they lack; whether none was left.

    What is there stays, so that it goes on where it was interrupted. False as well where PostgreSQL has no pgvector.

    Args:
        seconds: it stops after so many.
        told: how many have been made so far, after each batch.
    """
    until, count = time.monotonic() + seconds, 0
    with transaction(engine) as session:
        if not vectors.build(session.connection()):
            return False
        workspaces = _workspaces(session, workspace_id)
    for one in workspaces:
        for batch in _batches(engine, one):
            count += batch
            told(count)
            if time.monotonic() > until:
                return False
    return True


def catch_up(engine: Engine, *, workspace_id: UUID | None = None) -> None:
    """The job that embeds what lacks a vector: for some minutes, then it makes way and goes on later."""
    with transaction(engine) as session:
        if not vectors.build(session.connection()):
            return
    if not embed_lacking(engine, workspace_id=workspace_id, seconds=SLICE_SECONDS):
        with transaction(engine) as session:
            enqueue(session, CATCH_UP, workspace_id=workspace_id)


def forget_vectors(session: Session, *, workspace_id: UUID | None = None) -> None:
    """Delete all vectors, or those of one workspace, before they are made afresh."""
    session.execute(FORGET, {"workspace": workspace_id})


def embed_in(session: Session, *, workspace_id: UUID) -> None:
    """Give the passages of a workspace our own model's vectors, as they lack them, within the caller's transaction."""
    source = Source(workspace_id)
    while found := lacking(session, source):
        keep(session, source, found, encode([one.words for one in found]))


def lacking(
    session: Session,
    source: Source,
    *,
    only: UUID | None = None,
    after: tuple[UUID, int] = (FIRST, 0),
    most: int = AT_ONCE,
) -> list[Lacking]:
    """The next passages without a vector, in the order of their places.

    Args:
        only: of this document.
        after: the place of the last one that is known.
    """
    values = {
        "workspace": source.workspace_id, "model": source.model, "only": only, "most": most,
        "document": after[0], "ordinal": after[1],
    }  # fmt: skip
    return [Lacking(row.document_id, row.ordinal, row.words) for row in session.execute(LACKING, values)]


def keep(session: Session, source: Source, passages: Sequence[Lacking], rows: "NDArray[np.float32]") -> None:
    """Keep the vectors of passages, a row for each, of those that are still there as they were."""
    values = {
        "model": source.model,
        "documents": [one.document_id for one in passages],
        "ordinals": [one.ordinal for one in passages],
        "digests": [md5(one.words.encode(), usedforsecurity=False).hexdigest() for one in passages],
        "vectors": [as_text(vector) for vector in rows],
    }
    session.execute(KEEP, values)


def _batches(engine: Engine, workspace_id: UUID, *, only: UUID | None = None) -> Iterator[int]:
    """Work through a workspace's passages; how many got a vector, batch by batch. No transaction is open meanwhile."""
    after = (FIRST, 0)
    while True:
        with transaction(engine) as session:
            source = source_of(session, workspace_id)
            found = lacking(session, source, only=only, after=after)
        if not found:
            return
        rows = made(engine, source, [one.words for one in found])
        with transaction(engine) as session:
            keep(session, source, found, rows)
        after = (found[-1].document_id, found[-1].ordinal)
        yield len(found)


def _workspaces(session: Session, workspace_id: UUID | None) -> list[UUID]:
    return [workspace_id] if workspace_id else list(session.scalars(WORKSPACES))
