"""Every dashboard in Chromium, on one server: barriers, narrow pages, definitions, pictures, annotations and views."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, expect
from sqlalchemy.orm import Session

from leitstand.db.engine import get_engine
from leitstand.db.models import SavedView
from panel_apps.serve import APPLICATIONS
from tests.browser.dashboards import READY, Open, Served, opened, served

DAY = timedelta(days=1)
PATHS = sorted(APPLICATIONS)


__all__ = ["opened", "served"]


@pytest.mark.parametrize("path", PATHS)
def test_no_serious_barrier_in_light_and_dark_and_nothing_wider_than_a_narrow_page(
    opened: Open, path: str
) -> None:
    page = opened(f"{path}?range=all")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.wait_for_timeout(300)  # colours change gradually
        found = Axe().run(page).response["violations"]
        serious = [
            (one["id"], [node["html"][:200] for node in one["nodes"]])
            for one in found
            if one["impact"] in {"serious", "critical"}
        ]
        assert serious == [], scheme
    for chart in page.get_by_role("img").all():
        assert chart.get_attribute("aria-label")
    page.set_viewport_size({"width": 320, "height": 700})
    expect(page.locator("body")).to_have_js_property("clientWidth", 320)
    page.wait_for_function("document.documentElement.scrollWidth <= 320")
    heights = page.locator(".card-head button:visible").evaluate_all(
        "found => found.map(one => one.offsetHeight)"
    )
    assert all(height <= 40 for height in heights), "a button's word is broken"


def test_a_definition_is_shown_to_whoever_tabs_to_its_title(opened: Open) -> None:
    page = opened("/overview?range=all")
    title = page.locator("#traffic-title .defined")
    definition = title.locator(".definition")
    hidden = definition.bounding_box()
    assert hidden is not None
    assert hidden["width"] <= 1
    title.focus()
    shown = definition.bounding_box()
    assert shown is not None
    assert shown["width"] > 100
    expect(definition).to_contain_text("by the local day on which they began")


def test_a_chart_is_saved_as_a_picture(opened: Open) -> None:
    page = opened("/overview?range=all")
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG – Traffic").click()
    picture = Path(download.value.path()).read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert download.value.suggested_filename == "traffic.png"
    width = int.from_bytes(picture[16:20])
    assert width > 300
    assert len(picture) > 5_000  # an empty picture of that size has a few hundred bytes


def test_days_chosen_in_one_chart_are_shown_in_all_and_become_the_range(opened: Open, served: Served) -> None:
    page = opened("/overview?range=last-30&zone=UTC")
    box = page.locator(".chart-place canvas").first.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.4 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], middle, steps=3)
    page.mouse.move(box["x"] + 0.7 * box["width"], middle, steps=3)
    page.mouse.up()
    expect(page.get_by_text("Chosen:")).to_be_visible()
    bands = page.evaluate(
        "[...Bokeh.index.query((view) => view.model?.type === 'BoxAnnotation' && view.model.visible)]"
        ".map((view) => [view.model.left, view.model.right])"
    )
    assert len(bands) == 3
    assert len({tuple(band) for band in bands}) == 1
    page.get_by_role("button", name="Show only these days").click()
    page.wait_for_url("**range=20*..20*")
    page.wait_for_selector(READY)
    expect(page.locator("#range")).to_have_value("")
    first = datetime.fromisoformat(page.input_value("#first")).date()
    assert served.log.today - 29 * DAY < first < served.log.today


def test_an_annotation_is_added_edited_and_deleted_and_each_is_undone(opened: Open, served: Served) -> None:
    page = opened("/overview?range=last-7&zone=Asia/Tokyo")
    page.get_by_role("button", name="Add an annotation").click()
    page.get_by_label("What", exact=True).select_option("incident")
    page.get_by_label("Text").fill("Mail was <b>late</b>")
    page.get_by_label("Day", exact=True).fill((served.log.today - 2 * DAY).isoformat())
    page.locator("#note-time").fill("09:30")
    page.get_by_role("button", name="Save").click()
    listed = page.locator(".happened li", has_text="Mail was <b>late</b>")
    expect(listed).to_contain_text("09:30")
    marks = "[...Bokeh.index.query((view) => view.model?.type === 'GlyphRenderer' && view.model.glyph.type === 'VSpan')].reduce((sum, view) => sum + view.model.data_source.data.at.length, 0)"
    assert page.evaluate(marks) == 3  # a line in each of three charts
    listed.get_by_role("button", name="Edit").click()
    page.get_by_label("Text").fill("Mail was two hours late")
    page.get_by_role("button", name="Save").click()
    listed = page.locator(".happened li", has_text="two hours")
    expect(listed).to_contain_text("09:30")
    listed.get_by_role("button", name="Delete").click()
    expect(listed).to_have_count(0)
    page.locator(".toast", has_text="Annotation deleted").get_by_role("button", name="Undo").click()
    expect(listed).to_have_count(1)
    seen = opened("/overview?range=last-7", role="analyst")
    theirs = seen.locator(".happened li", has_text="two hours")
    expect(theirs).to_be_visible()
    expect(theirs.get_by_role("button")).to_have_count(0)


def test_a_view_is_saved_shared_and_begun_with(opened: Open, served: Served) -> None:
    page = opened("/overview?range=last-7&zone=Asia/Tokyo")
    page.get_by_text("Views", exact=True).click()
    page.get_by_label("Save what is shown as").fill("Week in Tokyo")
    page.locator("#view-new").get_by_role("button", name="Save").click()
    rows = page.locator("#view-rows li", has_text="Week in Tokyo")
    expect(rows).to_contain_text("Yours")
    page.get_by_role("button", name="Share Week in Tokyo").click()
    expect(rows).to_contain_text("Yours, shared")
    page.get_by_role("button", name="Everybody’s first Week in Tokyo").click()
    expect(rows).to_contain_text("the workspace’s first")
    other = opened("/overview", role="analyst")
    expect(other.get_by_text("Shown as in the workspace’s view “Week in Tokyo”.")).to_be_visible()
    assert (other.input_value("#range"), other.input_value("#zone")) == ("last-7", "Asia/Tokyo")
    named = opened("/overview?range=last-30", role="analyst")
    assert (named.input_value("#range"), named.input_value("#zone")) == ("last-30", "UTC")
    page.get_by_role("button", name="Delete Week in Tokyo").click()
    expect(rows).to_have_count(0)
    page.locator(".toast", has_text="View deleted").get_by_role("button", name="Undo").click()
    expect(rows).to_have_count(1)
    with Session(get_engine()) as session:
        session.query(SavedView).delete()
        session.commit()


def test_a_dashboard_as_a_file_shows_its_charts_without_any_server(
    opened: Open, new_context: Callable[..., BrowserContext]
) -> None:
    page = opened("/overview?range=last-7&zone=UTC")
    with page.expect_download() as download:
        page.get_by_role("link", name="HTML of this dashboard").click()
    alone = new_context(offline=True).new_page()
    alone.set_content(Path(download.value.path()).read_text())
    expect(alone.locator("canvas").first).to_be_visible()
    shown = page.locator("dl.figures > div", has_text="Viewed runs").locator("dd").inner_text()
    filed = alone.locator("dl.figures > div", has_text="Viewed runs").locator("dd").inner_text()
    assert filed == shown


def test_a_step_is_chosen_with_the_pointer_or_the_keyboard_and_its_runs_are_paged(opened: Open) -> None:
    page = opened("/flow?range=all&zone=UTC")
    step = page.get_by_role("link", name="Step ask:")
    step.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**step=ask**")
    page.wait_for_selector(READY)
    rows = page.get_by_role("table", name="Runs that reached ask").locator("tbody tr")
    expect(rows).to_have_count(25)
    first = rows.first.inner_text()
    page.get_by_role("link", name="Next").click()
    page.wait_for_url("**page=2**")
    page.wait_for_selector(READY)
    expect(rows.first).not_to_have_text(first)
    page.get_by_role("link", name="done:").click()
    page.wait_for_url("**page=1**")
    expect(page.get_by_role("table", name="Runs that reached done")).to_be_visible()
    other = page.locator("#companion option").last.get_attribute("value")
    page.select_option("#companion", other)
    page.wait_for_url(f"**companion={other}**")
    page.wait_for_selector(READY)
    expect(page.get_by_text("Choose a step in the diagram")).to_be_visible()
