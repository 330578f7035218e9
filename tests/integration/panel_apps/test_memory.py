"""Documents are let go when their page is closed: nothing is left of them, however many there were."""

import gc
import threading
from collections.abc import Iterator

import psutil
import pytest
from bokeh.document import Document
from panel.io.state import state
from sqlalchemy.orm import Session

from leitstand.db.models import Workspace
from leitstand.identity import sessions
from panel_apps import serve
from tests.integration.panel_apps.support import Browser, Log, Running, running
from tests.people import PASSWORD, join

PAGES = tuple(f"/insights{path}" for path in serve.APPLICATIONS)
KEPT_BY_PANEL = (
    "_views",
    "_templates",
    "_fake_roots",
    "_locations",
    "_stylesheets",
    "_thread_id_",
    "_periodic",
    "_onload",
    "_busy_events",
)
WAIT_SECONDS = 30
MEGABYTE = 1_000_000
FIFTY, MOST_MEGABYTES_EACH = 50, 6


@pytest.fixture
def server(log: Log, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A server that lets closed pages go within a fraction of a second."""
    monkeypatch.setattr(serve, "KEPT_WITHOUT_PAGE_MS", 500)
    monkeypatch.setattr(serve, "TIDIED_EVERY_MS", 100)
    with running() as server:
        yield server


@pytest.fixture
def browser(server: Running, session: Session, workspace: Workspace) -> Browser:
    owner = join(session, workspace)
    token = sessions.sign_in(session, email=owner.email, password=PASSWORD, address="", user_agent="").token
    session.commit()
    return Browser(server, token)


def left(server: Running) -> dict[str, int]:
    """What is there of documents: open ones, Python objects, and Panel's own books."""
    gc.collect()
    books = {name: len(getattr(state, name)) for name in KEPT_BY_PANEL if hasattr(state, name)}
    objects = sum(isinstance(one, Document) for one in gc.get_objects())
    return {
        "open": sum(server.documents(path.removeprefix("/insights")) for path in PAGES),
        "documents": objects,
        **books,
    }


def wait_until_closed(server: Running) -> None:
    pause = threading.Event()
    for _ in range(WAIT_SECONDS * 10):
        here = left(server)
        # A closed page of operations is held until its services have answered.
        if not here["open"] and not here["documents"]:
            pause.wait(0.3)  # what closing began goes on in the server's own thread
            return
        pause.wait(0.1)
    raise AssertionError("documents stayed open")


def visit(browser: Browser, times: int) -> None:
    for number in range(times):
        with browser.visit(PAGES[number % len(PAGES)]) as document:
            assert "roots" in document
    wait_until_closed(browser.server)


@pytest.mark.parametrize("visits", [len(PAGES), pytest.param(5 * len(PAGES), marks=pytest.mark.long)])
def test_nothing_is_left_of_visits(browser: Browser, visits: int) -> None:
    visit(browser, len(PAGES))
    before = left(browser.server)
    visit(browser, visits)
    assert left(browser.server) == before
    assert before["open"] == 0


@pytest.mark.long
@pytest.mark.timeout(600)
def test_fifty_pages_at_once_are_fifty_documents_and_then_none(browser: Browser) -> None:
    from contextlib import ExitStack

    visit(browser, len(PAGES))
    before = psutil.Process().memory_info().rss
    with ExitStack() as stack:
        for number in range(FIFTY):
            stack.enter_context(browser.visit(PAGES[number % len(PAGES)]))
        assert left(browser.server)["open"] == FIFTY
        each = (psutil.Process().memory_info().rss - before) / MEGABYTE / FIFTY
        print(f"{each:.1f} MB for each open dashboard")
        assert each < MOST_MEGABYTES_EACH
    wait_until_closed(browser.server)
    assert left(browser.server)["open"] == 0


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("visits", [40, 100])
def test_memory_stays_flat_over_many_visits(browser: Browser, visits: int) -> None:
    visit(browser, 40)
    before = psutil.Process().memory_info().rss
    visit(browser, visits)
    grown = (psutil.Process().memory_info().rss - before) / MEGABYTE
    assert grown < 12, f"{visits} visits left {grown:.1f} MB"
