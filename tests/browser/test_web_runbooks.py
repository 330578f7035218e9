"""A runbook from the page, as on the worst day: start it, follow it, read its evidence, have somebody else sign it."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import sign_in
from tests.stack import Stack

pytestmark = [pytest.mark.stack]
# Longer than a run waits for a drill that the schedule began.
PATIENCE_MS = 240_000
OTHER, PASSWORD = "second@stack.test", "four eyes see more"


@pytest.mark.usefixtures("drill_turn")
def test_one_starts_it_and_another_signs_it(
    stack_page: Page, stack: Stack, new_context: Callable[..., BrowserContext]
) -> None:
    stack.run(
        "person", "create-owner", "--workspace", "demo", "--email", OTHER, "--name", "Second Owner", "--password-stdin",
        stdin=f"{PASSWORD}\n",
    )  # fmt: skip
    stack_page.goto(f"{stack.base_url}/operations")
    stack_page.get_by_role("link", name="Runbooks").first.click()
    stack_page.get_by_role("link", name="Database slow or locked").click()
    start = stack_page.locator("#start")
    expect(start.get_by_label("Dry run")).to_have_value("true")
    start.get_by_role("button", name="Start").focus()
    stack_page.keyboard.press("Enter")
    stack_page.wait_for_url("**/operations/runbooks/runs/*")
    # The page follows by itself: first where the run is, and once it has ended its checks and its evidence.
    expect(stack_page.get_by_role("heading", name="Evidence")).to_be_visible(timeout=PATIENCE_MS)
    expect(stack_page.get_by_text("Passed").first).to_be_visible()
    notebook = stack_page.frame_locator("iframe.evidence")
    expect(notebook.get_by_role("heading", level=1)).to_contain_text("slow")
    expect(stack_page.get_by_text("somebody else signs it")).to_be_visible()
    run = stack_page.url

    second = new_context().new_page()
    sign_in(second, stack.base_url, OTHER, PASSWORD)
    second.goto(run)
    second.get_by_label("What you looked at").fill("Read it: nobody waits for anybody.")
    second.get_by_role("button", name="Sign").click()
    expect(second.get_by_text("two people")).to_be_visible()
    expect(second.get_by_text("Read it: nobody waits for anybody.")).to_be_visible()
    assert stack.json("runbook", "audit")["problems"] == []
