"""Broken files for spaces: whole in the store or not there at all, and read or told why not."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote
from uuid import UUID

import pytest
from httpx import Response
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from leitstand.catalogue import contents
from leitstand.db.models import Document, Workspace
from leitstand.jobs.queue import IDENTITY
from leitstand.knowledge.ingest import forget, ingest
from leitstand.knowledge.upload_care import abandon
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from tests.apps import api_app, web_app
from tests.integration.naughty.broken import own, shared, told_why, turn
from tests.people import Visitor, join, visit

BOUNDARY = "a-line-between"
READ = {"ready", "failed"}
FIRST = UUID(int=0)
FORGETTING = text(
    "SELECT task_name, args FROM procrastinate_jobs WHERE task_name IN ('knowledge.forget', 'knowledge.abandon')"
)


@dataclass
class Desk:
    """The owner at a space, before the pages and before the API."""

    engine: Engine
    session: Session
    storage: ObjectStorage
    program: Visitor
    browser: Visitor
    space_id: UUID

    def call(self, method: str, path: str, **more: object) -> Response:
        """Ask the API."""
        headers = {"X-CSRF-Token": self.program.csrf, **more.pop("headers", {})}  # type: ignore[dict-item]
        return self.program.client.request(
            method, f"/api/v1/spaces/{self.space_id}{path}", headers=headers, **more
        )  # type: ignore[arg-type]

    def as_body(self, name: str, data: bytes) -> Response:
        """The file as the body."""
        return self.call("POST", f"/documents?title={quote(name, safe='')}", content=data)

    def as_form(self, name: str, data: bytes) -> Response:
        """The file in a form."""
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        return self.call("POST", "/documents", content=form({"file": [(name, data)]}), headers=headers)

    def in_pieces(self, name: str, data: bytes) -> Response:
        """The file as an upload of one piece."""
        begun = self.call("POST", "/uploads", json={"title": name, "bytes": len(data)})
        if begun.status_code >= 300:
            return begun
        path = f"/uploads/{begun.json()['upload']['id']}"
        sent = self.call("PATCH", path, content=data, headers={"Upload-Offset": "0"})
        return sent if sent.status_code >= 300 else self.call("POST", f"{path}/complete")

    def on_the_page(self, name: str, data: bytes) -> Response:
        """The file in the page's form."""
        return self.send([(name, data)])

    def send(self, files: list[tuple[str, bytes]]) -> Response:
        """Files in the page's form."""
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Accept": "text/html"}
        content = form({"files": files}, csrf=self.browser.csrf)
        return self.browser.client.post(
            f"/spaces/{self.space_id}/documents", content=content, headers=headers
        )

    @property
    def ways(self) -> list[Callable[[str, bytes], Response]]:
        """How a file comes in."""
        return [self.as_body, self.as_form, self.in_pieces, self.on_the_page]

    def there(self, digest: str = "", *, after: UUID = FIRST) -> list[Document]:
        """The documents: of this SHA-256, and those added after that one."""
        self.session.rollback()
        query = select(Document).where(Document.space_id == self.space_id, Document.id > after)
        return [*self.session.scalars(query.where(Document.sha256 == digest) if digest else query)]

    def newest(self) -> UUID:
        """The id of the document that was added last."""
        query = select(Document.id).where(Document.space_id == self.space_id).order_by(Document.id.desc())
        return self.session.scalar(query.limit(1)) or FIRST


def form(files: dict[str, list[tuple[str, bytes]]], **fields: str) -> bytes:
    """A form with files whose names no client would send."""
    parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    for field, sent in files.items():
        for name, data in sent:
            told = name.replace('"', "%22")
            parts.append(
                f'name="{field}"; filename="{told}"\r\nContent-Type: text/plain\r\n\r\n'.encode() + data
            )
    between = f"--{BOUNDARY}\r\nContent-Disposition: form-data; ".encode()
    return b"".join(between + part + b"\r\n" for part in parts) + f"--{BOUNDARY}--\r\n".encode()


@pytest.fixture
def desk(engine: Engine, session: Session, settings: Settings, workspace: Workspace) -> Desk:
    storage = ObjectStorage(settings)
    storage.ensure_buckets()
    person = join(session, workspace)
    program = visit(api_app(), session, person)
    space = contents.create(session, principal=program.principal, kind="space", title="Broken")
    session.commit()
    return Desk(engine, session, storage, program, visit(web_app(), session, person), space.id)


def wrong(desk: Desk, way: Callable[[str, bytes], Response], name: str, data: bytes) -> Iterator[str]:
    """What is wrong where a file is sent; a line each."""
    told, before = f"{way.__name__}: {name[:60]!r}", desk.newest()
    answer = way(name, data)
    if answer.status_code >= 500:
        yield f"{told}: {answer.status_code}"
    new = desk.there(after=before)
    taken = answer.status_code in {200, 201, 303} and (
        way.__name__ != "on_the_page" or answer.status_code == 303
    )
    if not taken and new:
        yield f"{told}: {answer.status_code}, and it is there"
    if taken and not desk.there(hashlib.sha256(data).hexdigest()):
        yield f"{told}: {answer.status_code}, and it is not there"
    if not taken and not told_why(answer, page=way.__name__ == "on_the_page"):
        yield f"{told}: {answer.status_code} says nothing"
    for document in new:
        yield from _unread(desk, document, data, told)


def _unread(desk: Desk, document: Document, data: bytes, told: str) -> Iterator[str]:
    kept = desk.storage.get_bytes(desk.storage.settings.bucket_media, document.object_key)
    if kept != data or document.bytes != len(data):
        yield f"{told}: {len(kept)} of {len(data)} bytes are kept"
    desk.session.commit()
    status = ingest(desk.engine, desk.storage, document_id=document.id)
    desk.session.refresh(document)
    if status not in READ or (status == "failed") is not bool(document.reason):
        yield f"{told}: {status} {document.reason!r}"


def left_over(desk: Desk) -> list[str]:
    """What is in the store and no document's, once the jobs that forget files are done."""
    for name, arguments in desk.session.execute(FORGETTING).tuples():
        given = {key: value for key, value in arguments.items() if key != IDENTITY}
        (forget if name == "knowledge.forget" else abandon)(desk.storage, **given)
    known = {one.object_key for one in desk.there()}
    found = {one.key for one in desk.storage.list(desk.storage.settings.bucket_media)}
    return sorted(key for key in found - known if str(desk.program.principal.workspace_id) in key)


def every(desk: Desk, files: Iterable[tuple[str, bytes]], *, one_way: bool) -> list[str]:
    """All that is wrong; `one_way`: each file comes in by one of the ways."""
    lines = []
    for name, data in files:
        ways = [desk.ways[turn(name, len(desk.ways))]] if one_way else desk.ways
        lines += [line for way in ways for line in wrong(desk, way, name, data)]
    return lines + left_over(desk)


def test_a_broken_file_is_kept_whole_or_refused(desk: Desk) -> None:
    lines = every(desk, own().items(), one_way=True)
    assert not lines, "\n".join(lines)
    assert len(desk.there()) > 10


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_every_broken_file_by_every_way(desk: Desk) -> None:
    files = [*own().items(), *shared("bad-input"), *shared("documents"), *shared("documents", cut=True)]
    lines = every(desk, files, one_way=False)
    assert not lines, "\n".join(lines)


def test_of_several_files_those_that_are_fit_are_taken_and_the_others_named(desk: Desk) -> None:
    answer = desk.send([("one.txt", b"one"), ("empty.txt", b""), ("two.txt", b"two"), (" .", b"")])
    assert answer.status_code == 422
    assert "empty.txt" in answer.text and "The other files were added." in answer.text
    assert {one.title for one in desk.there()} == {"one.txt", "two.txt"}
