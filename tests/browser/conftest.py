"""Chromium on the pages: a site with the web application, pages that may ask nobody else, and people signed in.

Fixtures: `site` (the web application alone, on this test's database), `page` (a fresh browser context), `signed_in_page`
(the owner of `site`, on its home page), `stack_page` (the owner of the whole environment, on its home page).
A test fails when its pages ask another host than 127.0.0.1, or when the browser reports a script error or something that
the content security policy refuses.
"""

import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    Request,
    sync_playwright,
)
from sqlalchemy.orm import Session

from leitstand.db.models import Person, Workspace
from leitstand.identity import sessions
from leitstand.identity.sessions import COOKIE
from leitstand.settings import Settings
from tests.people import PASSWORD, join
from tests.stack import Stack
from tests.waiting import wait_until

CHROMIUM = "/usr/bin/chromium"
# As in somebody's hands: a headless one says so, and counts as a bot.
BROWSER = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
OWN_HOST = "127.0.0.1"
LOCAL_SCHEMES = {"data", "blob", "about"}
START_SECONDS = 30
TOO_MANY, REFUSED_MS = 429, 1_100
# A page that answers 404 or 422 on purpose is reported as an error of loading; it is none of the page's.
HARMLESS = "Failed to load resource"
# What htmx says of a request that the browser took back, and Prefect's page: a class of its packed script, without a word.
ABANDONED = re.compile(r"htmx:(sendError|sendAbort|afterRequest)\b|\w{1,3}$")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives Chromium."""
    for item in items:
        if "tests/browser/" in str(item.path):
            item.add_marker("browser")


@dataclass(frozen=True)
class Site:
    """The web application on a port of its own."""

    base_url: str
    email: str
    password: str
    workspace: Workspace
    person: Person


@pytest.fixture
def site(settings: Settings, session: Session, workspace: Workspace) -> Iterator[Site]:
    """The web application on this test's database, with an owner of `workspace`."""
    from web.app import create

    person = join(session, workspace, email="olga@site.test", name="Olga Owner")
    with socket.socket() as listener:
        listener.bind((OWN_HOST, 0))
        server = uvicorn.Server(uvicorn.Config(create(), log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        wait_until(lambda: server.started, limit=START_SECONDS)
        yield Site(
            f"http://{OWN_HOST}:{listener.getsockname()[1]}", person.email, PASSWORD, workspace, person
        )
        server.should_exit = True
        thread.join(START_SECONDS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a file; it resolves no name, so that nothing can leave the machine.

    Playwright keeps an event loop running in this thread for as long as it lives: were it to outlive the file, tests
    elsewhere that start a loop of their own would fail.
    """
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


def launch(playwright: Playwright) -> Browser:
    """The machine's Chromium, which can look up no name."""
    arguments = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    return playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)


@dataclass
class Watch:
    """What the pages of a context did that they should not."""

    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    abandoned: bool = False

    def request(self, request: Request) -> None:
        """Note a request to another host."""
        address = urlsplit(request.url)
        if address.scheme not in LOCAL_SCHEMES and address.hostname != OWN_HOST:
            self.foreign.append(request.url)

    def failed(self, request: Request) -> None:
        """Note that a page was left before its request was answered, which no page can help."""
        self.abandoned |= request.failure == "net::ERR_ABORTED"

    def console(self, message: ConsoleMessage) -> None:
        """Note what the browser complains about."""
        if message.type == "error" and not message.text.startswith(HARMLESS):
            self.errors.append(message.text)

    def complaints(self) -> list[str]:
        """What the browser complained about, without what is said of requests that were abandoned."""
        return [text for text in self.errors if not (self.abandoned and ABANDONED.match(text))]

    def page(self, page: Page) -> None:
        """Note exceptions of a page's scripts."""
        page.on("pageerror", lambda error: self.errors.append(str(error)))


@pytest.fixture
def new_context(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Makes browser contexts (Playwright's arguments) and fails the test for what their pages must not do."""
    watch, contexts = Watch(), []

    def make(**options: object) -> BrowserContext:
        context = browser.new_context(**({"user_agent": BROWSER} | options))  # type: ignore[arg-type]
        context.set_default_timeout(15_000)
        context.on("request", watch.request)
        context.on("requestfailed", watch.failed)
        context.on("console", watch.console)
        context.on("page", watch.page)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()
    assert watch.foreign == [], "a page asked another host"
    assert watch.complaints() == [], "the browser reported errors"


@pytest.fixture
def page(new_context: Callable[..., BrowserContext]) -> Page:
    """A page in a context of its own, 1280 by 800."""
    return new_context(viewport={"width": 1280, "height": 800}).new_page()


def sign_in(page: Page, base_url: str, email: str, password: str) -> Page:
    """Sign in as people do, and wait for the home page."""
    page.goto(f"{base_url}/sign-in")
    send_sign_in(page, email, password)
    page.wait_for_url(f"{base_url}/")
    return page


def send_sign_in(page: Page, email: str, password: str) -> None:
    """Fill in the form and send it; once more where another test signs the same person in at this very moment.

    Two at once are refused, for who guesses passwords would guess many at once.
    """
    for _ in range(5):
        page.get_by_label("E-mail").fill(email)
        page.get_by_label("Password", exact=True).fill(password)
        with page.expect_response(
            lambda answer: answer.request.method == "POST" and "/sign-in" in answer.url
        ) as answer:
            page.keyboard.press("Enter")
        if answer.value.status != TOO_MANY:
            return
        page.wait_for_timeout(REFUSED_MS)


@pytest.fixture
def signed_in_page(page: Page, site: Site, session: Session) -> Page:
    """The owner of `site`, on its home page."""
    token = sessions.sign_in_for(session, email=site.email, user_agent=BROWSER).token
    session.commit()
    page.context.add_cookies([{"name": COOKIE, "value": token, "url": site.base_url}])
    page.goto(f"{site.base_url}/")
    return page


@pytest.fixture
def stack_page(page: Page, stack: Stack) -> Page:
    """The owner of the whole environment, on its home page, through the proxy."""
    return sign_in(page, stack.base_url, stack.owner_email, stack.owner_password)
