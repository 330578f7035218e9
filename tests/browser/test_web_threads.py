"""A thread is followed in a browser: what a reader opened stays open, decisions by keyboard, no barrier in the dark and narrow."""

from collections.abc import Callable

from playwright.sync_api import BrowserContext, expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue import contents
from leitstand.db.models import Thread, ThreadStep
from leitstand.identity.access import system_principal
from tests.browser.conftest import Site, sign_in
from tests.browser.judging import AXE, once
from tests.people import PASSWORD


def step(session: Session, thread: Thread, position: int, **more: object) -> None:
    session.add(ThreadStep(workspace_id=thread.workspace_id, thread_id=thread.id, position=position, **more))
    session.commit()


def test_a_thread_is_followed_and_decided(
    new_context: Callable[..., BrowserContext], site: Site, session: Session
) -> None:
    page = new_context(color_scheme="light", reduced_motion="reduce").new_page()
    page.add_init_script(AXE)
    agent = contents.create(
        session, principal=system_principal(site.workspace.id), kind="agent", title="Helper"
    )
    given = [
        {"name": "topic", "label": "Topic", "field": "text", "required": True},
        {"name": "sure", "field": "yes-no"},
    ]
    app = contents.create(
        session, principal=system_principal(site.workspace.id), kind="app", title="Writer",
        content={"agent_id": str(agent.id), "inputs": given},
    )  # fmt: skip
    session.commit()
    sign_in(page, site.base_url, site.email, PASSWORD)
    page.goto(f"{site.base_url}/agents/{agent.id}")
    page.get_by_label("What is it to do?").fill("Write to Ben")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_text("Waits for a worker.")).to_be_visible()
    thread = session.scalars(select(Thread)).one()
    thread.status = "running"
    answer = {"text": "I **write** to him.", "calls": [{"id": "c", "name": "mail", "arguments": "{}"}]}
    step(session, thread, 1, kind="model", status="succeeded", name="small", result=answer)
    expect(page.locator("#thread-state .tags")).to_contain_text("Running")
    summary = page.locator("summary").filter(has_text="Step 1")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.locator("strong", has_text="write")).to_be_visible()
    thread.status = "waiting"
    step(session, thread, 2, kind="tool", status="waiting", name="mail", arguments={"to": "ben"}, call_id="c")
    approve = page.get_by_role("button", name="Approve Step 2")
    expect(approve).to_be_visible()
    expect(page.locator("strong", has_text="write")).to_be_visible()
    approve.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Approved: the thread goes on.")).to_be_visible()
    thread.status, thread.output = "succeeded", "Sent."
    session.commit()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    expect(page.get_by_text("Sent.")).to_be_visible()
    page.goto(f"{site.base_url}/apps/{app.id}")
    page.get_by_label("Topic").fill("Herons")
    page.get_by_text("Run it by the clock").click()
    page.get_by_label("When").fill("0 7 * * 1-5")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Runs by the clock")).to_be_visible()
    assert len(session.scalars(select(Thread.id)).all()) == 1, "planned, not run"
    here = (
        f"/threads/{thread.id}",
        "/threads",
        f"/apps/{app.id}",
        f"/agents/{agent.id}",
        f"/agents/{agent.id}/edit",
    )
    found = []
    for path in here:
        page.goto(site.base_url + path)
        for narrow in (False, True):
            found += [f"{path} {narrow}: {one}" for one in once(page, narrow=narrow)]
    assert found == []


def test_it_is_followed_and_cancelled_without_scripts(
    new_context: Callable[..., BrowserContext], site: Site, session: Session
) -> None:
    contents.create(
        session,
        principal=system_principal(site.workspace.id),
        kind="agent",
        title="Helper",
        content={"questions": ["Go?"]},
    )
    session.commit()
    page = new_context(java_script_enabled=False).new_page()
    sign_in(page, site.base_url, site.email, PASSWORD)
    page.goto(f"{site.base_url}/agents")
    page.get_by_role("link", name="Helper").first.click()
    page.get_by_role("button", name="Go?").click()
    session.scalars(select(Thread)).one().status = "running"
    session.commit()
    page.get_by_role("link", name="Load again to see how it goes").click()
    expect(page.get_by_text("Works: 0 steps so far.")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("It is being cancelled")).to_be_visible()
