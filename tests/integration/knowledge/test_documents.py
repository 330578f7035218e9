"""Documents: stored, read, found, deleted everywhere; what can't be read says why."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from leitstand.db.engine import transaction
from leitstand.db.models import AuditEntry, Chunk, Document, Item
from leitstand.errors import Conflict, Forbidden, InvalidInput, NotFound, Unavailable
from leitstand.identity.access import ROLES, Principal
from leitstand.identity.workspaces import ensure_workspace
from leitstand.jobs.registry import registered
from leitstand.knowledge import documents
from leitstand.knowledge.document_trash import (
    list_deleted,
    purge_document,
    purge_expired_documents,
    restore_document,
)
from leitstand.knowledge.documents import add_document, delete_document, ingest_again, list_documents
from leitstand.knowledge.ingest import forget, ingest
from leitstand.settings import REPOSITORY, Settings
from leitstand.storage.objects import ObjectStorage
from tests.integration.knowledge.conftest import AddReady

GUIDE = "# Restore\n\nA backup that has not been restored is not yet a backup.\n\n## Proof\n\nA drill proves it.\n"


def jobs(session: Session, name: str) -> list[dict[str, object]]:
    rows = session.execute(
        text("SELECT args FROM procrastinate_jobs WHERE task_name = :name ORDER BY id"), {"name": name}
    )
    return [{key: value for key, value in row.args.items() if not key.startswith("_")} for row in rows]


def add(
    session: Session, storage: ObjectStorage, principal: Principal, space: Item, title: str, data: bytes
) -> Document:
    return add_document(
        session, storage, principal=principal, space_id=space.id, title=title, data=data
    ).document


def test_a_document_is_stored_and_its_reading_enqueued_with_it(
    session: Session, storage: ObjectStorage, owner: Principal, space: Item
) -> None:
    document = add(session, storage, owner, space, "guide.md", GUIDE.encode())
    assert (document.status, document.media_type) == ("uploaded", "text/markdown")
    assert jobs(session, "knowledge.ingest") == [{"document_id": str(document.id)}]
    session.rollback()
    assert jobs(session, "knowledge.ingest") == []
    document = add(session, storage, owner, space, "guide.md", GUIDE.encode())
    session.commit()
    kept = storage.get_bytes(storage.settings.bucket_media, document.object_key, sha256=document.sha256)
    assert kept == GUIDE.encode()


def test_a_document_becomes_passages_under_its_headings(session: Session, add_ready: AddReady) -> None:
    document = add_ready("guide.md", GUIDE)
    assert (document.status, document.reason, document.language) == ("ready", "", "english")
    chunks = session.scalars(select(Chunk).order_by(Chunk.ordinal)).all()
    assert [(chunk.ordinal, chunk.heading) for chunk in chunks] == [
        (1, "guide.md › Restore"),
        (2, "guide.md › Restore › Proof"),
    ]
    assert document.passages == 2
    assert document.characters == sum(len(chunk.content) for chunk in chunks)
    assert "'restor'" in str(chunks[0].words)


@pytest.mark.parametrize(
    ("title", "data", "reason"),
    [
        ("scan.pdf", b"%PDF-1.7 \x00\x01", "It is damaged: it is no PDF file"),
        ("letter.docx", b"PK\x03\x04", "It is damaged: it is no file of its kind"),
        ("letter.doc", b"\xd0\xcf\x11\xe0", "Older Word files can't be read yet"),
        ("laughs.xhtml", b'<!DOCTYPE a [<!ENTITY b "ha">]><a>&b;</a>', "It declares entities of its own"),
        ("thing", b"\x00\x01\x02", "Files of this kind can't be read yet"),
        ("blank.txt", b"   \n", "The file is empty."),
        ("page.html", b"<script>let x</script>", "There is no text in it."),
        ("table.csv", b'a,b\n"1,2', "It is not a well-formed CSV file"),
        ("binary.txt", b"ELF\x00\x00", "It is not a text file: it holds binary data."),
    ],
)
def test_what_can_not_be_read_says_why_and_is_kept(
    session: Session, storage: ObjectStorage, add_ready: AddReady, title: str, data: bytes, reason: str
) -> None:
    document = add_ready(title, data)
    assert document.status == "failed"
    assert document.reason.startswith(reason)
    assert storage.get_bytes(storage.settings.bucket_media, document.object_key) == data


def test_a_file_that_needs_too_much_memory_takes_only_its_reader_down(
    add_ready: AddReady, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leitstand.knowledge.parsing.process.MEMORY_BYTES", 120_000_000)
    document = add_ready("bomb.html", b"<p>x</p><b><i>" * 60_000)
    assert document.status == "failed"
    assert (
        document.reason == "It is too large or too deeply nested to be read. Split it into several documents."
    )
    assert add_ready("guide.md", GUIDE).status == "ready"


def test_a_file_that_needs_too_much_time_takes_only_its_reader_down(
    add_ready: AddReady, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leitstand.knowledge.parsing.process.CPU_SECONDS", 1)
    document = add_ready("slow.html", b"<p>x</p><b><i>" * 100_000)
    assert document.status == "failed"
    assert document.reason == "It is damaged, or needs more time or memory than a document may."


def test_a_reader_that_hangs_is_ended(add_ready: AddReady, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leitstand.knowledge.parsing.process.WALL_SECONDS", 0.01)
    assert "took longer" in add_ready("guide.md", GUIDE).reason


def test_the_reader_is_given_none_of_our_secrets(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    from leitstand.knowledge.parsing.process import _environment

    assert not [name for name in _environment() if name.startswith(("LEITSTAND_", "AWS_"))]


def test_the_same_content_stands_in_a_space_once(
    session: Session, storage: ObjectStorage, owner: Principal, space: Item, add_ready: AddReady
) -> None:
    document = add_ready("guide.md", GUIDE)
    again = add_document(
        session, storage, principal=owner, space_id=space.id, title="copy.md", data=GUIDE.encode()
    )
    assert again.duplicate
    assert (again.document.id, again.document.title) == (document.id, "guide.md")
    assert len(jobs(session, "knowledge.ingest")) == 1


def test_the_same_content_added_by_ten_at_once_is_one_document(
    engine: Engine, session: Session, storage: ObjectStorage, owner: Principal, space: Item
) -> None:
    def one(number: int) -> bool:
        with transaction(engine) as own:
            return add_document(
                own, storage, principal=owner, space_id=space.id, title=f"{number}.md", data=GUIDE.encode()
            ).duplicate

    with ThreadPoolExecutor(10) as pool:
        assert sorted(pool.map(one, range(10))) == [False] + [True] * 9
    assert session.scalar(select(func.count()).select_from(Document)) == 1
    keys = [
        info.key for info in storage.list(storage.settings.bucket_media, f"documents/{owner.workspace_id}")
    ]
    assert len(keys) == 1


@pytest.mark.parametrize("data", [b"", b"x" * (documents.MAX_BYTES + 1)], ids=["empty", "too large"])
def test_a_file_of_no_fitting_size_is_refused(
    session: Session, storage: ObjectStorage, owner: Principal, space: Item, data: bytes
) -> None:
    with pytest.raises(InvalidInput, match=r"empty|20\.0 MB"):
        add(session, storage, owner, space, "a.txt", data)
    assert session.scalar(select(func.count()).select_from(Document)) == 0


def test_reading_again_replaces_the_passages_and_they_answer_meanwhile(
    engine: Engine, session: Session, storage: ObjectStorage, owner: Principal, add_ready: AddReady
) -> None:
    document = add_ready("guide.md", GUIDE)
    ingest_again(session, principal=owner, document_id=document.id)
    session.commit()
    assert document.status == "uploaded"
    assert session.scalar(select(func.count()).select_from(Chunk)) == 2
    for _ in range(2):
        assert ingest(engine, storage, document_id=document.id) == "ready"
    assert session.scalar(select(func.count()).select_from(Chunk)) == 2


def test_what_is_deleted_can_be_taken_back_and_is_gone_for_good_afterwards(
    engine: Engine,
    session: Session,
    storage: ObjectStorage,
    owner: Principal,
    space: Item,
    add_ready: AddReady,
) -> None:
    document = add_ready("guide.md", GUIDE)
    delete_document(session, principal=owner, document_id=document.id)
    session.commit()
    assert session.scalar(select(func.count()).select_from(Chunk)) == 0
    assert list_documents(session, principal=owner, space_id=space.id) == []
    assert [one.id for one in list_deleted(session, principal=owner, space_id=space.id)] == [document.id]
    assert ingest(engine, storage, document_id=document.id) == ""
    restore_document(session, principal=owner, document_id=document.id)
    session.commit()
    assert ingest(engine, storage, document_id=document.id) == "ready"
    delete_document(session, principal=owner, document_id=document.id)
    add(session, storage, owner, space, "again.md", GUIDE.encode())
    with pytest.raises(Conflict):
        restore_document(session, principal=owner, document_id=document.id)
    assert purge_expired_documents(session) == 0
    document.deleted_at = datetime.now(UTC) - timedelta(days=31)
    assert purge_expired_documents(session) == 1
    assert jobs(session, "knowledge.forget") == [{"key": document.object_key}]


def test_forgetting_removes_every_version_of_the_file_and_no_other(
    session: Session, storage: ObjectStorage, owner: Principal, add_ready: AddReady
) -> None:
    document = add_ready("guide.md", GUIDE)
    key, bucket = document.object_key, storage.settings.bucket_media
    storage.put_bytes(bucket, key, b"a second version")
    storage.put_bytes(bucket, key + "0", b"another document's")
    delete_document(session, principal=owner, document_id=document.id)
    purge_document(session, principal=owner, document_id=document.id)
    session.commit()
    assert session.scalar(select(func.count()).select_from(Document)) == 0
    (arguments,) = jobs(session, "knowledge.forget")
    assert arguments == {"key": key}
    assert forget(storage, key=key) == 2
    assert [info.key for info in storage.list_versions(bucket, key)] == [key + "0"]
    assert forget(storage, key=key) == 0


def test_a_document_deleted_while_it_is_read_stays_deleted(
    engine: Engine, session: Session, storage: ObjectStorage, owner: Principal, space: Item,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    document = add(session, storage, owner, space, "guide.md", GUIDE.encode())
    session.commit()
    read = storage.get_bytes

    def delete_then_read(*arguments: str, **more: str) -> bytes:
        data = read(*arguments, **more)
        delete_document(session, principal=owner, document_id=document.id)
        session.commit()
        return data

    monkeypatch.setattr(storage, "get_bytes", delete_then_read)
    assert ingest(engine, storage, document_id=document.id) == ""
    assert session.scalar(select(func.count()).select_from(Chunk)) == 0


def test_a_file_that_can_not_be_fetched_says_so_and_is_tried_again(
    engine: Engine, session: Session, storage: ObjectStorage, owner: Principal, space: Item,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    document = add(session, storage, owner, space, "guide.md", GUIDE.encode())
    session.commit()

    def silent(*_: object, **__: object) -> bytes:
        raise Unavailable("The object store does not answer.")

    monkeypatch.setattr(storage, "get_bytes", silent)
    with pytest.raises(Unavailable):
        ingest(engine, storage, document_id=document.id)
    session.refresh(document)
    assert (document.status, document.reason) == (
        "failed",
        "Its file could not be fetched: The object store does not answer.",
    )
    monkeypatch.undo()
    assert ingest(engine, storage, document_id=document.id) == "ready"
    session.refresh(document)
    assert document.reason == ""


def test_the_worker_s_jobs_do_the_same(
    settings: Settings, session: Session, storage: ObjectStorage, owner: Principal, space: Item
) -> None:
    document = add(session, storage, owner, space, "guide.md", GUIDE.encode())
    session.commit()
    registered()["knowledge.ingest"].run(document_id=str(document.id))
    session.refresh(document)
    assert document.status == "ready"
    registered()["knowledge.forget"].run(key=document.object_key)
    assert list(storage.list_versions(settings.bucket_media, document.object_key)) == []


def test_roles_and_workspaces_are_kept_apart(
    session: Session, storage: ObjectStorage, owner: Principal, space: Item, add_ready: AddReady
) -> None:
    document = add_ready("guide.md", GUIDE)
    analyst = Principal(None, owner.workspace_id, "Ann", "", "analyst", ROLES["analyst"])
    stranger = Principal(None, ensure_workspace(session, slug="other").id, "Sam", "", "owner", ROLES["owner"])
    assert len(list_documents(session, principal=analyst, space_id=space.id)) == 1
    for forbidden in (
        lambda: add(session, storage, analyst, space, "a.md", b"a"),
        lambda: delete_document(session, principal=analyst, document_id=document.id),
        lambda: ingest_again(session, principal=analyst, document_id=document.id),
    ):
        with pytest.raises(Forbidden):
            forbidden()
    for unknown in (
        lambda: add(session, storage, stranger, space, "a.md", b"a"),
        lambda: list_documents(session, principal=stranger, space_id=space.id),
        lambda: delete_document(session, principal=stranger, document_id=document.id),
    ):
        with pytest.raises(NotFound):
            unknown()


def test_what_was_done_is_in_the_audit_log(session: Session, owner: Principal, add_ready: AddReady) -> None:
    document = add_ready("guide.md", GUIDE)
    delete_document(session, principal=owner, document_id=document.id)
    session.commit()
    target = AuditEntry.target == f"document:{document.id}"
    assert session.scalars(select(AuditEntry.action).where(target).order_by(AuditEntry.id)).all() == [
        "document.add",
        "document.delete",
    ]


def test_reading_what_never_was_is_no_error(engine: Engine, storage: ObjectStorage) -> None:
    assert ingest(engine, storage, document_id=UUID(int=uuid4().int)) == ""


def test_every_kind_of_document_of_the_demo_becomes_ready(session: Session, add_ready: AddReady) -> None:
    for name in ("prefect-schedules.md", "datasette-facets.rst"):
        document = add_ready(name, (REPOSITORY / "demo" / "documents" / name).read_bytes())
        assert (document.status, document.language) == ("ready", "english")
        assert document.passages > 5
