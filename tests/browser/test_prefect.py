"""Prefect's own pages behind the proxy: for operators, complete, and asking nobody outside."""

import re
import time

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import send_sign_in
from tests.stack import Stack

pytestmark = [pytest.mark.long, pytest.mark.stack]
# The first visit loads the whole of Prefect's page on a machine that may be busy.
PATIENCE_MS = 30_000
# Of the first ten by name: the list has pages.
DEPLOYMENTS = ("archive-events", "backup-postgres", "data-checks", "drill-objects-sample")


def test_a_visitor_signs_in_first_and_comes_back(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.base_url}/prefect/")
    expect(page).to_have_url(re.compile(r"/sign-in\?next=/prefect/"))
    send_sign_in(page, stack.owner_email, stack.owner_password)
    expect(page).to_have_url(re.compile(r"/prefect/dashboard"), timeout=PATIENCE_MS)


def test_an_operator_sees_the_schedules_and_starts_a_flow(stack_page: Page, stack: Stack) -> None:
    stack_page.goto(f"{stack.base_url}/prefect/deployments")
    for name in DEPLOYMENTS:
        expect(stack_page.get_by_text(name, exact=True).first).to_be_visible(timeout=PATIENCE_MS)
    stack_page.get_by_text("data-checks", exact=True).first.click()
    stack_page.get_by_role("button", name="Run", exact=True).first.click()
    # Leaving before the answer would take the request back.
    with stack_page.expect_response(lambda answer: answer.url.endswith("/create_flow_run")) as created:
        stack_page.get_by_text("Quick run").click()
    assert created.value.ok
    _wait_for_run(stack_page, f"{stack.base_url}/prefect/runs", "data-checks")


def _wait_for_run(page: Page, address: str, name: str) -> None:
    """Until the list of runs has one: the page asks for them once and then seldom."""
    until = time.monotonic() + PATIENCE_MS / 1000
    while True:
        page.goto(address)
        try:
            expect(page.get_by_text(name).first).to_be_visible(timeout=PATIENCE_MS / 5)
        except AssertionError:
            if time.monotonic() > until:
                raise
        else:
            return


@pytest.mark.parametrize(
    "path", ["dashboard", "flows", "work-pools", "automations", "events", "v2/dashboard"]
)
def test_every_page_of_it_stays_on_this_machine(stack_page: Page, stack: Stack, path: str) -> None:
    """The fixture fails a test whose pages ask another host or report an error."""
    stack_page.goto(f"{stack.base_url}/prefect/{path}")
    expect(stack_page.get_by_text("Deployments", exact=True).first).to_be_visible(timeout=PATIENCE_MS)
    stack_page.wait_for_load_state("networkidle")
