"""The pages in a browser: found, made, deleted and taken back; by mouse, and by keyboard alone."""

import re

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy.orm import Session

from leitstand.catalogue import companions
from leitstand.identity.access import system_principal
from tests.browser.conftest import Site


@pytest.fixture
def shelf(session: Session, site: Site) -> list[str]:
    """A hundred companions; their titles."""
    principal = system_principal(site.workspace.id)
    titles = [f"Companion {number:03}" for number in range(99)] + ["Gift finder"]
    for title in titles:
        companions.create(session, principal=principal, title=title)
    session.commit()
    return titles


def test_a_new_companion_is_on_the_home_page(signed_in_page: Page, site: Site) -> None:
    page = signed_in_page
    page.get_by_role("link", name="New companion").click()
    page.get_by_label("Title").fill("Gift finder")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="Gift finder", level=1)).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("Created.")
    page.get_by_role("button", name="Favorite").click()
    expect(page.get_by_role("button", name="Favorite")).to_have_attribute("aria-pressed", "true")
    page.goto(site.base_url)
    for card in ("Continue", "Favorites"):
        expect(page.get_by_role("region", name=card).get_by_role("link", name="Gift finder")).to_be_visible()
    expect(page.get_by_role("region", name="Popular")).to_contain_text("Nothing popular yet")
    expect(page.get_by_text("published,")).to_contain_text("1 draft")


def test_the_list_is_searched_while_typing_and_the_address_keeps_it(
    signed_in_page: Page, site: Site, shelf: list[str]
) -> None:
    page = signed_in_page
    page.goto(f"{site.base_url}/companions")
    expect(page.locator("tbody th")).to_have_count(50)
    page.get_by_role("link", name="Show more").click()
    expect(page.locator("tbody th")).to_have_count(100)
    page.get_by_label("Search by title").fill("gift")
    expect(page.locator("tbody th")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?q=gift$"))
    page.get_by_label("Status", exact=True).select_option("published")
    expect(page.get_by_text("Nothing found")).to_be_visible()
    page.go_back()
    expect(page.locator("tbody th")).to_have_count(1)
    page.reload()
    expect(page.get_by_label("Search by title")).to_have_value("gift")


def test_what_is_deleted_is_taken_back_from_the_toast(
    signed_in_page: Page, site: Site, shelf: list[str]
) -> None:
    page = signed_in_page
    page.goto(f"{site.base_url}/companions?q=gift")
    page.get_by_role("link", name="Gift finder").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status")).to_contain_text("Moved to the trash.")
    page.get_by_role("status").get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", name="Gift finder")).to_be_visible()


def test_the_palette_is_used_with_the_keyboard_alone(signed_in_page: Page, shelf: list[str]) -> None:
    page = signed_in_page
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Search or jump to")
    expect(field).to_be_focused()
    page.keyboard.type("companion 01")
    options = page.get_by_role("option")
    expect(options).to_have_count(8)
    expect(options.first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(field).to_have_attribute("aria-activedescendant", "result-2")
    title = options.nth(1).inner_text().split("\n")[0]
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    page.keyboard.press("Control+k")
    page.keyboard.type("trash")
    expect(options.first).to_contain_text("Trash")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/trash$"))
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_keyboard_reaches_the_content_first_and_everything_after(signed_in_page: Page, site: Site) -> None:
    page = signed_in_page
    page.goto(f"{site.base_url}/companions")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("main").get_by_role("link", name="New companion").first).to_be_focused()
    page.goto(site.base_url)
    seen: list[str] = []
    while len(seen) < 100:
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
        seen.append(
            page.evaluate("document.activeElement.innerText.trim() || document.activeElement.ariaLabel")
        )
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", seen[-1]
    assert {"Leitstand", "Companions", "Insights", "Operations"} <= set(seen)
    assert seen.index("Companions") < seen.index("Operations")


def test_the_theme_follows_the_setting_against_the_system(signed_in_page: Page, site: Site) -> None:
    page = signed_in_page
    background = "getComputedStyle(document.documentElement).backgroundColor"
    page.emulate_media(color_scheme="light")
    light = page.evaluate(background)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(background)
    assert light != dark
    page.goto(f"{site.base_url}/settings/profile")
    page.get_by_label("Light").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Profile saved.")
    assert page.evaluate(background) == light


def test_the_navigation_of_a_narrow_screen_opens_and_closes(signed_in_page: Page) -> None:
    page = signed_in_page
    page.set_viewport_size({"width": 390, "height": 844})
    navigation = page.get_by_role("navigation", name="Areas")
    expect(navigation).to_be_hidden()
    page.get_by_role("button", name="Navigation", exact=True).click()
    expect(navigation).to_be_visible()
    page.keyboard.press("Escape")
    expect(navigation).to_be_hidden()
    page.get_by_role("button", name="Navigation", exact=True).click()
    navigation.get_by_role("link", name="Companions").click()
    expect(page.get_by_role("heading", name="Companions", level=1)).to_be_visible()


def test_a_session_that_ended_elsewhere_leads_to_the_sign_in(
    signed_in_page: Page, site: Site, shelf: list[str]
) -> None:
    page = signed_in_page
    page.goto(f"{site.base_url}/companions")
    page.context.clear_cookies()
    page.get_by_label("Search by title").fill("gift")
    page.wait_for_url(re.compile(r"/sign-in\?next=/companions"))


def test_signing_out_leaves_nothing_behind(signed_in_page: Page, site: Site) -> None:
    page = signed_in_page
    page.get_by_role("button", name="Account of Olga Owner").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
