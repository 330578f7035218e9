"""A large space made of the sentences of retrieval sets, the same for the same sets.

The vector of a passage is made of those of its sentences, their sum brought to length 1: each sentence stands in many
passages, and to ask the model for 100,000 passages takes it half an hour.
"""

import random
import re
from collections.abc import Sequence
from itertools import batched
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.db import vectors
from leitstand.db.engine import transaction
from leitstand.db.models import Document, Item, Workspace
from leitstand.db.models.base import new_id
from leitstand.knowledge.embeddings import AT_ONCE, as_text
from leitstand.knowledge.encoder import DIMENSIONS, MODEL, encode
from leitstand.knowledge.evaluation import documents, questions

SENTENCES = 4
OF_A_DOCUMENT = 100
SHORTEST = 30
END = re.compile(r"(?<=[.?!])\s+")
Meant = dict[str, NDArray[np.float32]]
INSERT = text("""
    INSERT INTO chunk (document_id, ordinal, workspace_id, space_id, language, heading, content, words)
    SELECT :document, number, :workspace, :space, 'english', '', content, to_tsvector('english', content)
    FROM unnest(CAST(:passages AS text[])) WITH ORDINALITY AS passage(content, number)
""")
INSERT_VECTORS = text("""
    INSERT INTO embedding (document_id, ordinal, workspace_id, space_id, model, vector)
    SELECT :document, number, :workspace, :space, :model, CAST(vector AS halfvec)
    FROM unnest(CAST(:vectors AS text[])) WITH ORDINALITY AS passage(vector, number)
""")
KEPT = text("SELECT workspace_id FROM embedding GROUP BY 1 HAVING count(*) = :passages LIMIT 1")


def questions_of(sets: Sequence[Path], count: int) -> list[str]:
    """So many of the sets' questions, in an order of chance."""
    asked = [question for folder in sets for _, question in questions(folder)]
    random.Random(1).shuffle(asked)
    return asked[:count]


def space_of(engine: Engine, sets: Sequence[Path], *, passages: int) -> UUID:
    """A workspace with one space of English passages, that of an earlier run where there is one; its id."""
    with transaction(engine) as session:
        if kept := session.scalar(KEPT, {"passages": passages}):
            return UUID(str(kept))
        session.execute(text(f"DROP INDEX IF EXISTS {vectors.INDEXES}{DIMENSIONS}"))
    chance = random.Random(1)
    sentences = [
        sentence
        for folder in sets
        for entry in documents(folder)
        for sentence in END.split(str(entry["text"]))
        if len(sentence) >= SHORTEST
    ]
    meant = {
        sentence: vector
        for some in batched(dict.fromkeys(sentences), AT_ONCE)
        for sentence, vector in zip(some, encode(some), strict=True)
    }
    made = (chance.sample(sentences, SENTENCES) for _ in range(passages))
    with transaction(engine) as session:
        workspace = Workspace(slug=f"benchmark-{new_id()}", name="Benchmark")
        session.add(workspace)
        session.flush()
        space = Item(workspace_id=workspace.id, kind="space", title="Benchmark")
        session.add(space)
        session.flush()
        for some in batched(made, OF_A_DOCUMENT):
            _document(session, workspace.id, space.id, list(some), meant)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Made of what is there, which takes a part of the time; then as autovacuum does soon after: merges what the
        # index on words has pending.
        connection.execute(text("SET maintenance_work_mem = '600MB'"))
        vectors.index(connection, DIMENSIONS)
        connection.execute(text("VACUUM ANALYZE chunk, embedding"))
    return workspace.id


def _document(
    session: Session, workspace_id: UUID, space_id: UUID, passages: list[list[str]], meant: Meant
) -> None:
    contents = [" ".join(sentences) for sentences in passages]
    document = Document(
        id=new_id(), workspace_id=workspace_id, space_id=space_id, title="", object_key="", media_type="text/plain",
        bytes=0, sha256="", status="ready", language="english", passages=len(passages),
        characters=sum(map(len, contents)),
    )  # fmt: skip
    document.sha256 = str(document.id)
    session.add(document)
    session.flush()
    values = {"document": document.id, "workspace": workspace_id, "space": space_id, "passages": contents}
    session.execute(INSERT, values)
    meanings = [
        as_text(total / np.linalg.norm(total))
        for total in (sum(map(meant.__getitem__, one)) for one in passages)
    ]
    session.execute(INSERT_VECTORS, values | {"model": MODEL, "vectors": meanings})
