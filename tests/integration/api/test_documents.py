"""Documents and uploads over the API."""

import hashlib
import random
from collections.abc import Callable

import pytest
from httpx import Response
from sqlalchemy.orm import Session

from leitstand.identity import tokens
from leitstand.identity.workspaces import ensure_workspace
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from tests.integration.api.conftest import Caller, Program
from tests.people import join, visit

MIB = 1024 * 1024
FILE = random.Random(3).randbytes(6 * MIB)


@pytest.fixture
def robot(settings: Settings, program: Callable[..., Program]) -> Program:
    """A program that may write items; there is a store for what it sends."""
    ObjectStorage(settings).ensure_buckets()
    return program("item:read", "item:write")


@pytest.fixture
def base(robot: Program) -> str:
    """The path of a space."""
    return f"/spaces/{robot('POST', '/spaces', {'title': 'Manuals'}).json()['id']}"


def add(robot: Program, base: str, data: bytes, title: str = "a.txt", **more: str) -> Response:
    return robot("POST", f"{base}/documents?title={title}", content=data, **more)


def test_a_document_is_sent_listed_changed_deleted_and_taken_back(robot: Program, base: str) -> None:
    made = add(robot, base, b"one", "b.txt", Content_Type="text/plain", Idempotency_Key="once-1")
    assert (made.status_code, made.json()["duplicate"], made.json()["status"]) == (201, False, "uploaded")
    assert (
        add(robot, base, b"one", "b.txt", Content_Type="text/plain", Idempotency_Key="once-1").status_code
        == 201
    )
    again = add(robot, base, b"one", "c.txt")
    assert (again.status_code, again.json()["id"], again.json()["duplicate"]) == (
        200,
        made.json()["id"],
        True,
    )
    add(robot, base, b"two", "a.txt")
    listed = robot("GET", f"{base}/documents?sort=title&limit=1").json()
    assert [one["title"] for one in listed["items"]] == ["a.txt"]
    rest = robot("GET", f"{base}/documents?sort=title&limit=1&cursor={listed['next']}").json()
    assert ([one["title"] for one in rest["items"]], rest["next"]) == (["b.txt"], None)
    assert robot("GET", f"{base}/documents?q=b.t&status=uploaded").json()["items"][0]["title"] == "b.txt"
    assert robot("GET", f"{base}/documents?status=odd").status_code == 422

    one = f"{base}/documents/{made.json()['id']}"
    tag = robot("GET", one).headers["ETag"]
    renamed = robot("PATCH", one, {"title": "new.txt"}, If_Match=tag)
    assert (renamed.status_code, renamed.json()["title"]) == (200, "new.txt")
    assert robot("DELETE", one, If_Match=tag).status_code == 412
    assert robot("DELETE", one, If_Match=renamed.headers["ETag"]).status_code == 204
    assert robot("GET", one).status_code == robot("GET", f"{one}/file").status_code == 404
    assert [each["title"] for each in robot("GET", f"{base}/documents/trash").json()["items"]] == ["new.txt"]
    assert robot("POST", f"{one}/restore").status_code == robot("POST", f"{one}/ingest").status_code == 200


def test_an_action_is_done_on_all_documents_or_on_none(robot: Program, base: str) -> None:
    ids = [add(robot, base, text.encode()).json()["id"] for text in ("x", "y")]
    unknown = "01890a5d-ac96-774b-bcce-b302099a8057"
    refused = robot("POST", f"{base}/documents/bulk", {"ids": [*ids, unknown], "action": "delete"})
    assert (refused.status_code, refused.json()["items"][0]["id"]) == (409, unknown)
    assert len(robot("GET", f"{base}/documents").json()["items"]) == 2
    done = robot("POST", f"{base}/documents/bulk", {"ids": ids, "action": "delete"})
    assert (done.status_code, done.json()) == (200, {"changed": 2})
    assert robot("POST", f"{base}/documents/bulk", {"ids": ids, "action": "sell"}).status_code == 422


def test_a_file_is_an_attachment_that_no_browser_shows_and_has_ranges(robot: Program, base: str) -> None:
    page = b"<script>alert(1)</script>"
    made = add(robot, base, page, "Bericht „ü“.html", Content_Type="text/html").json()
    path = f"{base}/documents/{made['id']}/file"
    whole = robot("GET", path)
    assert (whole.status_code, whole.content) == (200, page)
    assert whole.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''Bericht%20")
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    assert whole.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    part = robot("GET", path, Range="bytes=1-6")
    assert (part.status_code, part.content) == (206, b"script")
    assert part.headers["Content-Range"] == f"bytes 1-6/{len(page)}"
    assert robot("GET", path, Range="bytes=99-").status_code == 416
    assert robot("GET", path, If_None_Match=whole.headers["ETag"]).status_code == 304
    assert robot("GET", path, Range="bytes=1-6", If_Range='"other"').status_code == 200
    head = robot("HEAD", path)
    assert (head.content, head.headers["Content-Length"]) == (b"", str(len(page)))


def test_a_large_file_comes_in_pieces_and_goes_on_where_it_was(robot: Program, base: str) -> None:
    digest = hashlib.sha256(FILE).hexdigest()
    new = {"title": "big.bin", "bytes": len(FILE), "sha256": digest}
    begun = robot("POST", f"{base}/uploads", new)
    assert begun.status_code == 201
    path = f"{base}/uploads/{begun.json()['upload']['id']}"
    sent = robot("PATCH", path, content=FILE[: 5 * MIB], Upload_Offset="0")
    assert (sent.status_code, sent.headers["Upload-Offset"]) == (204, str(5 * MIB))
    wrong = robot("PATCH", path, content=FILE[5 * MIB :], Upload_Offset="0")
    assert (wrong.status_code, wrong.json()["offset"]) == (409, 5 * MIB)
    assert robot("PATCH", path, content=b"x").status_code == 422
    assert robot("HEAD", path).headers["Upload-Offset"] == str(5 * MIB)
    assert robot("POST", f"{base}/uploads", new).json()["upload"]["received"] == 5 * MIB
    assert robot("POST", f"{path}/complete").status_code == 409
    assert robot("POST", f"{path}/parts", {"numbers": [1]}).status_code == 409
    assert robot("PATCH", path, content=FILE[5 * MIB :], Upload_Offset=str(5 * MIB)).status_code == 204
    done = robot("POST", f"{path}/complete")
    assert (done.status_code, done.json()["sha256"]) == (201, digest)
    assert robot("POST", f"{base}/uploads", new).json()["document"]["id"] == done.json()["id"]


def test_a_file_that_is_not_what_was_declared_is_refused_for_good(robot: Program, base: str) -> None:
    begun = robot("POST", f"{base}/uploads", {"title": "a", "bytes": 3, "sha256": "0" * 64}).json()["upload"]
    path = f"{base}/uploads/{begun['id']}"
    robot("PATCH", path, content=b"abc", Upload_Offset="0")
    for _ in range(2):
        refused = robot("POST", f"{path}/complete")
        assert (refused.status_code, "SHA-256" in refused.json()["detail"]) == (422, True)
    assert robot("GET", path).json()["status"] == "refused"


def test_what_is_too_large_or_of_another_workspace_is_refused(
    robot: Program, base: str, call: Caller, session: Session
) -> None:
    assert robot("POST", f"{base}/uploads", {"title": "a", "bytes": 10**12}).status_code == 422
    assert add(robot, base, b"x" * (16 * MIB + 1)).status_code == 413
    document = add(robot, base, b"ours").json()["id"]
    upload = robot("POST", f"{base}/uploads", {"title": "a", "bytes": 3}).json()["upload"]["id"]
    other = ensure_workspace(session, slug="other")
    session.commit()
    stranger = visit(call.visitor.client.app, session, join(session, other))  # type: ignore[arg-type]
    secret = tokens.create(
        session, principal=stranger.principal, name="theirs", permissions=("item:read", "item:write")
    ).secret
    session.commit()
    theirs = Program(robot.client, secret)
    for method, path in (
        ("GET", "/documents"), ("POST", "/documents?title=a"), ("GET", f"/documents/{document}"),
        ("GET", f"/documents/{document}/file"), ("DELETE", f"/documents/{document}"), ("GET", "/documents/trash"),
        ("POST", f"/documents/{document}/ingest"), ("GET", f"/uploads/{upload}"), ("DELETE", f"/uploads/{upload}"),
        ("POST", f"/uploads/{upload}/complete"),
    ):  # fmt: skip
        assert theirs(method, f"{base}{path}", content=b"x").status_code == 404, path
    assert robot("DELETE", f"{base}/uploads/{upload}").status_code == 204


def test_a_form_has_its_file_and_nothing_that_nobody_knows(robot: Program, base: str) -> None:
    address = f"/api/v1{base}/documents"
    headers = {"Authorization": f"Bearer {robot.secret}"}

    def sent(**fields: str) -> Response:
        files = {"file": ("form.txt", b"of a form")}
        return robot.client.post(address, files=files, data=fields, headers=headers)

    refused = sent(owner="me")
    assert (refused.status_code, refused.json()["detail"]) == (
        422,
        "This form has a field that nobody knows.",
    )
    assert (sent().status_code, sent().json()["title"]) == (201, "form.txt")
    assert robot.client.post(address, data={"file": "words"}, headers=headers).status_code == 422
