"""The dashboards in Chromium: what people see, choose and share; nothing from another host; readable by all."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy.orm import Session

from leitstand.db.engine import get_engine
from leitstand.identity import sessions
from panel_apps import live
from tests.browser.dashboards import READY, Open, Served, opened, served
from tests.integration.panel_apps.support import HOSTILE, Log

DAY = timedelta(days=1)
__all__ = ["opened", "served"]


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a session still holds is looked at twice a second."""
    monkeypatch.setattr(live, "CHECK_EVERY_MS", 500)


@pytest.fixture
def log(served: Served) -> Log:
    return served.log


def choose(page: Page, field: str, value: str) -> None:
    page.select_option(f"#{field}", value)
    page.wait_for_selector(READY)


def address(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def figure(page: Page, title: str) -> str:
    tile = page.locator("dl.figures > div", has=page.locator("dt", has_text=title))
    return tile.locator("dd").inner_text().splitlines()[0]


def test_the_overview_shows_the_figures_of_the_log(opened: Open, log: Log) -> None:
    page = opened("/overview?range=last-7&zone=UTC")
    runs = log.of(log.today - 6 * DAY, log.today)
    assert figure(page, "Viewed runs") == str(len(runs))
    assert figure(page, "Completed runs") == str(sum(run[3] for run in runs))
    assert figure(page, "Active users") == str(len({run[2] for run in runs}))
    for chart in page.get_by_role("img").all():
        assert chart.get_attribute("aria-label")
    expect(page.locator("canvas").first).to_be_visible()


def test_a_choice_changes_figures_and_address_and_the_address_brings_it_back(opened: Open, log: Log) -> None:
    page = opened("/overview")
    choose(page, "range", "last-7")
    page.wait_for_url("**range=last-7**")
    expected = str(len(log.of(log.today - 6 * DAY, log.today)))
    expect(page.locator("dl.figures > div", has_text="Viewed runs").locator("dd")).to_contain_text(expected)
    choose(page, "zone", "Asia/Tokyo")
    page.wait_for_url("**zone=Asia%2FTokyo**")
    assert address(page)["range"] == "last-7"
    again = opened(page.url.split("/insights", 1)[1])
    assert again.input_value("#range") == "last-7"
    assert again.input_value("#zone") == "Asia/Tokyo"
    expect(again.locator(".shown")).to_contain_text("Asia/Tokyo")


@pytest.mark.long
def test_days_of_ones_own_and_back(opened: Open, log: Log) -> None:
    page = opened("/overview?range=last-30&zone=UTC&companion=all&compare=previous")
    first = (log.today - 3 * DAY).isoformat()
    page.fill("#first", first)
    page.dispatch_event("#first", "change")
    page.wait_for_url(f"**range={first}..{log.today.isoformat()}**")
    page.wait_for_selector(READY)
    runs = str(len(log.of(log.today - 3 * DAY, log.today)))
    expect(page.locator("dl.figures > div", has_text="Viewed runs").locator("dd")).to_contain_text(runs)
    page.go_back()
    expect(page.locator("#range")).to_have_value("last-30")
    expect(page.locator("#first")).to_have_value((log.today - 29 * DAY).isoformat())


def test_a_hostile_name_is_text(opened: Open, log: Log) -> None:
    page = opened("/overview?range=all")
    expect(page.get_by_role("rowheader", name=HOSTILE).first).to_be_visible()
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.long
def test_a_wrong_address_is_corrected_with_a_notice(opened: Open, log: Log) -> None:
    page = opened("/overview?range=<b>&zone=Mars/Olympus&companion=nobody")
    for words in ("is no range", "no time zone “Mars/Olympus”", "no companion “nobody”"):
        expect(page.get_by_text(words)).to_be_visible()
    assert page.input_value("#companion") == "all"


def test_an_empty_range_says_so_and_leads_to_data(opened: Open, log: Log) -> None:
    page = opened("/overview?range=2001-01-01..2001-01-02")
    expect(page.get_by_text("Nothing happened in this range")).to_be_visible()
    page.get_by_role("link", name="Show the latest 30 days with data").click()
    page.wait_for_selector(READY)
    expect(page.get_by_text("Nothing happened in this range")).to_have_count(0)


def test_a_table_stands_beside_each_chart_and_can_be_had_as_csv(opened: Open, log: Log) -> None:
    page = opened("/overview?range=last-7&zone=UTC")
    page.get_by_text("Figures as a table").first.click()
    table = page.get_by_role("table", name="Runs by day")
    assert table.locator("tbody tr").count() == 7
    with page.expect_download() as download:
        page.locator("a[download]", has_text="CSV").first.click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == 8
    assert lines[0] == "day,viewed,started,completed,before_day,before_viewed,before_started,before_completed"


@pytest.mark.long
def test_charts_follow_the_theme_of_the_system(opened: Open, log: Log) -> None:
    page = opened("/overview?range=all", color_scheme="light")
    seen = "getComputedStyle(document.querySelector('.dashboard')).getPropertyValue('--bk-major-label-text-color')"
    before, light = page.evaluate(seen), page.locator("canvas").first.screenshot()
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(400)
    assert page.evaluate(seen) != before
    assert page.locator("canvas").first.screenshot() != light


def test_a_session_that_ends_takes_the_figures_off_the_page(opened: Open, served: Served) -> None:
    page = opened("/overview?range=all", role="analyst")
    expect(page.locator("dl.figures")).to_be_visible()
    with Session(get_engine()) as session:
        analyst = sessions.authenticate(session, served.tokens["analyst"], enter=True)
        assert analyst is not None
        sessions.sign_out(session, principal=analyst)
        session.commit()
    expect(page.get_by_text("Your session has ended.")).to_be_visible()
    expect(page.locator("dl.figures")).to_have_count(0)
    assert HOSTILE not in page.locator(".cards").inner_text()


def test_operations_ask_every_service_and_refresh_by_hand(opened: Open) -> None:
    page = opened("/operations?refresh=0")
    expect(page.get_by_text("services are up.")).to_be_visible()
    shown = page.locator("time").first
    before = shown.get_attribute("datetime")
    page.wait_for_timeout(1100)
    page.get_by_role("button", name="Refresh now").click()
    expect(shown).not_to_have_attribute("datetime", before or "")
