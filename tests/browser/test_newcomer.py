"""Somebody who has never seen it makes a companion, publishes it, finds it the next day and shares it with an outsider.

They know what they read on the pages, and nothing else.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import update
from sqlalchemy.orm import Session

from leitstand.db.models import Item, Recent
from tests.browser.conftest import Site, sign_in
from tests.browser.walking import PATIENCE

TITLE, PASSWORD = "Welcome to the team", "eleven green kettles"


def button(page: Page, name: str) -> None:
    page.get_by_role("main").get_by_role("button", name=name, exact=True).click()


def link(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).first.click()


def invite(page: Page, site: Site, email: str) -> str:
    """The link that the owner hands over."""
    sign_in(page, site.base_url, site.email, site.password)
    link(page, "Members")
    link(page, "Invite people")
    page.get_by_label("E-mail addresses").fill(email)
    page.get_by_role("main").get_by_label("Role").last.select_option(label="creator")
    button(page, "Invite")
    return handed(page, site)


def handed(page: Page, site: Site) -> str:
    """The address that is shown once, to be handed over; on this site, since no proxy stands before it."""
    shown = page.get_by_role("main").get_by_role("status").locator("code").inner_text()
    return site.base_url + urlsplit(shown).path


def join(page: Page, address: str, name: str) -> None:
    page.goto(address)
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Choose a password").fill(PASSWORD)
    button(page, "Join")
    expect(page.get_by_role("heading", level=1)).to_contain_text(name.split(maxsplit=1)[0])


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Account of").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def a_day_passes(session: Session) -> None:
    session.execute(update(Item).values(updated_at=datetime.now(UTC) - timedelta(days=1)))
    session.execute(update(Recent).values(used_at=datetime.now(UTC) - timedelta(days=1)))
    session.commit()


@pytest.fixture(autouse=True)
def patient() -> Iterator[None]:
    """Ten steps in three browsers: each may take its time."""
    expect.set_options(timeout=PATIENCE)
    yield
    expect.set_options(timeout=5_000)


@pytest.mark.long
def test_the_path_of_a_newcomer(
    new_context: Callable[..., BrowserContext], site: Site, session: Session, tmp_path: Path
) -> None:
    owner, page, outsider = (
        new_context(viewport={"width": 1280, "height": 800}).new_page() for _ in range(3)
    )
    for one in (owner, page, outsider):
        one.set_default_timeout(PATIENCE)

    join(page, invite(owner, site, "nina@site.test"), "Nina New")
    page.screenshot(path=tmp_path / "1-home.png")
    link(page, "New companion")
    page.get_by_label("Title").fill(TITLE)
    button(page, "Create")
    expect(page.get_by_role("heading", name=TITLE, level=1)).to_be_visible()
    page.screenshot(path=tmp_path / "2-made.png", full_page=True)
    link(page, "Write a flow")
    page.screenshot(path=tmp_path / "3-flow.png", full_page=True)
    page.get_by_role("main").get_by_role("button", name=re.compile("^Save")).first.click()
    page.screenshot(path=tmp_path / "4-written.png", full_page=True)
    button(page, "Publish")
    expect(page.get_by_role("status").last).to_contain_text("Published")
    page.screenshot(path=tmp_path / "5-published.png", full_page=True)
    sign_out(page)

    a_day_passes(session)
    sign_in(page, site.base_url, "nina@site.test", PASSWORD)
    page.keyboard.press("Control+k")
    page.keyboard.type("wellcome team")
    expect(page.get_by_role("option").first).to_contain_text(TITLE)
    page.screenshot(path=tmp_path / "6-palette.png")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=TITLE, level=1)).to_be_visible()
    link(page, "Share")
    page.get_by_label("E-mail address").fill("otto@elsewhere.test")
    button(page, "Share")
    page.screenshot(path=tmp_path / "7-shared.png", full_page=True)

    join(outsider, handed(page, site), "Otto Outside")
    outsider.screenshot(path=tmp_path / "8-outsider.png", full_page=True)
    link(outsider, "See the companions")
    link(outsider, TITLE)
    expect(outsider.get_by_role("heading", name=TITLE, level=1)).to_be_visible()
    outsider.screenshot(path=tmp_path / "9-opened.png", full_page=True)
