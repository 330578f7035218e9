"""An endpoint of the workspace makes the vectors: chosen, asked, paid for, and done without where it fails."""

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from leitstand.db.models import Embedding, ModelCall, ModelEndpoint
from leitstand.errors import InvalidInput, Unavailable
from leitstand.identity.access import Principal
from leitstand.integrations import model_endpoints
from leitstand.integrations.model_endpoints import Draft
from leitstand.knowledge.embeddings import Progress, catch_up, embed_lacking, progress
from leitstand.knowledge.encoder import MODEL
from leitstand.knowledge.search import search
from tests.integration.knowledge.conftest import AddReady
from tests.model_server import EMBEDDING_MODEL, NUMBERS, ModelServer, models

__all__ = ["models"]

MISSPELT = "traiin tu capitall"
DUE = text(
    "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'knowledge.vectors' AND status = 'todo'"
)
LENGTHS = select(Embedding.model, func.vector_dims(Embedding.vector)).distinct()


@pytest.fixture
def chosen(session: Session, owner: Principal, models: ModelServer, add_indexed: AddReady) -> ModelEndpoint:
    """Two documents, and an endpoint that was chosen for vectors."""
    add_indexed("trains.md", "The train to the capital leaves the station every morning.")
    add_indexed("bread.md", "The dough of a sourdough bread rests for twelve hours.")
    draft = Draft("Vectors", models.base_url, models.key, embeds=EMBEDDING_MODEL)
    endpoint = model_endpoints.create(session, principal=owner, draft=draft)
    session.commit()
    return endpoint


def titles(session: Session, owner: Principal, question: str) -> list[str]:
    found = [hit.title for hit in search(session, principal=owner, question=question).hits]
    session.commit()
    return found


def test_all_vectors_are_made_by_the_endpoint_that_was_chosen(
    engine: Engine, session: Session, owner: Principal, models: ModelServer, chosen: ModelEndpoint
) -> None:
    assert (session.scalar(DUE), progress(session)) == (1, Progress(2, 0))
    session.commit()
    catch_up(engine, workspace_id=owner.workspace_id)
    assert session.execute(LENGTHS).all() == [(EMBEDDING_MODEL, NUMBERS)]
    assert titles(session, owner, MISSPELT)[0] == "trains.md"
    assert models.embedded[-1] == [MISSPELT]
    calls = session.scalars(select(ModelCall)).all()
    assert {(call.purpose, call.endpoint, call.model, call.succeeded) for call in calls} == {
        ("embedding", "Vectors", EMBEDDING_MODEL, True)
    }
    assert all(call.prompt_tokens > 0 for call in calls)
    model_endpoints.remove(session, principal=owner, endpoint_id=chosen.id)
    session.commit()
    assert (session.scalar(DUE), progress(session)) == (2, Progress(2, 0))
    assert embed_lacking(engine)
    assert session.execute(LENGTHS).all() == [(MODEL, 512)]


@pytest.mark.usefixtures("chosen")
def test_where_the_endpoint_fails_words_find_what_they_find(
    engine: Engine, session: Session, owner: Principal, models: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leitstand.language_models.breaker.MOST_FAILURES", 100)
    assert embed_lacking(engine)
    for said in (b"[]", b'{"data": []}', b'{"data": [{"index": 0, "embedding": []}]}',
                 b'{"data": [{"index": 0, "embedding": [0, 0]}]}', b'{"data": [{"index": 0, "embedding": ["x"]}]}'):  # fmt: skip
        models.vectors_are = said
        assert titles(session, owner, MISSPELT) == []
        assert titles(session, owner, "bread") == ["bread.md"]
        with pytest.raises(Unavailable):
            session.execute(text("TRUNCATE embedding"))
            session.commit()
            embed_lacking(engine)
        models.vectors_are = b""
        assert embed_lacking(engine)
    models.vectors_are = b'{"data": [{"index": 0, "embedding": [1, 2]}]}'
    assert titles(session, owner, "bread") == ["bread.md"]
    assert session.scalar(select(func.count()).where(ModelCall.succeeded.is_(False))) == 15


def test_only_one_endpoint_makes_vectors_and_a_moved_one_makes_them_again(
    engine: Engine, session: Session, owner: Principal, models: ModelServer, chosen: ModelEndpoint
) -> None:
    assert embed_lacking(engine)
    other = Draft("Other", models.base_url, models.key, embeds="another")
    second = model_endpoints.create(session, principal=owner, draft=other)
    session.refresh(chosen)
    assert (chosen.embeds, second.embeds, session.scalar(DUE)) == ("", "another", 2)
    back = Draft("Vectors", models.base_url, embeds=EMBEDDING_MODEL, is_default=True)
    model_endpoints.update_endpoint(session, principal=owner, endpoint_id=chosen.id, draft=back)
    assert progress(session).embedded == 0
    due = session.scalar(DUE)
    again = Draft("Vectors", models.base_url, embeds=EMBEDDING_MODEL)
    model_endpoints.update_endpoint(session, principal=owner, endpoint_id=chosen.id, draft=again)
    assert session.scalar(DUE) == due
    with pytest.raises(InvalidInput):
        model_endpoints.create(
            session, principal=owner, draft=Draft("Long", models.base_url, embeds="x" * 201)
        )
