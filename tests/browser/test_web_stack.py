"""The pages inside of the whole environment: behind the proxy, with every service up."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from leitstand.catalogue.areas import AREAS
from leitstand.services import SERVICES
from tests.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.slow]


def test_every_service_is_up_on_the_operations_page(stack_page: Page, stack: Stack) -> None:
    page = stack_page
    expect(page.get_by_role("region", name="Operations")).to_contain_text(
        f"All {len(SERVICES)} services answer", timeout=60_000
    )
    page.goto(f"{stack.base_url}/operations")
    expect(page.locator(".service")).to_have_count(len(SERVICES))
    expect(page.locator(".service.bad, .service.warn")).to_have_count(0)
    for schedule in ("backup-postgres", "drill-postgres-latest", "data-checks"):
        expect(page.get_by_role("group", name="Schedules")).to_contain_text(schedule)


def test_every_area_opens_through_the_proxy(stack_page: Page, stack: Stack) -> None:
    for area in AREAS:
        answer = stack_page.goto(stack.base_url + area.route)
        assert answer is not None
        assert answer.status == 200, area.route
        assert answer.headers["x-request-id"]


def test_the_json_api_takes_the_same_session(stack_page: Page, stack: Stack) -> None:
    me = stack_page.request.get(f"{stack.base_url}/api/v1/me")
    assert json.loads(me.text())["email"] == stack.owner_email
    report = stack_page.request.get(f"{stack.base_url}/api/v1/insights/report")
    assert json.loads(report.text())["events"] > 0


def test_dashboards_and_prefect_open_from_the_pages(stack_page: Page, stack: Stack) -> None:
    page = stack_page
    page.goto(f"{stack.base_url}/insights")
    page.get_by_role("main").get_by_role("link", name=re.compile("^Overview")).click()
    expect(page).to_have_url(re.compile("/insights/overview"))
    expect(page.get_by_role("navigation", name="Areas")).to_be_visible()
    page.goto(f"{stack.base_url}/operations")
    prefect = page.get_by_role("main").get_by_role("link", name="Prefect", exact=True).get_attribute("href")
    answer = page.request.get(f"{stack.base_url}{prefect}")
    assert answer.status == 200
    assert "prefect" in answer.text().lower()


def test_strangers_get_nothing_of_the_operators_tools(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.base_url}/prefect/")
    expect(page).to_have_url(re.compile(r"/sign-in\?next=/prefect"))
    assert (
        page.request.get(
            f"{stack.base_url}/prefect/api/health", headers={"Accept": "application/json"}
        ).status
        == 401
    )


def test_the_figures_of_a_companion_are_those_of_the_demo(stack_page: Page, stack: Stack) -> None:
    page = stack_page
    page.goto(stack.base_url)
    page.get_by_role("region", name="Popular").locator("li a").first.click()
    figures = page.get_by_role("region", name="Figures")
    expect(figures).to_contain_text("Active users")
    runs = int(figures.locator("dd").first.inner_text().split("\n")[0].replace(",", ""))
    companion = page.url.rpartition("/")[2]
    report = page.request.get(f"{stack.base_url}/api/v1/insights/report", params={"companion": companion})
    assert json.loads(report.text())["runs"]["viewed"] == runs > 0
