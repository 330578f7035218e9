"""Passages as vectors: made behind the reading, gone with their passages, and found whatever the question's words are."""

import json
from importlib import import_module
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from leitstand.catalogue.items import update_item
from leitstand.cli import main
from leitstand.db import row_security, vectors
from leitstand.db.models import Embedding, Item, Person, Workspace
from leitstand.health.overview import overview
from leitstand.identity.access import ROLES, Principal
from leitstand.identity.workspaces import ensure_workspace
from leitstand.jobs.registry import find
from leitstand.knowledge.answers import NOTHING_NOTE, ask
from leitstand.knowledge.documents import delete_document, rename_document
from leitstand.knowledge.embeddings import Progress, embed_document, embed_lacking, keep, lacking, progress
from leitstand.knowledge.encoder import DIMENSIONS, MODEL, encode
from leitstand.knowledge.ingest import ingest
from leitstand.knowledge.search import search
from leitstand.knowledge.spaces import create_space
from leitstand.knowledge.vector_source import Source
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from tests.integration.knowledge.conftest import AddReady

TEXTS = {
    "herons.md": "The grey heron is a bird that lives near fresh water and eats fish.",
    "bread.md": "The dough of a sourdough bread rests for twelve hours before it is baked in the oven.",
    "trains.md": "The train to the capital leaves the station every morning at seven o'clock.",
    "taxes.md": "Whoever earns a salary declares the income to the tax office once a year.",
}
GERMAN = "Wann fährt morgens der Zug in die Hauptstadt?"
DUE = text("SELECT task_name, args FROM procrastinate_jobs WHERE queue_name = 'vectors' AND status = 'todo'")
WAITING = text(
    "SELECT count(*) FROM procrastinate_jobs WHERE task_name = :name AND args ->> 'document_id' = :id"
)


@pytest.fixture
def library(engine: Engine, add_indexed: AddReady) -> dict[str, UUID]:
    """Short documents in English about different things, with their vectors."""
    found = {title: add_indexed(title, told).id for title, told in TEXTS.items()}
    assert embed_lacking(engine)
    return found


def titles(session: Session, principal: Principal, question: str) -> list[str]:
    return [hit.title for hit in search(session, principal=principal, question=question).hits]


def count(session: Session) -> int:
    return session.scalars(select(func.count()).select_from(Embedding)).one()


def test_a_vector_is_of_length_one_and_the_same_every_time() -> None:
    one, other, again = encode([GERMAN, TEXTS["trains.md"], GERMAN])
    assert one.shape == (DIMENSIONS,)
    assert float(one @ one) == pytest.approx(1, abs=1e-4)
    assert float(one @ again) == pytest.approx(1, abs=1e-4)
    assert float(one @ encode([TEXTS["bread.md"]])[0]) < float(one @ other)


@pytest.mark.usefixtures("library")
def test_a_german_question_finds_an_english_document(session: Session, owner: Principal) -> None:
    hits = search(session, principal=owner, question=GERMAN).hits
    assert (hits[0].title, hits[0].highlights) == ("trains.md", ())
    assert titles(session, owner, "Was frisst der Vogel am Wasser?")[0] == "herons.md"
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    answer = ask(session, principal=owner, question=GERMAN)
    assert answer.relevant
    assert "leaves the station every morning" in answer.answer


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    "question",
    ["Who is the king of Mongolia?", "Who won the football championship in Brazil?", "日本語", "x" * 2000, "the of and", "Wie funktioniert ein Vulkan?"],
)  # fmt: skip
def test_what_no_document_answers_is_still_not_answered(
    session: Session, owner: Principal, question: str
) -> None:
    answer = ask(session, principal=owner, question=question)
    assert (answer.relevant, answer.answer) == (False, NOTHING_NOTE)


def test_a_document_that_was_read_gets_its_vectors_by_a_job_of_its_own(
    engine: Engine, session: Session, storage: ObjectStorage, owner: Principal, add_ready: AddReady
) -> None:
    document = add_ready("trains.md", TEXTS["trains.md"])
    assert session.scalar(WAITING, {"name": "knowledge.embed", "id": str(document.id)}) == 1
    assert titles(session, owner, "train to the capital") == ["trains.md"]
    assert titles(session, owner, GERMAN) == []
    assert (
        embed_document(engine, document_id=document.id),
        embed_document(engine, document_id=document.id),
    ) == (1, 0)
    assert titles(session, owner, GERMAN) == ["trains.md"]
    before = session.scalar(select(Embedding.vector))
    rename_document(session, principal=owner, document_id=document.id, title="Bread and butter")
    session.commit()
    ingest(engine, storage, document_id=document.id)
    assert count(session) == 0
    embed_document(engine, document_id=document.id)
    assert session.scalar(select(Embedding.vector)) not in (None, before)
    delete_document(session, principal=owner, document_id=document.id)
    assert count(session) == 0
    assert embed_document(engine, document_id=uuid4()) == 0


def test_only_what_the_person_may_read_is_compared(
    engine: Engine, session: Session, owner: Principal, space: Item, library: dict[str, UUID]
) -> None:
    other = Person(email="other@example.org", name="Other")
    session.add(other)
    session.flush()
    viewer = Principal(other.id, owner.workspace_id, "Other", other.email, "member", ROLES["member"])
    update_item(session, principal=owner, item_id=space.id, visibility="private")
    elsewhere = ensure_workspace(session, slug="elsewhere", name="Elsewhere")
    session.commit()
    stranger = Principal(None, elsewhere.id, "Sam", "", "owner", ROLES["owner"])
    assert titles(session, viewer, GERMAN) == titles(session, stranger, GERMAN) == []
    assert titles(session, owner, GERMAN)[0] == "trains.md"
    empty = create_space(session, principal=owner, title="Empty")
    assert search(session, principal=owner, question=GERMAN, space_id=empty.id).hits == []
    assert len(library) == count(session)


@pytest.mark.usefixtures("library")
def test_the_index_finds_what_comparing_one_by_one_finds(
    session: Session, owner: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = search(session, principal=owner, question=GERMAN)
    monkeypatch.setattr("leitstand.knowledge.meaning.COMPARED_ONE_BY_ONE", 0)
    # As a request does: a member, for whom PostgreSQL adds conditions of its own.
    row_security.enter(session, workspace_id=owner.workspace_id)
    session.execute(text("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off"))
    by_index = search(session, principal=owner, question=GERMAN)
    assert [hit.title for hit in by_index.hits] == [hit.title for hit in compared.hits]
    assert by_index.hits[0].score == pytest.approx(compared.hits[0].score, abs=1e-3)


def test_a_passage_that_was_read_anew_meanwhile_keeps_no_old_vector(
    session: Session, workspace: Workspace, add_indexed: AddReady
) -> None:
    add_indexed("trains.md", TEXTS["trains.md"])
    source = Source(workspace.id)
    found = lacking(session, source)
    session.execute(text("UPDATE chunk SET content = 'Something else.'"))
    keep(session, source, found, encode([one.words for one in found]))
    assert count(session) == 0


def test_vectors_of_another_model_are_not_looked_at_and_made_again(
    engine: Engine, session: Session, owner: Principal, library: dict[str, UUID]
) -> None:
    session.execute(text("UPDATE embedding SET model = 'an earlier one'"))
    session.commit()
    assert titles(session, owner, GERMAN) == []
    assert progress(session) == Progress(len(library), 0)
    assert embed_lacking(engine)
    assert set(session.scalars(select(Embedding.model))) == {MODEL}


def test_without_pgvector_words_find_everything_and_health_says_so(
    engine: Engine, session: Session, settings: Settings, owner: Principal, library: dict[str, UUID]
) -> None:
    for dimensions in vectors.INDEXED:
        session.execute(text(f"DROP INDEX {vectors.INDEXES}{dimensions}"))
    session.execute(text("TRUNCATE embedding"))
    session.execute(text("ALTER TABLE embedding ALTER COLUMN vector TYPE real[] USING NULL"))
    session.commit()
    assert embed_document(engine, document_id=library["trains.md"]) == 0
    assert titles(session, owner, "train to the capital")[0] == "trains.md"
    session.commit()
    (database,) = [one for one in overview(engine, settings) if one.name == "postgres"]
    assert (database.state, "without pgvector" in database.detail) == ("up", True)
    assert embed_lacking(engine)
    assert titles(session, owner, GERMAN)[0] == "trains.md"


def test_an_upgrade_has_the_documents_that_are_there_embedded(
    session: Session, add_indexed: AddReady
) -> None:
    upgrade = text(import_module("leitstand.db.migrations.versions.0029_embeddings").CATCH_UP)
    session.execute(upgrade)
    assert session.execute(DUE).all() == []
    add_indexed("trains.md", TEXTS["trains.md"])
    session.execute(upgrade)
    session.commit()
    [(name, arguments)] = session.execute(DUE).all()
    find(name).run(**arguments)
    assert count(session) == 1


def test_the_command_goes_on_where_it_was_interrupted(
    session: Session, library: dict[str, UUID], capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> dict[str, int]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main(["query", "rebuild", "--json", *arguments])
        assert stopped.value.code == 0
        printed: dict[str, int] = json.loads(capsys.readouterr().out)
        return printed

    session.execute(text("DELETE FROM embedding WHERE document_id = :id"), {"id": library["bread.md"]})
    session.commit()
    assert run() == {"passages": 4, "embedded": 4, "made": 1}
    assert run("--workspace", "demo", "--afresh") == {"passages": 4, "embedded": 4, "made": 4}
    assert run() == {"passages": 4, "embedded": 4, "made": 0}
