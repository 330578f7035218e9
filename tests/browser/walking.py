"""Walking a site: to an address as somebody, through the forms whose answer is a page, with what is wrong there."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Response
from sqlalchemy.orm import Session

from leitstand.identity.sessions import COOKIE
from leitstand.settings import Settings, get_settings
from leitstand.storage.objects import ObjectStorage
from serving import shell
from tests.browser.conftest import ABANDONED, HARMLESS, Site
from tests.browser.grounds import NOBODY, Grounds, furnished
from tests.browser.judging import WIDE, ready
from tests.people import PASSWORD
from tests.stripe_double import KEY, SECRET, running

LOCALES = {"en": "en-GB", "de": "de-DE"}
REFUSED = {403, 404}
# Milliseconds: every page is fetched, drawn four times and judged, on a machine that may have other work.
PATIENCE = 60_000
# Addresses of which a page has more than one face; `{…}` as in the routes.
FACES = [
    "/companions?q=nothing-at-all", "/boards?q=nothing-at-all", "/search?q=do", "/search?q=nothing-at-all", "/audit-log-that-is-not",
    "/collections/{item_id}?find=do", "/conversations?q=nothing-at-all", "/settings/audit?q=nothing-at-all",
    "/settings/members?q=nothing-at-all", "/agents/{item_id}/history?first=1&second=2", "/companions/{item_id}/history?first=1&second=2",
    "/operations/runbooks/runs/{waiting run}", "/join/unknown", "/reset-password/unknown", "/boards/01890a5d-ac96-774b-bcce-b302099a8057",
]  # fmt: skip


PLANS = [
    {"name": "free", "title": "Free", "limits": {"storage_bytes": 10_000_000, "events_a_month": 1000}},
    {"name": "small", "title": "Small", "price_cents": 1900, "limits": {}, "stripe_price": "price_small"},
]


@pytest.fixture
def grounds(
    settings: Settings, session: Session, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Grounds]:
    """A site with something on every page, and a provider of payments beside it."""
    path = tmp_path / "plans.json"
    path.write_text(json.dumps({"plans": PLANS}))
    with running() as double:
        given = {
            "PLANS_FILE": str(path), "STRIPE_API_URL": double.url, "STRIPE_SECRET_KEY": KEY, "STRIPE_WEBHOOK_SECRET": SECRET
        }  # fmt: skip
        for name, value in given.items():
            monkeypatch.setenv(f"LEITSTAND_{name}", value)
        get_settings.cache_clear()
        ObjectStorage(get_settings()).ensure_buckets()
        yield furnished(session, site)
    get_settings.cache_clear()


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The templates of the pages that are shown while the test runs."""
    seen: set[str] = set()
    page = shell.page

    def noted(template: str, *given: object, **more: object) -> object:
        seen.add(template)
        return page(template, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(shell, "page", noted)
    return seen


def enter(
    new_context: Callable[..., BrowserContext], grounds: Grounds, role: str, language: str, script: str = ""
) -> Page:
    """A page of a fresh browser in which whoever has the role is signed in, with a script that every page begins with."""
    # Colours that are on their way from light to dark would be judged half way.
    context = new_context(
        color_scheme="light", reduced_motion="reduce", viewport=WIDE, locale=LOCALES[language]
    )
    context.set_default_timeout(PATIENCE)
    if script:
        context.add_init_script(script)
    if role != NOBODY:
        token = grounds.someone(role).token
        context.add_cookies([{"name": COOKIE, "value": token, "url": grounds.site.base_url}])
    return context.new_page()


def go(page: Page, address: str) -> Response:
    """Open an address and wait until the page has all its parts; the first row that can be chosen is."""
    response = page.goto(address)
    assert response is not None
    ready(page)
    # What is done with rows is shown once one is ticked.
    page.evaluate("document.querySelector('[form=bulk]')?.click()")
    return response


def complaints(page: Page) -> list[str]:
    """What the browser complains about from now on, each with its page; empty the list to begin anew."""
    heard: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if (
            message.type == "error"
            and not message.text.startswith(HARMLESS)
            and not ABANDONED.match(message.text)
        ):
            heard.append(f"console: {message.text}")

    page.on("console", hear)
    page.on("pageerror", lambda error: heard.append(f"script: {error}"))
    return heard


def not_refused_well(page: Page, response: Response) -> list[str]:
    """What is wrong with the status of a page, or with how it says no: the number, a title and the request's id."""
    if response.ok:
        return []
    if response.status not in REFUSED:
        return [f"answers {response.status}"]
    code, request_id = page.locator(".problem-code"), page.locator("main code")
    if page.url.endswith("/unknown") and not code.count():
        return []
    said = code.count() == 1 and code.inner_text() == str(response.status) and request_id.count() == 1
    return [] if said else [f"refuses without saying how: {response.status}"]


def doings(page: Page, grounds: Grounds) -> Iterator[str]:
    """Fills forms as the owner whose answers are pages; yields as each is shown: two-step sign-in, payment, a second step."""
    base = grounds.site.base_url
    go(page, f"{base}/settings/billing")
    send(page, "/settings/billing/plan", plan="small", key="k")
    yield "payment"
    go(page, f"{base}/settings/profile")
    send(page, "/settings/profile/two-step/begin", password=PASSWORD)
    yield "two-step"
    secret = page.locator("#secret").input_value().replace(" ", "")
    send(page, "/settings/profile/two-step/confirm", code=pyotp.TOTP(secret).now())
    yield "recovery codes"
    page.context.clear_cookies()
    page.goto(f"{base}/sign-in")
    page.locator("#email").fill(grounds.someone("owner").principal.email)
    page.locator("#password").fill(PASSWORD)
    page.locator("#password").press("Enter")
    page.wait_for_url("**/sign-in/code")
    yield "second step"


def send(page: Page, path: str, **fields: str) -> None:
    """Send a form of the page that is open, wherever it stands."""
    with page.expect_navigation():
        page.evaluate(
            """([path, fields]) => {
              const form = document.createElement("form");
              form.method = "post"; form.action = path;
              fields.csrf = document.querySelector("input[name=csrf]").value;
              for (const [name, value] of Object.entries(fields)) {
                const input = document.createElement("input"); input.name = name; input.value = value; form.append(input);
              }
              document.body.append(form); form.submit();
            }""",
            [path, fields],
        )
    ready(page)
