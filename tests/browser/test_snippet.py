"""leitstand.js in Chromium, on a page of another origin."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from playwright.sync_api import BrowserContext, Page
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.runtime import create
from leitstand.catalogue.companions import create as create_companion
from leitstand.companions.flow import parse_flow
from leitstand.companions.versions import publish, save_version
from leitstand.db.models import Event
from leitstand.identity.access import Principal
from leitstand.settings import REPOSITORY
from tests.live import served

PAGE = """<!doctype html><html lang="en"><title>A shop</title>
<script src="{script}" defer></script>
<h1>Shoes</h1><button data-leitstand-answered="size">Size 42</button>
<button data-leitstand-completed="paid">Pay</button><a href="/other">Leave</a></html>"""
POLICY = "default-src 'none'; script-src {origin}; connect-src {origin}"
PATIENCE = 15


@dataclass
class Shop:
    """A page of somebody else's that has the snippet."""

    address: str
    session: Session

    def events(self, wanted: int) -> list[Event]:
        """What has arrived, once it is so many."""
        until = time.monotonic() + PATIENCE
        while True:
            self.session.rollback()
            found = list(self.session.scalars(select(Event).order_by(Event.seq, Event.event_id)))
            if len(found) >= wanted or time.monotonic() > until:
                return found
            time.sleep(0.1)


@pytest.fixture
def shop(session: Session, owner: Principal) -> Iterator[Shop]:
    flow = parse_flow((REPOSITORY / "demo" / "companions" / "help-desk.json").read_bytes())
    companion_id = create_companion(session, principal=owner, title=flow.title).id
    save_version(session, principal=owner, companion_id=companion_id, flow=flow)
    publish(session, principal=owner, companion_id=companion_id, slug="shop")
    session.commit()
    with served(create()) as runtime:
        other = FastAPI()

        @other.get("/{path:path}")
        def page(path: str) -> HTMLResponse:
            html = PAGE.format(script=f"{runtime}/c/shop/leitstand.js")
            return HTMLResponse(html, headers={"Content-Security-Policy": POLICY.format(origin=runtime)})

        with served(other) as address:
            yield Shop(address, session)


def stored(page: Page) -> list[str]:
    names: list[str] = page.evaluate("[...Object.keys(localStorage), ...Object.keys(sessionStorage)]")
    return names


def test_views_answers_and_completions_arrive_without_a_cookie(page: Page, shop: Shop) -> None:
    page.goto(shop.address)
    page.get_by_role("button", name="Size 42").click()
    page.get_by_role("button", name="Pay").click()
    found = shop.events(3)
    assert [(row.kind, row.step) for row in found] == [
        ("viewed", ""),
        ("answered", "size"),
        ("completed", "paid"),
    ]
    assert len({row.run_key for row in found}) == len({row.actor_key for row in found}) == 1
    assert {row.source for row in found} == {"snippet"}
    assert page.context.cookies() == []
    # The same visitor and run after loading again; another run of the same visitor when one begins.
    page.reload()
    assert len(shop.events(4)) == 4
    page.evaluate("leitstand.again()")
    found = shop.events(5)
    assert (len({row.run_key for row in found}), len({row.actor_key for row in found})) == (2, 1)


def test_what_waits_is_sent_when_the_page_is_left(page: Page, shop: Shop) -> None:
    page.goto(shop.address)
    page.evaluate("leitstand.answered('colour')")
    page.goto("about:blank")
    assert [row.kind for row in shop.events(2)] == ["viewed", "answered"]


@pytest.mark.parametrize("wish", ["doNotTrack", "globalPrivacyControl"])
def test_who_wants_not_to_be_tracked_is_not(
    new_context: Callable[..., BrowserContext], shop: Shop, wish: str
) -> None:
    context = new_context()
    value = "'1'" if wish == "doNotTrack" else "true"
    context.add_init_script(f"Object.defineProperty(navigator, '{wish}', {{get: () => {value}}})")
    page = context.new_page()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.goto(shop.address)
    page.get_by_role("button", name="Pay").click()
    page.evaluate("leitstand.completed('paid'); leitstand.again()")
    page.wait_for_timeout(1_500)
    page.goto("about:blank")
    assert "POST" not in sent
    assert shop.events(0) == []


def test_it_keeps_no_more_than_two_random_ids(page: Page, shop: Shop) -> None:
    page.goto(shop.address)
    shop.events(1)
    names = stored(page)
    assert len(names) == 2 and all(name.startswith("leitstand.") for name in names)
