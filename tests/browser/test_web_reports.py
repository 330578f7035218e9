"""Reports in Chromium: read without scripts, subscribed to by keyboard, no serious violation in either theme or width."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from sqlalchemy.orm import Session

from leitstand.reports import kinds
from leitstand.reports.unsubscribe_links import Link, token_of
from leitstand.settings import Settings
from tests.browser.conftest import Site
from tests.reports import HTML, archived

SERIOUS = {"serious", "critical"}
PAGE = HTML.replace("<script>alert(1)</script>", "")


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found if one["impact"] in SERIOUS]


@pytest.fixture
def report_id(session: Session, settings: Settings, site: Site, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("tests.reports.HTML", PAGE)
    archived(session, settings, site.workspace.id, kind=kinds.MONTHLY)
    return str(archived(session, settings, site.workspace.id).id)


def test_a_report_is_found_and_read(signed_in_page: Page, site: Site, report_id: str) -> None:
    page = signed_in_page
    page.goto(f"{site.base_url}/insights")
    page.get_by_role("link", name="Reports").first.click()
    page.get_by_role("link", name="Weekly insights", exact=True).click()
    inner = page.frame_locator("iframe")
    expect(inner.get_by_text("52 started runs")).to_be_visible()
    assert page.locator("iframe").get_attribute("sandbox") == ""
    with page.expect_download() as download:
        page.get_by_role("link", name="Download PDF").click()
    assert download.value.suggested_filename.startswith("weekly-insights-")


def test_subscribing_and_ending_it_by_keyboard(signed_in_page: Page, site: Site, report_id: str) -> None:
    page = signed_in_page
    page.goto(f"{site.base_url}/reports#subscriptions")
    zone = page.locator("#zone-weekly-insights")
    zone.focus()
    zone.fill("Asia/Tokyo")
    zone.press("Enter")
    expect(page.get_by_text("Subscribed: it comes by mail from the next one on.")).to_be_visible()
    expect(page.get_by_role("table").get_by_text("Asia/Tokyo")).to_be_visible()
    page.get_by_role("button", name="Unsubscribe from “Weekly insights”").press("Enter")
    expect(page.get_by_text("Nobody yet.")).to_be_visible()


def test_starting_one_shows_how_it_goes_without_loading_again(
    signed_in_page: Page, site: Site, session: Session, report_id: str
) -> None:
    from leitstand.db.models import Report

    page = signed_in_page
    page.goto(f"{site.base_url}/reports")
    page.get_by_label("A day of the period").fill("2026-01-07")
    page.get_by_role("button", name="Make it now").click()
    expect(page.get_by_text("Waits for the queue worker")).to_be_visible()
    report = session.query(Report).filter_by(status="waiting").one()
    report.status, report.error = "failed", "The store is away."
    session.commit()
    expect(page.get_by_text("The store is away.")).to_be_visible(timeout=10_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_accessible_and_fit_narrow_screens(
    signed_in_page: Page, site: Site, report_id: str, scheme: str
) -> None:
    page = signed_in_page
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    link = Link(site.workspace.id, site.person.id, "weekly-insights")
    for path in ("/reports", f"/reports/{report_id}", f"/reports/unsubscribe/{token_of(link)}"):
        for width in (1440, 320):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(site.base_url + path)
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
