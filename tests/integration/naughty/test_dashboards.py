"""The choices of dashboards, with texts that break programs in each of them: as the address has them, and as a file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import escape, unescape
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from bokeh.server.contexts import ApplicationContext
from fastapi.testclient import TestClient
from panel.models import HTML
from sqlalchemy.orm import Session

from leitstand.db.engine import get_engine
from leitstand.db.models import Workspace
from leitstand.embedded.postgres import Cluster
from leitstand.identity import sessions
from leitstand.identity.sessions import COOKIE
from panel_apps import serve
from panel_apps.access import PREFIX, Visitor
from panel_apps.serve import APPLICATIONS
from tests.integration.naughty.texts import SCRIPT, chosen, sample, texts
from tests.integration.panel_apps.support import import_log, make_log
from tests.people import PASSWORD, join
from tests.services import cloned_database


@dataclass
class Desk:
    """An owner before the dashboards: in a browser, and as the stores know them."""

    client: TestClient
    visitor: Visitor
    applications: Mapping[str, ApplicationContext]

    def shown(self, path: str) -> str:
        """What stands in the panes of the page of a dashboard that was opened last."""
        *_, last = self.applications[path].sessions
        return "".join(unescape(unescape(pane.text)) for pane in last.document.select({"type": HTML}))


@pytest.fixture(scope="module")
def desk(
    cluster: Cluster, services: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    with cloned_database(cluster, services), Session(get_engine(), expire_on_commit=False) as session:
        workspace = Workspace(slug="demo", name="Demo")
        session.add(workspace)
        session.commit()
        folder: Path = tmp_path_factory.mktemp("log")
        import_log(get_engine(), folder, workspace, make_log(datetime.now(UTC).date(), days=9))
        person = join(session, workspace)
        signed_in = sessions.sign_in(
            session, email=person.email, password=PASSWORD, address="", user_agent=""
        )
        session.commit()
        app = serve.create()
        with TestClient(app, follow_redirects=False, raise_server_exceptions=False) as client:
            client.cookies.set(COOKIE, signed_in.token)
            yield Desk(client, Visitor(signed_in.principal, "", signed_in.token), app.state.dashboards)


def places() -> list[tuple[str, str]]:
    """Every choice of every dashboard."""
    return [(path, name) for path, module in APPLICATIONS.items() for name in module.STORE.CHOICES]


def misread(desk: Desk, path: str, name: str, text: str) -> Iterator[str]:
    """What is wrong with what a dashboard shows where a choice is this text; a line each."""
    module, told = APPLICATIONS[path], f"{path} {name}={text[:60]!r}"
    view, store = (
        module.VIEW(),
        module.STORE(replace(desk.visitor, permission=module.PERMISSION), **{name: text}),
    )
    try:
        snapshot = view.fill(store)
    except Exception as error:
        yield f"{told}: {error!r}"
        return
    panes = "".join(str(pane.object) for pane in view.panes.values())
    if SCRIPT in panes:
        yield f"{told}: raw markup"
    if getattr(store, name) != text and not snapshot.notices and text.strip("\x00"):
        yield f"{told}: became {getattr(store, name)[:60]!r}, and nobody is told"
    if any(escape(notice) not in panes for notice in snapshot.notices):
        yield f"{told}: {snapshot.notices} is not shown"


def failing(desk: Desk, path: str, choices: dict[str, str], *, files: bool = True) -> Iterator[str]:
    """What is wrong with the page, and with its files, where the address says this; a line each."""
    query = urlencode(choices, quote_via=quote, errors="surrogatepass")
    table = next(iter(getattr(APPLICATIONS[path].VIEW, "TABLES", {})), "")
    also = [f"/export{path}.html", *([f"/export{path}/{table}.csv"] if table else [])]
    for address in (path, *(also if files else [])):
        answer = desk.client.get(f"{PREFIX}{address}?{query}", headers={"accept": "text/html"})
        if answer.status_code != 200:
            yield f"{address}?{query[:80]}: {answer.status_code}"
        if SCRIPT in answer.text:
            yield f"{address}?{query[:80]}: raw markup"


def in_an_address(text: str) -> str:
    """As an address can have it; one with NUL is refused by every service."""
    return text.replace("\x00", "")[:500]


def test_whatever_is_chosen_nothing_breaks_and_what_is_corrected_is_told(desk: Desk) -> None:
    lines = [
        line
        for path, name in places()
        for text in sample(f"{path} {name}", 1)
        for line in misread(desk, path, name, text)
    ]
    assert not lines, "\n".join(lines)


def test_whatever_an_address_says_there_is_a_page_and_a_file(desk: Desk) -> None:
    lines = []
    for path, module in APPLICATIONS.items():
        choices = {name: in_an_address(sample(f"{path} {name}", 1)[0]) for name in module.STORE.CHOICES}
        lines += failing(desk, path, choices, files=path == "/overview")
    assert not lines, "\n".join(lines)


def test_what_a_library_reads_as_more_than_a_text_is_the_text_that_it_is(desk: Desk) -> None:
    for text in ("1e999", "['", "{", "9" * 1_900):
        answer = desk.client.get(f"{PREFIX}/overview", params={"companion": text, "other": text})
        assert answer.status_code == 200, text
        assert f"There is no companion “{text[:39]}" in desk.shown("/overview"), text


def test_an_address_that_is_too_long_for_the_library_is_refused(desk: Desk) -> None:
    answer = desk.client.get(f"{PREFIX}/overview", params={"other": "9" * 5_000})
    assert answer.status_code == 413 and "4,000 characters" in answer.text


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_whatever_is_chosen_everywhere(desk: Desk) -> None:
    lines: list[str] = []
    for path, name in places():
        lines += failing(desk, path, {name: in_an_address(sample(f"{path} {name}", 1)[0])})
        for text in texts():
            if chosen(f"{path} {name}", text):
                lines += misread(desk, path, name, text)
                lines += failing(desk, path, {name: in_an_address(text)}, files=False)
    assert not lines, "\n".join(lines)
