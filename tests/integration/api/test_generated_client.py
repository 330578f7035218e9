"""The client that a generator writes from the OpenAPI document, used for real against a server."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy.orm import Session

from api.app import create
from leitstand.db.models import Workspace
from leitstand.identity import tokens
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from tests.generated_client import PACKAGE, write
from tests.live import served
from tests.people import acting, join

TEXT = b"Goods may be returned within thirty days.\n"


@dataclass
class Api:
    """The generated functions, called by the tag and the id of their operation."""

    address: str
    secret: str

    def __call__(self, operation: str, *path: UUID, **more: Any) -> Any:
        """The whole answer: `status_code`, `headers`, `parsed`."""
        client = import_module(PACKAGE).AuthenticatedClient(base_url=self.address, token=self.secret)
        function = import_module(f"{PACKAGE}.api.{operation}")
        with client as opened:
            return function.sync_detailed(*path, client=opened, **more)


def model(name: str, **given: Any) -> Any:
    """A body of the generated kind `name`."""
    return getattr(import_module(f"{PACKAGE}.models"), name).from_dict(given)


def file(content: bytes) -> Any:
    return import_module(f"{PACKAGE}.types").File(payload=content)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """What the generator could not read; the package that it wrote can be imported."""
    folder = tmp_path_factory.mktemp("client") / "generated"
    faults = write(create().openapi(), folder, tidy=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield faults


@pytest.fixture
def api(written: list[str], app: FastAPI, session: Session, workspace: Workspace) -> Iterator[Api]:
    """The generated client of a program that may do all that an owner may."""
    owner = acting(session, workspace, join(session, workspace))
    made = tokens.create(session, principal=owner, name="robot", permissions=sorted(owner.permissions))
    session.commit()
    with served(app) as address:
        yield Api(address, made.secret)


def test_operations_have_names_of_their_own(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    names = [operation["operationId"] for path in paths.values() for operation in path.values()]
    assert len(names) == len(set(names))
    assert not [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name)]
    assert {"list_items", "create_companion", "get_agent", "list_space_versions"} <= set(names)


def test_it_reads_all_of_the_document(written: list[str]) -> None:
    assert written == []


def test_lists_pages_conflicts_and_problems(api: Api) -> None:
    first = api("agents.create_agent", body=model("ItemInAgent", title="Returns desk"), idempotency_key="k1")
    again = api("agents.create_agent", body=model("ItemInAgent", title="Returns desk"), idempotency_key="k1")
    assert (first.status_code, again.parsed.id) == (201, first.parsed.id)
    for number in range(2):
        api("agents.create_agent", body=model("ItemInAgent", title=f"Desk {number}"))
    page = api("agents.list_agents", limit=2).parsed
    rest = api("agents.list_agents", limit=2, cursor=page.next_).parsed
    assert (len(page.items), len(rest.items), rest.next_) == (2, 1, None)
    assert len({item.id for item in page.items + rest.items}) == 3

    tag = api("agents.get_agent", first.parsed.id).headers["ETag"]
    change = model("ItemChangeAgent", title="Returns")
    assert api("agents.change_agent", first.parsed.id, body=change, if_match=tag).parsed.title == "Returns"
    late = api("agents.change_agent", first.parsed.id, body=change, if_match=tag)
    assert (late.status_code, type(late.parsed).__name__) == (412, "Problem")
    assert late.parsed.title and late.parsed.hint and late.parsed.request_id
    refused = api("agents.create_agent", body=model("ItemInAgent", title=""))
    assert (refused.status_code, refused.parsed.status) == (422, 422)
    stranger = Api(api.address, "lst_nobody")("me.get_me")
    assert (stranger.status_code, stranger.parsed.status) == (401, 401)


def test_files_go_in_whole_and_in_pieces(api: Api, settings: Settings) -> None:
    ObjectStorage(settings).ensure_buckets()
    space = api("spaces.create_space", body=model("ItemInSpace", title="Handbook")).parsed.id
    whole = api("documents.add_document", space, body=file(TEXT), title="returns.txt")
    assert (whole.status_code, whole.parsed.title, whole.parsed.bytes_) == (201, "returns.txt", len(TEXT))
    more = TEXT * 2
    wanted = model("UploadIn", title="more.txt", bytes=len(more), sha256=sha256(more).hexdigest())
    upload = api("documents.begin_upload", space, body=wanted).parsed.upload.id
    sent = api("documents.send_upload_piece", space, upload, body=file(more), upload_offset=0)
    assert (sent.status_code, sent.headers["Upload-Offset"]) == (204, str(len(more)))
    document = api("documents.complete_upload", space, upload).parsed
    assert api("documents.download_document", space, document.id).content == more
    titles = {one.title for one in api("documents.list_documents", space).parsed.items}
    assert titles == {"returns.txt", "more.txt"}


def test_tables_and_lines_go_in(api: Api) -> None:
    table = api("items.import_items", body=file(b"kind,title\nagent,From a table\n"), format_="csv")
    assert [one.title for one in table.parsed.items] == ["From a table"]
    line = b'{"kind": "viewed", "companion": "nobody", "run_key": "1", "occurred_at": "2026-03-01T00:00:00Z"}'
    taken = api("events.send_events", body=file(line)).parsed
    assert (taken.accepted, taken.refused, "no companion" in taken.items[0].reason) == (0, 1, True)
