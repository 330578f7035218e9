"""The virus scanner: what it finds is quarantined, what it has not seen waits, what is too large is not let pass."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from leitstand.db.models import AuditEntry, Chunk, Document, Item
from leitstand.errors import Conflict
from leitstand.identity.access import Principal
from leitstand.knowledge.documents import add_document, ingest_again
from leitstand.knowledge.infected_mail import letter
from leitstand.knowledge.ingest import ingest
from leitstand.knowledge.scanning import require_clean
from leitstand.settings import get_settings
from leitstand.storage.objects import ObjectStorage
from tests.clamd import NAME, VIRUS, Clamd, clamd
from tests.integration.knowledge.test_documents import jobs


@pytest.fixture
def scanner(storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clamd]:
    """A scanner that the settings name."""
    with clamd() as double:
        monkeypatch.setenv("LEITSTAND_CLAMD_ADDRESS", double.address)
        get_settings.cache_clear()
        storage.settings = get_settings()
        yield double


@pytest.fixture
def upload(
    scanner: Clamd, session: Session, storage: ObjectStorage, owner: Principal, space: Item
) -> Document:
    """A document that waits for the scanner."""
    added = add_document(
        session, storage, principal=owner, space_id=space.id, title="a.txt", data=b"one " + VIRUS
    )
    session.commit()
    return added.document


def read(engine: Engine, session: Session, storage: ObjectStorage, document: Document) -> str:
    found = ingest(engine, storage, document_id=document.id)
    session.refresh(document)
    return found


def test_an_infected_file_is_quarantined_named_noted_and_told_of(
    engine: Engine, session: Session, storage: ObjectStorage, upload: Document, owner: Principal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    assert upload.status == "scanning"
    with pytest.raises(Conflict, match="not been scanned"):
        require_clean(storage.settings, upload)
    assert read(engine, session, storage, upload) == "infected"
    assert (upload.status, upload.reason) == ("infected", NAME)
    with pytest.raises(Conflict, match="A virus was found"):
        require_clean(storage.settings, upload)
    noted = session.execute(
        select(AuditEntry.actor, AuditEntry.after).where(AuditEntry.action == "document.infected")
    ).one()
    assert (noted.actor, noted.after["found"]) == ("virus scanner", NAME)
    assert jobs(session, "knowledge.infected-mail") == [{"document_id": str(upload.id)}]
    assert NAME in letter(storage.settings, upload, "de").paragraphs[0]
    # Without a scanner it stays what it is.
    monkeypatch.delenv("LEITSTAND_CLAMD_ADDRESS")
    get_settings.cache_clear()
    storage.settings = get_settings()
    assert read(engine, session, storage, upload) == "infected"
    with pytest.raises(Conflict):
        ingest_again(session, principal=owner, document_id=upload.id)
    assert session.scalar(select(func.count()).select_from(Chunk)) == 0


def test_a_clean_file_is_scanned_once_and_read(
    engine: Engine, session: Session, storage: ObjectStorage, scanner: Clamd, owner: Principal, space: Item
) -> None:
    added = add_document(session, storage, principal=owner, space_id=space.id, title="b.txt", data=b"clean")
    session.commit()
    assert read(engine, session, storage, added.document) == "ready"
    require_clean(storage.settings, added.document)
    ingest_again(session, principal=owner, document_id=added.document.id)
    session.commit()
    assert read(engine, session, storage, added.document) == "ready"
    assert scanner.scanned == [5]


@pytest.mark.parametrize("answer", [b"stream: Can't allocate memory ERROR\0", b"", b"gone"])
def test_what_the_scanner_has_not_judged_waits_and_is_tried_again(
    engine: Engine, session: Session, storage: ObjectStorage, scanner: Clamd, upload: Document, answer: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if answer:
        scanner.answer = answer
    else:
        monkeypatch.setenv("LEITSTAND_CLAMD_ADDRESS", "unix:/nowhere/clamd.ctl")
        get_settings.cache_clear()
        storage.settings = get_settings()
    assert read(engine, session, storage, upload) == "scanning"
    assert "The virus scanner" in upload.reason
    assert upload.reason.endswith("It is tried again.")
    with pytest.raises(Conflict):
        require_clean(storage.settings, upload)
    later = text("SELECT count(*) FROM procrastinate_jobs WHERE scheduled_at > now()")
    assert session.scalar(later) == 1


def test_what_is_too_large_for_the_scanner_is_not_let_pass(
    engine: Engine, session: Session, storage: ObjectStorage, scanner: Clamd, upload: Document
) -> None:
    scanner.most = 3
    assert read(engine, session, storage, upload) == "failed"
    assert "StreamMaxLength" in upload.reason
    with pytest.raises(Conflict):
        require_clean(storage.settings, upload)
