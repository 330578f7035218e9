"""Everything works without JavaScript."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Site, sign_in


@pytest.fixture
def plain_page(new_context: Callable[..., BrowserContext], site: Site) -> Page:
    """The owner, signed in, in a browser that runs no scripts."""
    page = new_context(java_script_enabled=False, viewport={"width": 390, "height": 844}).new_page()
    return sign_in(page, site.base_url, site.email, site.password)


def test_a_companion_is_made_found_starred_deleted_and_taken_back(plain_page: Page, site: Site) -> None:
    page = plain_page
    page.get_by_role("link", name="New companion").click()
    page.get_by_label("Title").fill("Gift finder")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("button", name="Favorite").click()
    expect(page.get_by_role("status")).to_contain_text("Added to your favorites.")
    page.goto(f"{site.base_url}/companions")
    page.get_by_label("Search by title").fill("gift")
    page.get_by_role("button", name="Search").click()
    expect(page).to_have_url(re.compile(r"q=gift"))
    page.get_by_role("link", name="Gift finder").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", name="Gift finder")).to_be_visible()


def test_what_is_done_with_the_chosen_is_there_once_something_is_chosen(plain_page: Page, site: Site) -> None:
    page, bar = plain_page, plain_page.locator("#bulk")
    page.goto(f"{site.base_url}/boards/new")
    page.get_by_label("Title").fill("Ideas")
    page.get_by_role("button", name="Create").click()
    page.goto(f"{site.base_url}/boards")
    expect(bar).to_be_hidden()
    page.get_by_label("Choose Ideas").check()
    bar.get_by_label("Tag").fill("x" * 40)
    bar.get_by_role("button", name="Add tag").click()
    expect(page.get_by_role("status")).to_contain_text("Done.")
    expect(bar).to_be_hidden()


def test_the_navigation_opens(plain_page: Page) -> None:
    plain_page.get_by_role("button", name="Navigation", exact=True).click()
    plain_page.get_by_role("navigation", name="Areas").get_by_role("link", name="Operations").click()
    expect(plain_page.get_by_role("heading", name="Operations")).to_be_visible()


def test_what_comes_afterwards_is_a_link(plain_page: Page) -> None:
    for link in ("Show what is popular", "Show the usage", "Show the services"):
        plain_page.get_by_role("link", name=link).click()
        expect(plain_page.get_by_role("heading", level=1)).to_be_visible()
        plain_page.go_back()


def test_search_is_a_page(plain_page: Page, site: Site) -> None:
    plain_page.goto(f"{site.base_url}/search")
    plain_page.get_by_label("Search", exact=True).fill("trash")
    plain_page.get_by_role("button", name="Search").click()
    plain_page.get_by_role("main").get_by_role("link", name="Trash").click()
    expect(plain_page.get_by_role("heading", name="Trash", exact=True)).to_be_visible()
