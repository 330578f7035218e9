"""The same question over the same passages is looked up once, and anew as soon as anything of them has changed."""

from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from leitstand.catalogue.items import update_item
from leitstand.catalogue.trash import trash_item
from leitstand.db.models import Document, Item, PassageChange
from leitstand.errors import NotFound
from leitstand.identity.access import ROLES, Principal
from leitstand.integrations import model_endpoints
from leitstand.integrations.model_endpoints import Draft
from leitstand.knowledge import remembered
from leitstand.knowledge.answers import Answer, ask
from leitstand.knowledge.documents import delete_document, rename_document
from leitstand.knowledge.embeddings import embed_lacking
from leitstand.knowledge.scope import forget_older_changes, readable
from leitstand.knowledge.spaces import create_space
from tests.integration.knowledge.conftest import AddReady
from tests.model_server import EMBEDDING_MODEL, ModelServer, models

__all__ = ["models"]

QUESTION = "How long does the dough rest?"
BREAD = "The dough of a sourdough bread rests for twelve hours."
RYE = "The dough of a rye bread rests for two days."


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    remembered._kept.clear()
    yield
    remembered._kept.clear()


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions that were really looked for."""
    asked: list[str] = []
    search = remembered.search_in

    def noting(session: Session, scope: object, question: str, **more: object) -> object:
        asked.append(question)
        return search(session, scope, question, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(remembered, "search_in", noting)
    return asked


@pytest.fixture
def bread(add_indexed: AddReady) -> Document:
    return add_indexed("bread.md", BREAD)


def answer(
    session: Session, principal: Principal, question: str = QUESTION, space_id: UUID | None = None
) -> Answer:
    found = ask(session, principal=principal, question=question, space_id=space_id)
    session.commit()
    return found


@pytest.mark.usefixtures("bread")
def test_the_same_question_is_looked_up_once(
    session: Session, owner: Principal, searched: list[str], space: Item
) -> None:
    first = answer(session, owner)
    assert "twelve hours" in first.answer
    assert answer(session, owner, "How  long does the dough\nrest?").citations == first.citations
    assert searched == [QUESTION]
    assert answer(session, owner, QUESTION.upper()).relevant and len(searched) == 2, "other words"
    assert answer(session, owner, space_id=space.id) == first and len(searched) == 2, "it is the only space"


Change = Callable[[Session, Engine, Principal, Document], object]


def reads_anew(session: Session, engine: Engine, owner: Principal, document: Document) -> None:
    session.execute(text("UPDATE chunk SET content = replace(content, 'twelve', 'ten')"))


def trashes(session: Session, engine: Engine, owner: Principal, document: Document) -> None:
    delete_document(session, principal=owner, document_id=document.id)


def renames(session: Session, engine: Engine, owner: Principal, document: Document) -> None:
    rename_document(session, principal=owner, document_id=document.id, title="sourdough.md")


def deletes_the_document(session: Session, engine: Engine, owner: Principal, document: Document) -> None:
    session.delete(session.get_one(Document, document.id))


def trashes_the_space(session: Session, engine: Engine, owner: Principal, document: Document) -> None:
    trash_item(session, principal=owner, item_id=document.space_id)


def embeds(session: Session, engine: Engine, owner: Principal, document: Document) -> None:
    assert embed_lacking(engine)


@pytest.mark.parametrize(
    "change", [reads_anew, trashes, renames, deletes_the_document, trashes_the_space, embeds]
)
def test_any_change_of_the_passages_is_seen_at_once(
    engine: Engine, session: Session, owner: Principal, searched: list[str], bread: Document, change: Change
) -> None:
    before = answer(session, owner)
    change(session, engine, owner, bread)
    session.commit()
    after = answer(session, owner)
    assert len(searched) == 2
    if change is renames:
        assert [one.title for one in after.citations] == ["sourdough.md"]
    elif change is reads_anew:
        assert "ten hours" in after.answer
    else:
        assert after.relevant is (change is embeds)
    assert before.relevant


@pytest.mark.usefixtures("bread")
def test_nothing_found_is_forgotten_with_the_first_document_that_answers(
    session: Session, owner: Principal, add_indexed: AddReady, searched: list[str]
) -> None:
    question = "When does the train leave the station?"
    assert not answer(session, owner, question).relevant and not answer(session, owner, question).relevant
    assert len(searched) == 1
    add_indexed("trains.md", "The train leaves the station every morning at seven.")
    assert answer(session, owner, question).relevant


def test_what_changes_nothing_that_is_found_forgets_nothing(
    session: Session,
    owner: Principal,
    add_indexed: AddReady,
    searched: list[str],
    bread: Document,
    space: Item,
) -> None:
    answer(session, owner, space_id=space.id)
    other = create_space(session, principal=owner, title="Another one")
    session.commit()
    add_indexed("rye.md", RYE, space_id=other.id)
    session.execute(text("UPDATE document SET reason = '', updated_at = now()"))
    session.commit()
    assert answer(session, owner, space_id=space.id).relevant and len(searched) == 1
    assert len(answer(session, owner).citations) == 2, "of both spaces"


def test_what_is_remembered_is_told_only_to_who_may_read_it(
    session: Session, owner: Principal, add_indexed: AddReady, searched: list[str]
) -> None:
    hidden = create_space(session, principal=owner, title="Payroll")
    update_item(session, principal=owner, item_id=hidden.id, visibility="private")
    session.commit()
    add_indexed("pay.md", "The dough that is paid to the chief baker rests in a vault.", space_id=hidden.id)
    assert answer(session, owner).relevant
    other = Principal(
        person_id=None, workspace_id=owner.workspace_id, name="", email="", role="analyst", permissions=ROLES["analyst"]
    )  # fmt: skip
    assert not answer(session, other).relevant
    with pytest.raises(NotFound):
        ask(session, principal=other, question=QUESTION, space_id=hidden.id)


@pytest.mark.usefixtures("bread")
def test_while_an_earlier_transaction_is_still_to_end_nothing_is_kept(
    engine: Engine,
    session: Session,
    owner: Principal,
    add_indexed: AddReady,
    searched: list[str],
    space: Item,
) -> None:
    """Its number is lower than that of the last change, which does not tell when it ends."""
    with engine.connect() as slow:
        slow.execute(text("UPDATE chunk SET content = replace(content, 'twelve', 'ten')"))
        add_indexed("rye.md", RYE)
        assert not readable(session, owner).settled
        assert "twelve hours" in answer(session, owner).answer
        slow.commit()
    assert readable(session, owner).settled
    assert "ten hours" in answer(session, owner).answer
    assert len(searched) == 2


def test_where_the_meaning_could_not_be_asked_for_it_is_tried_again(
    engine: Engine,
    session: Session,
    owner: Principal,
    models: ModelServer,
    searched: list[str],
    bread: Document,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("leitstand.language_models.breaker.MOST_FAILURES", 100)
    draft = Draft("Vectors", models.base_url, models.key, embeds=EMBEDDING_MODEL)
    model_endpoints.create(session, principal=owner, draft=draft)
    session.commit()
    assert embed_lacking(engine)
    models.vectors_are = b"[]"
    answer(session, owner)
    answer(session, owner)
    assert len(searched) == 2


def test_a_chosen_model_for_vectors_is_another_state(
    session: Session, owner: Principal, models: ModelServer, searched: list[str], bread: Document
) -> None:
    answer(session, owner)
    draft = Draft("Vectors", models.base_url, models.key, embeds=EMBEDDING_MODEL)
    model_endpoints.create(session, principal=owner, draft=draft)
    session.commit()
    answer(session, owner)
    assert len(searched) == 2


def test_of_each_space_the_last_change_is_kept(
    session: Session, owner: Principal, add_indexed: AddReady, space: Item
) -> None:
    other = create_space(session, principal=owner, title="Another one")
    session.commit()
    for title, place in (("a.md", space.id), ("b.md", space.id), ("c.md", other.id)):
        add_indexed(title, f"{title}: {BREAD}", space_id=place)
    before = readable(session, owner)
    forget_older_changes(session)
    session.commit()
    kept = session.scalars(select(PassageChange)).all()
    assert sorted(one.space_id for one in kept) == sorted([space.id, other.id])
    assert readable(session, owner) == before
    session.delete(session.get_one(Item, other.id))
    session.commit()
    forget_older_changes(session)
    session.commit()
    assert session.scalars(select(PassageChange.space_id)).all() == [space.id]
