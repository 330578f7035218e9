"""The visitor's pages: every step without a script, and whatever else is sent to them."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.runtime import LARGEST_BODY, create
from api.runtime_pages.visitors import COOKIE_PREFIX
from leitstand.catalogue.companions import withdraw
from leitstand.catalogue.trash import trash_item
from leitstand.companions.runs import OpenCompanion
from leitstand.db.models import Event, FlowRun, RunFact
from leitstand.identity.access import Principal
from leitstand.settings import Settings, get_settings
from tests.integration.runtime.conftest import SLUG, Publish
from tests.unit.companions.flows import booking

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140", "Accept": "text/html"}
ADDRESS = f"/c/{SLUG}"
HIDDEN = re.compile(r'name="(run|token|revision)" value="([^"]*)"')
NASTY = "<script>alert('x')</script> & \"quoted\" {{ 7*7 }}"


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return create()


@pytest.fixture
def browser(app: FastAPI, companion: OpenCompanion) -> TestClient:
    """A browser that follows redirects and keeps its cookies."""
    return TestClient(app, headers=BROWSER, raise_server_exceptions=False)


def fields(page: Response) -> dict[str, str]:
    """What the page's form carries along."""
    return dict(HIDDEN.findall(page.text))


def send(browser: TestClient, page: Response, answer: str) -> Response:
    return browser.post(f"{ADDRESS}/answer", data=fields(page) | {"answer": answer})


def count(session: Session, model: Any) -> int:
    session.rollback()
    return session.scalar(select(func.count()).select_from(model)) or 0


def test_a_visitor_goes_through_the_whole_flow(browser: TestClient, session: Session) -> None:
    page = browser.get(ADDRESS)
    assert page.status_code == 200
    assert "Hello!" in page.text
    assert 'value="visit">A visit</button>' in page.text
    page = send(browser, page, "visit")
    assert page.history[0].status_code == 303
    assert "Which day?" in page.text
    page = send(browser, page, "Monday")
    page = send(browser, page, "no")
    assert "Goodbye." in page.text
    assert "Monday" in page.text
    assert "/answer" not in page.text
    fact = session.scalars(select(RunFact)).one()
    assert fact.completed_at is not None


def test_a_run_is_resumed_in_the_same_browser_and_no_other(
    app: FastAPI, browser: TestClient, session: Session
) -> None:
    send(browser, browser.get(ADDRESS), "visit")
    assert "Which day?" in browser.get(ADDRESS).text
    assert "Which day?" not in TestClient(app, headers=BROWSER).get(ADDRESS).text
    assert count(session, FlowRun) == 2


def test_starting_again_begins_a_new_run(browser: TestClient, session: Session) -> None:
    page = send(browser, browser.get(ADDRESS), "visit")
    page = browser.post(f"{ADDRESS}/again", data=fields(page))
    assert "What is it about?" in page.text
    assert "Which day?" not in page.text
    assert count(session, FlowRun) == 2


def test_a_doubled_submit_is_silent_and_another_answer_from_an_old_page_is_told(browser: TestClient) -> None:
    first = browser.get(ADDRESS)
    send(browser, first, "visit")
    assert "gone on already" not in send(browser, first, "visit").text
    late = send(browser, first, "other")
    assert "gone on already" in late.text
    assert "Which day?" in late.text


def test_what_a_visitor_writes_is_shown_as_it_is_and_runs_nowhere(browser: TestClient) -> None:
    page = send(browser, send(browser, browser.get(ADDRESS), "other"), NASTY)
    assert "<script" not in page.text
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &#34;quoted&#34; {{ 7*7 }}" in page.text


def test_a_flow_that_holds_markup_is_escaped(
    browser: TestClient, publish_flow: Publish, session: Session
) -> None:
    document = booking() | {"title": "</title>" + NASTY}
    document["steps"][1]["options"][0] |= {"label": NASTY, "value": '" onclick="x'}
    publish_flow(document)
    page = browser.get(ADDRESS)
    assert "<script" not in page.text
    assert 'value="&#34; onclick=&#34;x"' in page.text


def test_an_answer_that_does_not_fit_is_shown_to_be_mended(browser: TestClient, session: Session) -> None:
    page = send(browser, browser.get(ADDRESS), "visit")
    refused = send(browser, page, "much too long a day & <b>")
    assert refused.status_code == 422
    assert 'role="alert"' in refused.text
    assert "at most 20 characters" in refused.text
    assert 'value="much too long a day &amp; &lt;b&gt;"' in refused.text
    assert send(browser, refused, "Monday").status_code == 200


@pytest.mark.parametrize("path", ["/c/unknown", "/c/UPPER", "/c/..%2f..%2fetc", "/c/a b", "/c/" + "x" * 5000])
def test_unknown_addresses_all_say_the_same(browser: TestClient, path: str) -> None:
    page = browser.get(path)
    assert page.status_code == 404
    assert "Nothing is here" in page.text


def test_what_is_not_published_says_the_same_as_what_never_was(
    browser: TestClient, session: Session, owner: Principal, companion: OpenCompanion
) -> None:
    unknown = re.sub("Request [0-9a-f]+", "", browser.get("/c/unknown").text)
    withdraw(session, principal=owner, item_id=companion.companion_id)
    session.commit()
    assert re.sub("Request [0-9a-f]+", "", browser.get(ADDRESS).text) == unknown


def test_a_companion_in_the_trash_is_closed(
    browser: TestClient, session: Session, owner: Principal, companion: OpenCompanion
) -> None:
    page = browser.get(ADDRESS)
    trash_item(session, principal=owner, item_id=companion.companion_id)
    session.commit()
    assert browser.get(ADDRESS).status_code == 404
    assert send(browser, page, "visit").status_code == 404


def without(name: str) -> Callable[[dict[str, str]], dict[str, str]]:
    return lambda form: {key: value for key, value in form.items() if key != name}


@pytest.mark.parametrize(
    "change",
    [without("token"), without("run"), lambda f: f | {"token": "0" * 64}, lambda f: f | {"token": "é"}, lambda f: f | {"run": "x"}],
    ids=["no token", "no run", "wrong token", "foreign letters", "no uuid"],
)  # fmt: skip
def test_a_form_that_is_not_ours_is_refused(
    browser: TestClient, session: Session, change: Callable[[dict[str, str]], dict[str, str]]
) -> None:
    form = change(fields(browser.get(ADDRESS)))
    page = browser.post(f"{ADDRESS}/answer", data=form | {"answer": "visit"})
    assert page.status_code == 403
    assert session.scalars(select(FlowRun.revision)).one() == 0


def test_a_form_of_another_visitor_is_refused(app: FastAPI, browser: TestClient, session: Session) -> None:
    stolen = fields(browser.get(ADDRESS))
    other = TestClient(app, headers=BROWSER)
    other.get(ADDRESS)
    assert other.post(f"{ADDRESS}/answer", data=stolen | {"answer": "visit"}).status_code == 403
    assert set(session.scalars(select(FlowRun.revision))) == {0}


def test_another_site_can_not_answer(browser: TestClient) -> None:
    form = fields(browser.get(ADDRESS)) | {"answer": "visit"}
    page = browser.post(f"{ADDRESS}/answer", data=form, headers={"Sec-Fetch-Site": "cross-site"})
    assert page.status_code == 403


def test_a_browser_without_cookies_is_told_so(browser: TestClient) -> None:
    form = fields(browser.get(ADDRESS)) | {"answer": "visit"}
    browser.cookies.clear()
    page = browser.post(f"{ADDRESS}/answer", data=form)
    assert page.status_code == 403
    assert "cookie" in page.text


@pytest.mark.parametrize("revision", ["-1", "1", "999999999", "9" * 50, "x", "", "٣"])
def test_a_revision_that_is_not_the_runs_changes_nothing(
    browser: TestClient, session: Session, revision: str
) -> None:
    form = fields(browser.get(ADDRESS)) | {"revision": revision, "answer": "visit"}
    assert browser.post(f"{ADDRESS}/answer", data=form).status_code == 200
    assert session.scalars(select(FlowRun.revision)).one() == 0


def test_the_cookie_is_a_random_one_of_its_workspace(
    browser: TestClient, session: Session, companion: OpenCompanion
) -> None:
    page = browser.get(ADDRESS)
    cookie = page.headers["set-cookie"]
    name, _, rest = cookie.partition("=")
    assert name.startswith(COOKIE_PREFIX)
    assert "HttpOnly" in rest
    assert "SameSite=lax" in rest
    assert "Path=/c" in rest
    token = rest.partition(";")[0]
    stored = session.scalars(select(FlowRun.visitor)).one()
    assert token not in stored
    assert session.scalars(select(Event.actor_key)).one() == stored
    everything = repr(
        session.execute(select(FlowRun.__table__)).all() + session.execute(select(Event.__table__)).all()
    )
    assert "testclient" not in everything
    assert "127.0.0.1" not in everything


def test_a_cookie_that_is_not_ours_is_replaced(browser: TestClient, session: Session) -> None:
    name = browser.get(ADDRESS).headers["set-cookie"].partition("=")[0]
    browser.cookies.clear()
    browser.cookies.set(name, "short")
    assert len(browser.get(ADDRESS).headers["set-cookie"].partition("=")[2].partition(";")[0]) == 32
    assert count(session, FlowRun) == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
        {"User-Agent": "Slackbot-LinkExpanding 1.0"},
        {"User-Agent": "WhatsApp/2.23"},
        {"User-Agent": "curl/8.5.0"},
        {"User-Agent": ""},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
    ],
)
def test_programs_see_the_beginning_and_leave_no_trace(
    browser: TestClient, session: Session, headers: dict[str, str]
) -> None:
    page = browser.get(ADDRESS, headers=headers)
    assert page.status_code == 200
    assert "What is it about?" in page.text
    assert "set-cookie" not in page.headers
    assert "<form" not in page.text
    assert count(session, FlowRun) == 0
    assert count(session, Event) == 0


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "Mozilla/5.0 (Linux; Android 15; CUBOT X90) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36",
    ],
)
def test_browsers_are_people(browser: TestClient, session: Session, agent: str) -> None:
    browser.get(ADDRESS, headers={"User-Agent": agent})
    assert count(session, FlowRun) == 1


def test_a_link_that_is_only_tried_leaves_no_trace(browser: TestClient, session: Session) -> None:
    tried = browser.head(ADDRESS)
    assert (tried.status_code, tried.text, "set-cookie" in tried.headers) == (200, "", False)
    assert count(session, FlowRun) == 0
    refused = browser.put(ADDRESS)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


def test_a_body_that_is_too_large_is_refused_with_a_page(browser: TestClient) -> None:
    page = browser.get(ADDRESS)
    refused = send(browser, page, "x" * (LARGEST_BODY + 1))
    assert refused.status_code == 413
    assert "That is too long" in refused.text
    assert "content-security-policy" in refused.headers
    assert "x-request-id" in refused.headers


def test_a_body_that_hides_its_size_is_refused_too(browser: TestClient) -> None:
    def chunks() -> Any:
        for _ in range(100):
            yield b"answer=" + b"x" * 10_000

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert browser.post(f"{ADDRESS}/answer", content=chunks(), headers=headers).status_code == 413


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"", "", 415),
        (b"a=1&" * 300, "application/x-www-form-urlencoded", 422),
        (b"\xff\xfe=%ff&run=%00", "application/x-www-form-urlencoded", 403),
    ],
)
def test_other_bodies_are_refused(browser: TestClient, content: bytes, kind: str, status: int) -> None:
    headers = {"Content-Type": kind}
    assert browser.post(f"{ADDRESS}/answer", content=content, headers=headers).status_code == status


@pytest.fixture
def rates(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tight limits for the application that is made next."""
    monkeypatch.setenv("LEITSTAND_RUNTIME_VISITOR_RATE", "2/minute")
    monkeypatch.setenv("LEITSTAND_RUNTIME_ADDRESS_RATE", "3/minute;5/hour")
    get_settings.cache_clear()


def test_one_visitor_answers_at_a_bounded_rate(rates: None, companion: OpenCompanion) -> None:
    browser = TestClient(create(), headers=BROWSER)
    page = send(browser, browser.get(ADDRESS), "visit")
    page = send(browser, page, "Monday")
    stopped = send(browser, page, "no")
    assert stopped.status_code == 429
    assert 0 < int(stopped.headers["retry-after"]) <= 60
    assert "your answers so far are kept" in stopped.text
    other = TestClient(browser.app, headers=BROWSER)
    assert send(other, other.get(ADDRESS), "visit").status_code == 200


def test_one_address_brings_a_bounded_number_of_visitors(
    rates: None, companion: OpenCompanion, session: Session
) -> None:
    app = create()
    pages = [TestClient(app, headers=BROWSER).get(ADDRESS) for _ in range(5)]
    assert [page.status_code for page in pages] == [200, 200, 200, 429, 429]
    assert count(session, FlowRun) == 3


def test_nothing_of_another_origin_is_named(browser: TestClient) -> None:
    page = browser.get(ADDRESS)
    assert "//" not in re.sub(r'"/c/[^"]*"', "", page.text)
    sheet = re.search(r'href="(/c/static/[^"]+)"', page.text)
    assert sheet is not None
    answer = browser.get(sheet.group(1))
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert browser.get("/c/static/../runtime.py").status_code == 404
    assert page.headers["cache-control"] == "no-store"


def test_a_flow_in_another_language_says_so(browser: TestClient, publish_flow: Publish) -> None:
    publish_flow(booking() | {"language": "de"})
    page = browser.get(ADDRESS)
    assert '<html lang="de">' in page.text
    assert 'lang="en">Send' in send(browser, page, "visit").text


def test_programs_get_problem_documents(browser: TestClient) -> None:
    answer = browser.get("/c/unknown", headers={"Accept": "application/json"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404


def test_the_service_is_ready(browser: TestClient) -> None:
    assert browser.get("/livez").status_code == 200
    assert browser.get("/readyz").json()["status"] == "pass"
