"""A conversation with an agent in a browser: it is followed live, what is typed meanwhile stays, branches by keyboard."""

from collections.abc import Callable
from datetime import UTC, datetime

from playwright.sync_api import BrowserContext, expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.agents.conversing import tell
from leitstand.catalogue import contents
from leitstand.db.models import Thread, ThreadStep
from leitstand.identity.access import system_principal
from tests.browser.conftest import Site, sign_in
from tests.browser.judging import AXE, once
from tests.people import PASSWORD


def test_an_answer_is_followed_and_gone_through_its_branches(
    new_context: Callable[..., BrowserContext], site: Site, session: Session
) -> None:
    page = new_context(color_scheme="light", reduced_motion="reduce").new_page()
    page.add_init_script(AXE)
    owner = system_principal(site.workspace.id)
    agent = contents.create(session, principal=owner, kind="agent", title="Helper")
    session.commit()
    sign_in(page, site.base_url, site.email, PASSWORD)
    page.goto(f"{site.base_url}/agents/{agent.id}")
    page.get_by_label("What is it to do?").fill("How many parcels?")
    page.get_by_role("button", name="Talk with it").click()
    expect(page.get_by_text("Waits for a worker.")).to_be_visible()
    thread = session.scalars(select(Thread)).one()
    thread.status, thread.steps = "running", 1
    step = ThreadStep(
        workspace_id=thread.workspace_id, thread_id=thread.id, position=1, kind="model", status="running",
        name="small", result={"text": "There are **three"},
    )  # fmt: skip
    session.add(step)
    session.commit()
    expect(page.get_by_text("Works: 1 step so far.")).to_be_visible()
    expect(page.get_by_text("There are **three")).to_be_visible()
    page.get_by_label("Your question", exact=True).fill("And then?")
    thread.status, thread.output, thread.finished_at = "succeeded", "There are **three**.", datetime.now(UTC)
    session.flush()
    tell(session, thread)
    session.commit()
    expect(page.locator("strong", has_text="three")).to_be_visible()
    expect(page.get_by_role("button", name="Helpful", exact=True)).to_be_visible()
    expect(page.get_by_label("Your question", exact=True)).to_have_value("And then?")
    again = page.get_by_role("button", name="Answer again")
    again.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 of 2")).to_be_visible()
    assert list(once(page, narrow=True)) == []
    stop = page.get_by_role("button", name="Stop", exact=True)
    stop.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Stopped before it was whole.")).to_be_visible()
    previous = page.get_by_role("button", name="Previous")
    previous.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 of 2")).to_be_visible()
    expect(page.locator("strong", has_text="three")).to_be_visible()


def test_it_is_followed_and_edited_without_scripts(
    new_context: Callable[..., BrowserContext], site: Site, session: Session
) -> None:
    owner = system_principal(site.workspace.id)
    contents.create(session, principal=owner, kind="agent", title="Helper")
    session.commit()
    page = new_context(java_script_enabled=False).new_page()
    sign_in(page, site.base_url, site.email, PASSWORD)
    page.goto(f"{site.base_url}/conversations")
    page.get_by_label("What is it to do?").fill("How many parcels?")
    page.get_by_role("button", name="Ask an agent").click()
    expect(page.get_by_text("Waits for a worker.")).to_be_visible()
    page.get_by_role("link", name="Load again to see how it goes").click()
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text("Stopped before it was whole.")).to_be_visible()
    page.locator("summary", has_text="Edit").click()
    page.get_by_label("Your question in other words").fill("How many are blue?")
    page.get_by_role("button", name="Ask again").click()
    expect(page.get_by_text("2 of 2")).to_be_visible()
    page.get_by_role("button", name="Previous").click()
    expect(page.get_by_text("Stopped before it was whole.")).to_be_visible()
