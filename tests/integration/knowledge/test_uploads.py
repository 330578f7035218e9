"""Large files in pieces: resumed, raced, refused, given up; against the real store."""

import hashlib
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from leitstand.db.engine import transaction
from leitstand.db.models import Document, Item, Upload
from leitstand.errors import Conflict, Forbidden, InvalidInput, LimitReached, NotFound, Unavailable
from leitstand.identity.access import ROLES, Principal
from leitstand.identity.workspaces import ensure_workspace
from leitstand.knowledge import uploads
from leitstand.knowledge.completion import Completed, complete_upload
from leitstand.knowledge.documents import add_document
from leitstand.knowledge.ingest import forget
from leitstand.knowledge.upload_care import abandon, remove_abandoned
from leitstand.settings import get_settings
from leitstand.storage.objects import ObjectStorage
from tests.integration.knowledge.test_documents import jobs

MIB = 1024 * 1024
FILE = random.Random(7).randbytes(11 * MIB + 5)
PIECES = (FILE[: 5 * MIB], FILE[5 * MIB : 10 * MIB], FILE[10 * MIB :])
DIGEST = hashlib.sha256(FILE).hexdigest()


class Sender:
    """Sends FILE as a program does: every call is a transaction of its own."""

    def __init__(self, engine: Engine, storage: ObjectStorage, principal: Principal, space: Item) -> None:
        self.engine, self.storage = engine, storage
        self.who = {"principal": principal, "space_id": space.id}
        self.id = UUID(int=0)

    def begin(self, size: int = len(FILE), sha256: str = "", title: str = "big.bin") -> uploads.Begun:
        with transaction(self.engine) as session:
            begun = uploads.begin_upload(session, **self.who, title=title, size=size, sha256=sha256)  # type: ignore[arg-type]
        self.id = begun.upload.id if begun.upload else self.id
        return begun

    def send(self, offset: int, data: bytes) -> int:
        with transaction(self.engine) as session:
            return uploads.receive_chunk(
                session,
                self.storage,
                **self.who,
                upload_id=self.id,
                offset=offset,
                data=data,  # type: ignore[arg-type]
            ).received

    def send_all(self) -> None:
        offset = 0
        for piece in PIECES:
            offset = self.send(offset, piece)

    def complete(self) -> Completed:
        with transaction(self.engine) as session:
            return complete_upload(session, self.storage, **self.who, upload_id=self.id)  # type: ignore[arg-type]

    @property
    def offset(self) -> int:
        with transaction(self.engine) as session:
            return uploads.get_upload(session, **self.who, upload_id=self.id).received  # type: ignore[arg-type]


@pytest.fixture
def sender(engine: Engine, storage: ObjectStorage, owner: Principal, space: Item) -> Sender:
    return Sender(engine, storage, owner, space)


@pytest.fixture
def sender_as(engine: Engine, storage: ObjectStorage, space: Item) -> Callable[[Principal], Sender]:
    return lambda principal: Sender(engine, storage, principal, space)


def open_parts(storage: ObjectStorage, upload_id: UUID) -> list[str]:
    """Keys of this upload's parts in the store, which other tests use as well."""
    found = storage.client.list_multipart_uploads(Bucket=storage.settings.bucket_media)
    return [one["Key"] for one in found.get("Uploads", []) if one["Key"].endswith(str(upload_id))]


def test_what_was_acknowledged_is_never_sent_again_whatever_was_killed(
    session: Session, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.begin(sha256=DIGEST)
    sender.send(0, PIECES[0])
    # Killed between the store's receipt and the commit: the piece was not acknowledged, and is sent once more.
    with pytest.raises(KeyboardInterrupt), transaction(sender.engine) as own:
        more = {"upload_id": sender.id, "offset": 5 * MIB, "data": PIECES[1]}
        uploads.receive_chunk(own, sender.storage, **sender.who, **more)  # type: ignore[arg-type]
        raise KeyboardInterrupt
    assert sender.offset == 5 * MIB
    again = sender.begin(sha256=DIGEST)
    assert again.upload is not None
    assert (again.upload.id, again.upload.received) == (sender.id, 5 * MIB)
    for offset, piece in ((5 * MIB, PIECES[1]), (10 * MIB, PIECES[2])):
        sender.send(offset, piece)
    # Killed after the store has joined the parts.
    monkeypatch.setattr("leitstand.knowledge.completion.enter", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sender.complete()
    monkeypatch.undo()
    done = sender.complete()
    assert done.document is not None
    assert (done.document.id, done.document.sha256, done.duplicate) == (sender.id, DIGEST, False)
    kept = sender.storage.get_bytes(sender.storage.settings.bucket_media, done.document.object_key)
    assert kept == FILE
    assert jobs(session, "knowledge.ingest") == [{"document_id": str(sender.id)}]
    same = sender.complete()
    assert same.document is not None
    assert (same.document.id, same.duplicate) == (sender.id, False)
    assert open_parts(sender.storage, sender.id) == []


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_of_pieces_sent_at_once_one_is_taken(sender: Sender) -> None:
    sender.begin()

    def one(_: int) -> bool:
        try:
            return sender.send(0, PIECES[0]) == 5 * MIB
        except Conflict:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(one, range(4))) == 1
    assert sender.offset == 5 * MIB
    with pytest.raises(Conflict, match="of 11,534,341 bytes"):
        sender.complete()


def test_a_file_that_is_not_the_declared_one_is_refused_and_deleted(session: Session, sender: Sender) -> None:
    sender.begin(sha256="0" * 64)
    sender.send_all()
    refused = sender.complete()
    assert refused.document is None
    assert DIGEST in refused.upload.reason
    assert sender.complete().upload.status == "refused"
    (arguments,) = jobs(session, "knowledge.forget")
    assert forget(sender.storage, key=str(arguments["key"])) == 1
    assert session.scalar(select(func.count()).select_from(Document)) == 0


def test_content_that_the_space_has_is_answered_with_its_document(
    session: Session, sender: Sender, storage: ObjectStorage, owner: Principal, space: Item
) -> None:
    data = b"known"
    digest = hashlib.sha256(data).hexdigest()
    known = add_document(session, storage, principal=owner, space_id=space.id, title="a.txt", data=data)
    session.commit()
    begun = sender.begin(size=5, sha256=digest)
    assert begun.document is not None
    assert (begun.upload, begun.document.id) == (None, known.document.id)
    sender.begin(size=5)
    sender.send(0, data)
    done = sender.complete()
    assert done.document is not None
    assert (done.document.id, done.duplicate) == (known.document.id, True)
    assert jobs(session, "knowledge.forget") == [{"key": done.upload.object_key}]


def test_sizes_and_the_plans_room_are_kept_before_and_after(
    sender: Sender, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    for size in (0, get_settings().upload_most_mb * 1_000_000 + 1):
        with pytest.raises(InvalidInput):
            sender.begin(size=size)
    with pytest.raises(InvalidInput, match="SHA-256"):
        sender.begin(sha256="xyz")
    limit_storage(monkeypatch, 20)
    sender.begin(size=15)
    first = sender.id
    with pytest.raises(LimitReached):
        sender.begin(size=6)
    sender.send(0, b"x" * 15)
    limit_storage(monkeypatch, 10)
    with pytest.raises(LimitReached):
        sender.complete()
    limit_storage(monkeypatch, 15)
    assert sender.complete().upload.id == first


def limit_storage(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    from leitstand.limits import room
    from leitstand.limits.plans import Limits, Plan

    plan = Plan(name="small", title="Small", limits=Limits(storage_bytes=most))
    monkeypatch.setattr(room, "plan_of", lambda *_: plan)
    room._limits.clear()


def test_nobody_else_reaches_an_upload(
    session: Session, sender: Sender, sender_as: Callable[[Principal], Sender], owner: Principal
) -> None:
    sender.begin(size=3)
    elsewhere = ensure_workspace(session, slug="other").id
    session.commit()
    stranger = Principal(None, elsewhere, "Sam", "", "owner", ROLES["owner"])
    colleague = Principal(None, owner.workspace_id, "Cora", "", "owner", ROLES["owner"])
    analyst = Principal(None, owner.workspace_id, "Ann", "", "analyst", ROLES["analyst"])
    for who, error in ((stranger, NotFound), (colleague, NotFound), (analyst, Forbidden)):
        other = sender_as(who)
        other.id = sender.id
        for attempt in (lambda: other.offset, lambda: other.send(0, b"abc"), other.complete):  # noqa: B023
            with pytest.raises(error):
                attempt()


def test_what_nobody_comes_back_for_is_removed_in_the_store_too(
    engine: Engine, session: Session, sender: Sender, storage: ObjectStorage
) -> None:
    sender.begin()
    sender.send(0, PIECES[0])
    (key,) = open_parts(storage, sender.id)
    assert remove_abandoned(engine, storage) == 0
    assert remove_abandoned(engine, storage, now=datetime.now(UTC) + timedelta(hours=25)) == 1
    (arguments,) = jobs(session, "knowledge.abandon")
    assert arguments["key"] == key
    abandon(storage, key=key, store_id=str(arguments["store_id"]))
    abandon(storage, key=key, store_id=str(arguments["store_id"]))
    assert open_parts(storage, sender.id) == []
    assert session.scalar(select(func.count()).select_from(Upload)) == 0


def test_a_store_that_is_down_loses_nothing(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    sender.begin()
    sender.send(0, PIECES[0])
    real = sender.storage
    monkeypatch.setenv("LEITSTAND_S3_ENDPOINT", "http://127.0.0.1:9")
    get_settings.cache_clear()
    sender.storage = ObjectStorage(get_settings(), attempts=1)
    with pytest.raises(Unavailable):
        sender.send(5 * MIB, PIECES[1])
    assert sender.offset == 5 * MIB
    sender.storage = real
    sender.send(5 * MIB, PIECES[1])
    sender.send(10 * MIB, PIECES[2])
    assert sender.complete().document is not None


def test_parts_are_put_to_the_store_itself_at_addresses_of_their_exact_size(
    sender: Sender, storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.begin(sha256=DIGEST)
    ask = {"upload_id": sender.id, **sender.who}
    with transaction(sender.engine) as own, pytest.raises(Conflict, match="not reached"):
        uploads.presigned_parts(own, storage, numbers=[1], **ask)  # type: ignore[arg-type]
    monkeypatch.setenv("LEITSTAND_S3_PUBLIC_URL", storage.settings.s3_url)
    get_settings.cache_clear()
    with transaction(sender.engine) as own:
        urls = uploads.presigned_parts(own, storage, numbers=[1, 2], **ask)  # type: ignore[arg-type]
    halves = {1: FILE[: 8 * MIB], 2: FILE[8 * MIB :]}
    assert httpx.put(urls[2], content=halves[2] + b"more").status_code == 403
    for number, url in urls.items():
        assert httpx.put(url, content=halves[number]).status_code == 200
    done = sender.complete()
    assert done.document is not None
    assert done.document.sha256 == DIGEST
