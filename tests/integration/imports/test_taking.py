"""Imports from a bucket of the real store: each object once, changes, failures, a kill, and the guard."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from leitstand.db.models import AuditEntry, Document, Item, S3Import, S3ImportObject
from leitstand.errors import Conflict, InvalidInput, LimitReached
from leitstand.identity import sealed
from leitstand.identity.access import Principal
from leitstand.imports import configured, runs, taking
from leitstand.imports.configured import Draft
from leitstand.outgoing.connections import Refused
from leitstand.settings import Settings, get_settings
from leitstand.storage.objects import ObjectStorage

SECRET = "test-secret"


@pytest.fixture
def store(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> ObjectStorage:
    """The local store, which stands for somebody else's as well; the setting lists its address."""
    monkeypatch.setenv("LEITSTAND_OUTGOING_PRIVATE_ADDRESSES_ALLOWED", "127.0.0.1")
    get_settings.cache_clear()
    storage = ObjectStorage(get_settings())
    storage.ensure_buckets()
    return storage


@pytest.fixture
def found(session: Session, owner: Principal, store: ObjectStorage, space: Item) -> S3Import:
    """An import into an empty space, of a prefix where nothing lies yet."""
    made = configured.create(session, principal=owner, draft=draft(store, space))
    session.commit()
    return made


def draft(store: ObjectStorage, space: Item, **more: object) -> Draft:
    given: dict[str, object] = {
        "name": "Own", "endpoint": store.settings.s3_url, "bucket": store.settings.bucket_media,
        "prefix": f"foreign-{uuid4().hex}/", "access_key": "test-access", "secret_key": SECRET, "space_id": space.id,
    }  # fmt: skip
    return Draft(**(given | more))  # type: ignore[arg-type]


def states(session: Session) -> dict[str, str]:
    session.expire_all()
    rows = session.scalars(select(S3ImportObject).order_by(S3ImportObject.key))
    return {one.key.rpartition("/")[2]: one.status for one in rows}


def titles(session: Session) -> list[str]:
    there = select(Document.title).where(Document.deleted_at.is_(None)).order_by(Document.title)
    return list(session.scalars(there))


def test_every_object_is_taken_once_and_changes_are_taken_anew(
    session: Session, engine: Engine, owner: Principal, store: ObjectStorage, found: S3Import
) -> None:
    bucket, prefix = found.bucket, found.prefix

    def put(name: str, data: bytes) -> None:
        store.put_bytes(bucket, f"{prefix}{name}", data)

    put("a b/ä?.md", b"# One")
    put("b.txt", b"two")
    put("c.txt", b"two")
    put("empty.txt", b"")
    assert configured.test(session, principal=owner, import_id=found.id) == ""
    runs.start(session, principal=owner, import_id=found.id)
    session.commit()
    with pytest.raises(Conflict, match="running already"):
        runs.start(session, principal=owner, import_id=found.id)
    session.rollback()
    assert taking.run(engine, store, import_id=found.id) == ""
    assert states(session) == {
        "ä?.md": "taken",
        "b.txt": "taken",
        "c.txt": "duplicate",
        "empty.txt": "failed",
    }
    assert titles(session) == ["a b/ä?.md", "b.txt"]
    assert runs.progress(session, principal=owner, import_id=found.id) == runs.Progress(0, 2, 1, 1)
    # Nothing is taken twice, what has changed is, and what is gone from the bucket stays.
    put("b.txt", b"two, changed")
    put("empty.txt", b"no longer")
    store.delete(bucket, f"{prefix}a b/ä?.md")
    assert taking.run(engine, store, import_id=found.id) == ""
    assert titles(session) == ["a b/ä?.md", "b.txt", "b.txt", "empty.txt"], (
        "c.txt stands for the earlier b.txt"
    )
    put("b.txt", b"two, changed again")
    assert taking.run(engine, store, import_id=found.id) == ""
    assert len(titles(session)) == 4, "the version before goes into the trash"
    jobs = session.execute(
        text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'knowledge.ingest'")
    )
    assert jobs.scalar_one() == 5
    assert session.get_one(S3Import, found.id).run_state == "idle"


def test_a_run_that_is_killed_goes_on_behind_what_it_took(
    session: Session,
    engine: Engine,
    owner: Principal,
    store: ObjectStorage,
    found: S3Import,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("1", "2", "3"):
        store.put_bytes(found.bucket, f"{found.prefix}{name}.txt", name.encode())
    taken: list[str] = []
    whole: Callable[..., object] = taking.add_document

    def killed_at_the_second(*given: object, **more: object) -> object:
        taken.append(str(more["title"]))
        if len(taken) == 2:
            raise KeyboardInterrupt
        return whole(*given, **more)

    monkeypatch.setattr(taking, "add_document", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        taking.run(engine, store, import_id=found.id)
    assert states(session) == {"1.txt": "taken", "2.txt": "waiting", "3.txt": "waiting"}
    assert taking.run(engine, store, import_id=found.id) == ""
    assert taken == ["1.txt", "2.txt", "2.txt", "3.txt"] and titles(session) == ["1.txt", "2.txt", "3.txt"]


def test_what_was_not_taken_says_why_and_can_be_tried_again(
    session: Session,
    engine: Engine,
    owner: Principal,
    store: ObjectStorage,
    space: Item,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = configured.create(session, principal=owner, draft=draft(store, space, every="hour"))
    session.commit()
    store.put_bytes(found.bucket, f"{found.prefix}1.txt", b"one")

    def no_room(*_: object, **__: object) -> None:
        raise LimitReached("The plan has no room.")

    with monkeypatch.context() as patched:
        patched.setattr("leitstand.knowledge.documents.require_room", no_room)
        taking.run(engine, store, import_id=found.id)
    [one] = runs.list_objects(session, principal=owner, import_id=found.id, status="failed")
    assert one.reason == "The plan has no room."
    taking.run(engine, store, import_id=found.id)
    session.expire_all()
    assert one.status == "failed", "it is not tried again unasked"
    assert runs.retry(session, principal=owner, import_id=found.id, object_id=one.id) == 1
    session.commit()
    taking.run(engine, store, import_id=found.id)
    assert states(session) == {"1.txt": "taken"}
    with pytest.raises(Conflict):
        runs.retry(session, principal=owner, import_id=found.id, object_id=one.id)
    session.rollback()
    assert runs.start_due(session) == [], "it ran this hour"
    found.started_at = None
    assert runs.start_due(session) == ["Own"] and runs.start_due(session) == []
    session.rollback()
    configured.remove(session, principal=owner, import_id=found.id)
    session.commit()
    assert titles(session) == ["1.txt"] and states(session) == {}


def test_keys_are_sealed_and_requests_are_guarded(
    session: Session,
    engine: Engine,
    owner: Principal,
    store: ObjectStorage,
    space: Item,
    found: S3Import,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert SECRET.encode() not in found.secret
    assert all(SECRET not in str(entry.after) for entry in session.scalars(select(AuditEntry)))
    assert sealed.seal_again(session, store.settings) == 0

    def tested(**more: object) -> str:
        configured.change(session, principal=owner, import_id=found.id, draft=draft(store, space, **more))
        return configured.test(session, principal=owner, import_id=found.id)

    assert "refuses the key" in tested(secret_key="wrong")
    assert "no bucket 'missing'" in tested(bucket="missing")
    assert "can't be reached" in tested(endpoint="http://127.0.0.1:1")
    with pytest.raises(InvalidInput, match="server before"):
        tested(endpoint="http://127.0.0.1:2", secret_key="")
    assert tested() == ""
    session.commit()
    monkeypatch.setenv("LEITSTAND_OUTGOING_PRIVATE_ADDRESSES_ALLOWED", "")
    get_settings.cache_clear()
    with pytest.raises(InvalidInput, match="private network"):
        tested()
    session.rollback()
    # The guard judges each connection, not the form alone: what a name leads to may change.
    assert "private network" in configured.test(session, principal=owner, import_id=found.id)
    assert "private network" in taking.run(engine, store, import_id=found.id)
    assert issubclass(Refused, InvalidInput)
