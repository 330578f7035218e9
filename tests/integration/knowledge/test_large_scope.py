"""A scope with more passages than are all weighed: told by a sample, the best are the same."""

from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from leitstand.db.models import Item
from leitstand.identity.access import Principal
from leitstand.knowledge.by_words import RANKS
from leitstand.knowledge.candidates import Candidates, candidates
from leitstand.knowledge.search import Found, search
from tests.integration.knowledge.conftest import AddReady

COMMON = "The flow of water along the river is wide and slow, as the rain of the season makes it."
PASSAGES = 3_200


@pytest.fixture
def large(session: Session, add_indexed: AddReady) -> UUID:
    """A document about a river with many passages, of which two name herons and one of them twice."""
    document = add_indexed("river.md", COMMON)
    fill = text("""
        INSERT INTO chunk (document_id, ordinal, workspace_id, space_id, language, heading, content, words)
        SELECT document_id, number, workspace_id, space_id, language, heading, told, to_tsvector('english', told)
        FROM chunk, generate_series(2, :passages) AS number,
             LATERAL (SELECT content || CASE number WHEN 70 THEN ' A heron. ' WHEN 71 THEN ' A heron, a heron.'
                                        ELSE '' END AS told) AS _
        WHERE document_id = :document
    """)
    session.execute(fill, {"document": document.id, "passages": PASSAGES})
    document.passages, document.characters = PASSAGES, PASSAGES * len(COMMON)
    session.commit()
    return document.id


def places(found: Found) -> list[int]:
    return [hit.ordinal for hit in found.hits]


@pytest.mark.usefixtures("large")
def test_the_sample_finds_what_weighing_all_finds(
    session: Session, owner: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampled = search(session, principal=owner, question="heron by the flow of the river", limit=5)
    monkeypatch.setattr("leitstand.knowledge.candidates.WEIGHED_WHOLE", PASSAGES)
    whole = search(session, principal=owner, question="heron by the flow of the river", limit=5)
    assert places(sampled)[:2] == places(whole)[:2] == [71, 70]
    assert len(sampled.hits) == len(whole.hits) == 5
    assert sampled.hits[0].score == pytest.approx(whole.hits[0].score, rel=0.01)


@pytest.mark.usefixtures("large")
def test_words_that_stand_everywhere_are_found_all_the_same(session: Session, owner: Principal) -> None:
    found = search(session, principal=owner, question="flow", limit=5)
    assert len(found.hits) == 5
    assert found.hits[0].coverage == pytest.approx(1)
    assert found.hits[0].highlights
    assert search(session, principal=owner, question="xylophone", limit=5).hits == []


def test_the_sample_is_of_what_may_be_read(
    session: Session, owner: Principal, large: UUID, space: Item
) -> None:
    def of(space_id: UUID) -> Candidates:
        scope = {"workspace": owner.workspace_id, "spaces": [space_id]}
        lexemes = ["flow", "heron"]
        return candidates(session, scope=scope, language="english", lexemes=lexemes, passages=PASSAGES)

    assert of(space.id).clauses == [{"heron"}]
    assert of(space.id).passages["flow"] == pytest.approx(PASSAGES, rel=0.1)
    assert not any(of(large).passages.values())


def test_how_often_a_word_stands_in_a_passage_is_told_by_its_rank(session: Session) -> None:
    counted = text("""
        SELECT often, cardinality((SELECT positions FROM unnest(words))) AS positions,
               width_bucket(CAST(ts_rank('{1,1,1,1}', words, 'heron') AS float8), CAST(:ranks AS float8[])) AS told
        FROM generate_series(1, 300) AS often, LATERAL (SELECT to_tsvector('english', repeat('heron ', often)) AS words)
    """)
    rows = session.execute(counted, {"ranks": RANKS}).all()
    assert [row.told for row in rows] == [row.positions for row in rows]
    assert rows[-1].told < 300
