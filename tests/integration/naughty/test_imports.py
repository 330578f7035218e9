"""Broken files for imports and for whatever takes lines or JSON: all of it, or nothing and why."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from httpx import Response
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from leitstand.catalogue.companions import ensure_companion
from leitstand.db.models import Event, Item, Workspace
from leitstand.errors import InvalidInput
from leitstand.events.importer import import_file
from tests.apps import api_app, web_app
from tests.integration.naughty.broken import answers, own, shared, told_why, turn
from tests.integration.naughty.test_documents import BOUNDARY, form
from tests.integration.naughty.texts import SHARED, visible
from tests.people import Visitor, join, visit

# How a file is refused that is no JSON.
UNREAD = ("is no JSON", "not UTF-8", "nested too deeply", "holds the character NUL")
JSON, LINES = "application/json", "application/x-ndjson"


@dataclass
class Office:
    """The owner before the pages and before the API."""

    engine: Engine
    session: Session
    workspace: Workspace
    program: Visitor
    browser: Visitor

    def post(self, path: str, data: bytes, kind: str, **headers: str) -> Response:
        """Send it to the API."""
        named = {"X-CSRF-Token": self.program.csrf, "Content-Type": kind} | headers
        return self.program.client.post(f"/api/v1{path}", content=data, headers=named)

    def page(self, name: str, data: bytes, do: str) -> Response:
        """Send it by the page of imports."""
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Accept": "text/html"}
        content = form({"file": [(name, data)]}, csrf=self.browser.csrf, do=do)
        return self.browser.client.post("/agents/import", content=content, headers=headers)

    @property
    def ways(self) -> dict[str, Callable[[str, bytes], Response]]:
        """Where a file can be sent."""
        packed = {"Content-Encoding": "gzip"}
        return {
            "items, JSON": lambda _, data: self.post("/items/import", data, JSON),
            "items, CSV": lambda _, data: self.post("/items/import?format=csv&kind=agent", data, "text/csv"),
            "items, tried": lambda _, data: self.post("/items/import?dry_run=true", data, JSON),
            "page, tried": lambda name, data: self.page(name, data, "preview"),
            "page, taken": lambda name, data: self.page(name, data, "import"),
            "events, JSON": lambda _, data: self.post("/events", data, JSON),
            "events, lines": lambda _, data: self.post("/events", data, LINES),
            "events, packed": lambda _, data: self.post("/events", data, LINES, **packed),
            "an agent": lambda _, data: self.post("/agents", data, JSON),
            "a flow": lambda _, data: self.post("/conversations", data, JSON),
            "a message of the provider": lambda _, data: self.post("/billing/stripe", data, JSON),
        }  # fmt: skip

    def count(self) -> tuple[int, int]:
        """Items and events."""
        self.session.rollback()
        items, events = (
            self.session.scalar(select(func.count()).select_from(table)) for table in (Item, Event)
        )
        return items or 0, events or 0


@pytest.fixture
def office(engine: Engine, session: Session, workspace: Workspace) -> Office:
    person = join(session, workspace)
    ensure_companion(session, workspace_id=workspace.id, key="shop")
    session.commit()
    program, browser = visit(api_app(), session, person), visit(web_app(), session, person)
    return Office(engine, session, workspace, program, browser)


def wrong(office: Office, way: str, name: str, data: bytes) -> Iterator[str]:
    """What is wrong where a file is sent; a line each."""
    told, (items, events) = f"{way}: {name[:60]!r}", office.count()
    answer = office.ways[way](name, data)
    now_items, now_events = office.count()
    if answer.status_code >= 500:
        yield f"{told}: {answer.status_code}"
    if answer.status_code >= 400:
        if not told_why(answer, page=way.startswith("page")):
            yield f"{told}: {answer.status_code} says nothing"
        if (now_items, now_events) != (items, events):
            yield f"{told}: {answer.status_code}, and something is there"
    if "tried" in way and now_items != items:
        yield f"{told}: it was to be tried only"
    if way.startswith("events") and answer.status_code == 200:
        said = answer.json()
        if (
            said["accepted"] != now_events - events
            or len(said["items"]) != said["accepted"] + said["duplicate"] + said["refused"]
        ):
            yield f"{told}: {said} for {now_events - events}"


def every(office: Office, files: Iterable[tuple[str, bytes]], *, number: int) -> list[str]:
    """All that is wrong where each file is sent to so many of the places."""
    ways = [*office.ways]
    lines = []
    for name, data in files:
        first = turn(name, len(ways))
        chosen = (ways[first:] + ways[:first])[:number]
        lines += [line for way in chosen for line in wrong(office, way, name, data)]
    return lines


def unread(office: Office, folder: Path, files: Iterable[tuple[str, bytes]]) -> list[str]:
    """Which files break the import of events, or are taken without a word on what was refused."""
    lines = []
    for at, (name, data) in enumerate(files):
        path = folder / f"{at}-{Path(name[-60:].replace(chr(0), '')).name or 'x'}"
        path.write_bytes(data)
        try:
            result = import_file(office.engine, path, workspace_id=office.workspace.id)
        except InvalidInput as error:
            if not error.message:
                lines.append(f"{name[:60]!r}: refused without a word")
        except Exception as error:
            lines.append(f"{name[:60]!r}: {error!r}")
        else:
            if result.counts.refused and not result.refusals:
                lines.append(f"{name[:60]!r}: {result.counts}")
    return lines


def test_a_broken_file_is_refused_whole(office: Office, tmp_path: Path) -> None:
    lines = every(office, own().items(), number=1) + unread(office, tmp_path, own().items())
    assert not lines, "\n".join(lines)


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_every_broken_file_everywhere(office: Office, tmp_path: Path) -> None:
    files = [*own().items(), *shared("bad-input/json"), *shared("bad-input/csv")]
    lines = every(office, files, number=len(office.ways)) + unread(office, tmp_path, files)
    assert not lines, "\n".join(lines)


@pytest.mark.long
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not here")
def test_what_is_json_is_read_as_such_and_what_is_none_is_not(office: Office) -> None:
    lines = []
    for name, data in shared("bad-input/json"):
        # Behind another one: a list of nothing is JSON.
        whole = b'{"format": "leitstand-items", "version": 1, "items": [0, %s]}' % data
        answer = office.post("/items/import?dry_run=true", whole, JSON).json()
        read = not any(one in answer["detail"] for one in UNREAD)
        if (name.startswith("y_") and not read) or (name.startswith("n_") and read):
            lines.append(f"{name}: {answer['detail']}")
    assert not lines, "\n".join(lines)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not here")
def test_a_table_is_read_as_it_was_meant(office: Office) -> None:
    read = 0
    for name, data in shared("bad-input/csv/csvs"):
        meant = answers(name)
        columns = list(meant[0]) if meant else []
        if len(columns) < 2:
            continue
        header, end = (b"\r\n", 2) if b"\r\n" in data else (b"\n", 1)
        start = data.index(header) + end
        names = [b"title", b"description", *[b"external_key", b"icon", b"visibility"][: len(columns) - 2]]
        answer = office.post(
            "/items/import?format=csv&kind=agent", b",".join(names) + header + data[start:], "text/csv"
        )
        if answer.status_code == 200:
            read += 1
            titles = [one["title"] for one in answer.json()["items"]]
            assert [visible(one) for one in titles] == [visible(one[columns[0]]) for one in meant], name
        assert answer.status_code in {200, 422}, name
    assert read


def test_what_a_broken_file_was_to_replace_stays(office: Office) -> None:
    def sent(*items: dict[str, object]) -> Response:
        whole = {"format": "leitstand-items", "version": 1, "items": items}
        return office.post("/items/import", json.dumps(whole).encode(), JSON)

    kept = {"kind": "agent", "external_key": "kept", "title": "Before", "description": "All of it."}
    assert sent(kept).status_code == 200
    broken = [
        {"kind": "agent", "title": ""},
        {"kind": "board", "title": "x", "content": {"notes": [{"id": "?"}]}},
        {"kind": "x"},
    ]
    for one in broken:
        refused = sent(kept | {"title": "After", "description": ""}, one)
        assert refused.status_code == 422 and refused.json()["errors"]
    office.session.rollback()
    (item,) = office.session.scalars(select(Item).where(Item.external_key == "kept"))
    assert (item.title, item.description, item.version) == ("Before", "All of it.", 1)
