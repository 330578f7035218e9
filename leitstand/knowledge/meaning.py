"""Which passages are nearest to a question in meaning, whatever their words and language: by vectors, of what the person
may read alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.db.vectors import INDEXED
from leitstand.errors import LeitstandError
from leitstand.knowledge.embeddings import as_text
from leitstand.knowledge.encoder import MODEL
from leitstand.knowledge.vector_source import SECONDS_OF_A_QUESTION, Source, made, source_of
from leitstand.telemetry.logs import get_logger

NEAREST, NEAREST_BY_INDEX = 100, 30
# Up to so many passages, each is compared; beyond, an index is asked, which goes on until it has found enough of those
# that the person may read.
COMPARED_ONE_BY_ONE = 4_000
# What a passage and a question have in common that are about different things: a passage without any of the question's
# words is found above it only.
UNRELATED = 0.25
# The most that an index looks at for a question where most is not theirs to read.
MOST_SCANNED = 20_000

ONE_BY_ONE = text("""
    SELECT document_id, ordinal, -(vector <#> CAST(:vector AS halfvec)) AS cosine FROM embedding
    WHERE workspace_id = :workspace AND space_id = ANY(:spaces) AND model = :model AND vector_dims(vector) = :dimensions
    ORDER BY cosine DESC, document_id, ordinal LIMIT :most
""")
BY_INDEX = """
    SELECT document_id, ordinal, -(vector::halfvec({dimensions}) <#> CAST(:vector AS halfvec({dimensions}))) AS cosine
    FROM embedding
    WHERE vector_dims(vector) = {dimensions}
        AND workspace_id = :workspace AND space_id = ANY(:spaces) AND model = :model
    ORDER BY vector::halfvec({dimensions}) <#> CAST(:vector AS halfvec({dimensions})) LIMIT :most
"""
COSINES = text("""
    SELECT document_id, ordinal, cosine FROM unnest(CAST(:documents AS uuid[]), CAST(:ordinals AS integer[]))
        AS place(document_id, ordinal), LATERAL (
        SELECT -(vector <#> CAST(:vector AS halfvec)) AS cosine FROM embedding
        WHERE embedding.document_id = place.document_id AND embedding.ordinal = place.ordinal AND model = :model
          AND vector_dims(vector) = vector_dims(CAST(:vector AS halfvec))
        LIMIT 1
    ) AS compared
""")
LOOK_ON = text("""
    SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', :most, true),
        set_config('hnsw.max_scan_tuples', :scanned, true)
""")

Place = tuple[UUID, int]
log = get_logger("knowledge")


@dataclass(frozen=True)
class Meaning:
    """A question as a vector of a model, as text; and the passages nearest to it with their cosines. Empty where there is none.

    `unknown`: there would be one, but an endpoint did not say it.
    """

    model: str = ""
    vector: str = ""
    nearest: dict[Place, float] = field(default_factory=dict)
    unknown: bool = False


def nearest(session: Session, question: str, *, scope: dict[str, Any], model: str, passages: int) -> Meaning:
    """The passages of a scope that are nearest to a question; nothing where an endpoint does not say it as a vector.

    Args:
        scope: `workspace` and `spaces`, those that the person may read.
        model: that of the workspace, whose vectors are looked at.
        passages: how many the scope has.
    """
    try:
        source = Source(scope["workspace"]) if model == MODEL else source_of(session, scope["workspace"])
        vector = made(_engine_of(session), source, [question], seconds=SECONDS_OF_A_QUESTION)[0]
    except LeitstandError as error:
        log.warning("a question is looked for by its words alone", reason=error.message)
        return Meaning(unknown=True)
    values = scope | {"model": model, "vector": as_text(vector), "most": NEAREST, "dimensions": len(vector)}
    if passages <= COMPARED_ONE_BY_ONE or len(vector) not in INDEXED:
        rows = session.execute(ONE_BY_ONE, values)
    else:
        values["most"] = NEAREST_BY_INDEX
        session.execute(LOOK_ON, {"most": str(NEAREST_BY_INDEX), "scanned": str(MOST_SCANNED)})
        rows = session.execute(text(BY_INDEX.format(dimensions=len(vector))), values)
    return Meaning(model, values["vector"], {(row.document_id, row.ordinal): row.cosine for row in rows})


def cosines(session: Session, meaning: Meaning, places: Sequence[Place]) -> dict[Place, float]:
    """The cosines of passages that were found by words; one without a vector of the model is left out."""
    if not places:
        return {}
    values = {
        "documents": [place[0] for place in places], "ordinals": [place[1] for place in places],
        "vector": meaning.vector, "model": meaning.model,
    }  # fmt: skip
    return {(row.document_id, row.ordinal): row.cosine for row in session.execute(COSINES, values)}


def _engine_of(session: Session) -> Engine:
    bind = session.get_bind()
    return bind.engine
