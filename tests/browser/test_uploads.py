"""Documents are uploaded in a browser: by dropping and choosing, over a connection that breaks, after a closed tab."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.app import create as create_api
from leitstand.db.models import Document, Upload
from leitstand.identity.access import system_principal
from leitstand.knowledge.spaces import create_space
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from tests.browser.conftest import Site, sign_in
from tests.live import served
from tests.people import PASSWORD
from web.app import create as create_web

MIB = 1024 * 1024


class Both:
    """Pages and API on one address, as the proxy has them; the first `broken` pieces that arrive find no answer."""

    def __init__(self) -> None:
        self.web, self.api, self.broken, self.pieces = create_web(), create_api(), 0, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] == "PATCH":
            self.pieces += 1
            if self.broken:
                self.broken -= 1
                await send({"type": "http.response.start", "status": 502, "headers": []})
                await send({"type": "http.response.body", "body": b""})
                return
        app = self.api if scope["type"] == "http" and scope["path"].startswith("/api/") else self.web
        await app(scope, receive, send)


@pytest.fixture
def both() -> Both:
    return Both()


@pytest.fixture
def space_page(page: Page, site: Site, session: Session, settings: Settings, both: Both) -> Iterator[Page]:
    """The page of an empty space, through one address."""
    ObjectStorage(settings).ensure_buckets()
    space = create_space(session, principal=system_principal(site.workspace.id), title="Manuals")
    session.commit()
    with served(both) as address:  # type: ignore[arg-type]
        sign_in(page, address, site.email, PASSWORD)
        page.goto(f"{address}/spaces/{space.id}")
        yield page


def test_several_files_are_dropped_and_go_on_where_the_connection_broke(
    space_page: Page, session: Session, both: Both
) -> None:
    both.broken = 1
    small = json.dumps([{"name": f"{n}.txt", "text": f"text {n}"} for n in (1, 2)])
    space_page.evaluate(
        """files => {
          const carried = new DataTransfer();
          for (const { name, text } of JSON.parse(files)) carried.items.add(new File([text], name, { type: "text/plain" }));
          document.querySelector("[data-drop]").dispatchEvent(new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true }));
        }""",
        small,
    )
    expect(space_page.get_by_role("row", name="1.txt")).to_contain_text("Waiting")
    expect(space_page.get_by_role("row", name="2.txt")).to_be_visible()
    assert sorted(session.scalars(select(Document.title))) == ["1.txt", "2.txt"]
    assert both.pieces == 3


@pytest.mark.long
def test_a_file_is_gone_on_with_after_the_page_was_left(
    space_page: Page, session: Session, both: Both, tmp_path: Path
) -> None:
    file = tmp_path / "big.txt"
    file.write_bytes(b"line\n" * (2 * MIB))
    both.broken = 0
    space_page.route("**/uploads/*/complete", lambda route: route.abort())
    choose = space_page.get_by_label("Upload documents")
    choose.set_input_files(file)
    expect(space_page.get_by_text("The connection is broken; it goes on by itself.")).to_be_visible()
    assert session.scalar(select(Upload.received)) == file.stat().st_size
    sent = both.pieces
    space_page.unroute("**/uploads/*/complete")
    space_page.reload()
    choose.set_input_files(file)
    expect(space_page.get_by_role("row", name="big.txt")).to_be_visible()
    assert both.pieces == sent
