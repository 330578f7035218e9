"""Dashboards served for tests in Chromium, and what stands on their pages."""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page
from sqlalchemy.orm import Session

from leitstand.db.engine import get_engine
from leitstand.db.models import Workspace
from leitstand.embedded.postgres import Cluster
from leitstand.identity import sessions
from leitstand.identity.sessions import COOKIE
from panel_apps import scoped
from tests.integration.panel_apps.support import Log, Running, import_log, make_log, running
from tests.people import PASSWORD, join
from tests.services import cloned_database

READY = ".dashboard[aria-busy=false]"
TILES = """cells => cells.map(cell => [
  (cell.querySelector("dt .defined") ?? cell.querySelector("dt")).firstChild.textContent.trim(),
  [cell.querySelector("dd").firstChild.textContent, ...[...cell.querySelectorAll("small")].map(one => one.textContent)],
])"""
TABLES = """tables => tables.map(table => [
  table.parentElement.getAttribute("aria-label"),
  [...table.tBodies[0].rows].map(row => [...row.cells].map(cell => [cell.textContent.trim(), cell.title])),
])"""
# The rows that the chart with such a column draws.
DRAWN = """column => {
  const [view] = Bokeh.index.query(one => one.model?.type === "GlyphRenderer" && column in one.model.data_source.data);
  return Object.fromEntries(Object.entries(view.model.data_source.data).map(([name, values]) => [name, [...values]]));
}"""


@contextmanager
def forgetful() -> Iterator[None]:
    """No answer of another test's database is remembered."""
    for memory in (scoped.ANSWERS, scoped.NAMES, scoped.SUGGESTIONS):
        memory.clear()
    yield


@contextmanager
def serving(
    cluster: Cluster, services: dict[str, object], prepare: Callable[[], dict[str, str]]
) -> Iterator[tuple[Running, dict[str, str]]]:
    """A server on a database of its own, and the session tokens that `prepare` gives after filling it."""
    with forgetful(), cloned_database(cluster, services):
        tokens = prepare()
        with running() as server:
            yield server, tokens


class Served:
    """A running server with an event log, and the token of an owner and of an analyst."""

    def __init__(self, server: Running, log: Log, tokens: dict[str, str]) -> None:
        self.server, self.log, self.tokens = server, log, tokens


@pytest.fixture(scope="module")
def served(
    cluster: Cluster, services: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """One server for all the tests of a file."""
    log = make_log(datetime.now(UTC).date())

    def prepare() -> dict[str, str]:
        with Session(get_engine(), expire_on_commit=False) as session:
            workspace = Workspace(slug="demo", name="Demo")
            session.add(workspace)
            session.commit()
            import_log(get_engine(), tmp_path_factory.mktemp("log"), workspace, log)
            return {role: token_of(session, workspace, role) for role in ("owner", "analyst")}

    with serving(cluster, services, prepare) as (server, tokens):
        yield Served(server, log, tokens)


Open = Callable[..., Page]


@pytest.fixture
def opened(served: Served, new_context: Callable[..., BrowserContext]) -> Open:
    """Opens a dashboard as somebody, and waits until it shows its data."""

    def open_as(path: str, role: str = "owner", **options: object) -> Page:
        context = new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        return open_page(context, served.server, served.tokens[role], path)

    return open_as


def token_of(session: Session, workspace: Workspace, role: str) -> str:
    """The session token of somebody new in a workspace."""
    person = join(session, workspace, role=role)
    token = sessions.sign_in(session, email=person.email, password=PASSWORD, address="", user_agent="").token
    session.commit()
    return token


def open_page(context: BrowserContext, server: Running, token: str, path: str) -> Page:
    """A dashboard (its path under /insights) that shows its data."""
    context.add_cookies([{"name": COOKIE, "value": token, "url": server.address}])
    page = context.new_page()
    page.goto(f"{server.address}/insights{path}")
    page.wait_for_selector(READY)
    return page


@dataclass(frozen=True)
class Shown:
    """What stands on a dashboard's page.

    Args:
        tiles: value, note and change by title.
        tables: rows by caption; a cell is its text and its title.
    """

    page: Page
    tiles: dict[str, list[str]]
    tables: dict[str, list[list[tuple[str, str]]]]

    @classmethod
    def on(cls, page: Page) -> "Shown":
        """Everything that the page shows now."""
        tiles = page.locator("dl.figures > div").evaluate_all(TILES)
        tables = page.locator("table").evaluate_all(TABLES)
        return cls(page, dict(tiles), {name: _cells(rows) for name, rows in tables})

    def table(self, caption: str) -> list[list[str]]:
        """The texts of a table; none where it is not there."""
        return [[text for text, _ in row] for row in self.tables.get(caption, [])]

    def drawn(self, column: str) -> dict[str, list[Any]]:
        """The rows that the chart with such a column draws, by column."""
        found: dict[str, list[Any]] = self.page.evaluate(DRAWN, column)
        return found

    def file(self, table: str) -> list[dict[str, str]]:
        """The rows of the CSV that the page links to."""
        link = self.page.locator(f'a[href*="/{table}.csv"]').first.get_attribute("href")
        address = self.page.url.split("/insights/")[0] + str(link)
        answer = self.page.request.get(address)
        assert answer.ok, address
        return list(csv.DictReader(io.StringIO(answer.text())))


def _cells(rows: list[list[list[str]]]) -> list[list[tuple[str, str]]]:
    return [[(text, title) for text, title in row] for row in rows]
