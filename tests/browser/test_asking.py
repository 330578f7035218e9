"""An answer is seen as it is written, on the page of a space and at a companion, and can be cancelled."""

import threading
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy.orm import Session

from leitstand.catalogue.companions import create as create_companion
from leitstand.companions.flow import parse_flow
from leitstand.companions.versions import publish, save_version
from leitstand.language_models import reading
from tests.browser.conftest import Site, sign_in
from tests.browser.judging import AXE, once
from tests.browser.test_runtime import runtime
from tests.integration.knowledge.test_model_answers import connect
from tests.integration.runtime.test_models import HERONS, QUESTION, asking
from tests.model_server import ModelServer, models, says
from tests.people import PASSWORD, acting
from tests.spaces import space_with

__all__ = ["models", "runtime"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "TELL_SECONDS", 0.0)


def test_a_space_answers_as_it_writes_and_can_be_stopped(
    new_context: Callable[..., BrowserContext], site: Site, session: Session, models: ModelServer
) -> None:
    page = new_context(color_scheme="light", reduced_motion="reduce").new_page()
    page.add_init_script(AXE)
    connect(session, acting(session, site.workspace, site.person), models)
    space = space_with(session, site.workspace.id, HERONS)
    sign_in(page, site.base_url, site.email, PASSWORD)
    page.goto(f"{site.base_url}/spaces/{space.id}")
    held = threading.Event()
    models.answer(says("Up to two <b>kilograms</b> [1], or so the document says.", held=held))
    page.get_by_label("Your question").fill(QUESTION)
    page.keyboard.press("Enter")
    written = page.locator("#ask-written")
    expect(written.locator("p.answer")).to_contain_text("Up to two <b>")
    expect(written).to_have_attribute("aria-busy", "true")
    expect(page.get_by_text("An answer is being written …")).to_be_visible()
    held.set()
    expect(written.get_by_text("Written by small from the documents; check the sources.")).to_be_visible()
    expect(written.locator("p.answer")).to_have_text(
        "Up to two <b>kilograms</b> [1], or so the document says."
    )
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    written.get_by_role("link", name="[1]").click()
    written.get_by_text("The passage").click()
    expect(written.get_by_text("Herons live near fresh water.").first).to_be_visible()
    assert list(once(page, narrow=True)) == []
    held.clear()
    models.answer(says("Up to two kilograms, I believe [1].", held=held))
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(written.locator("p.answer")).to_contain_text("Up to two")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled.")).to_be_visible()
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_enabled()
    held.set()


def test_a_visitor_is_told_that_an_answer_is_being_written(
    page: Page, runtime: str, site: Site, session: Session, models: ModelServer
) -> None:
    owner = acting(session, site.workspace, site.person)
    connect(session, owner, models)
    space = space_with(session, site.workspace.id, HERONS)
    made = create_companion(session, principal=owner, title="Birds")
    save_version(session, principal=owner, companion_id=made.id, flow=parse_flow(asking(space.id)))
    publish(session, principal=owner, companion_id=made.id, slug="birds")
    session.commit()
    models.answer(says("Up to two kilograms [1].", pause=0.1))
    page.goto(f"{runtime}/birds")
    # While the next page is waited for, the browser gives no word of this one.
    page.evaluate("""document.addEventListener("submit", () => setTimeout(() => {
        sessionStorage.said = document.querySelector("[role=status]").textContent;
        sessionStorage.again = document.querySelector("[type=submit]").disabled;
    }, 20))""")
    page.get_by_label("Your question?").fill(QUESTION)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Written by a model from our documents")).to_be_visible()
    expect(page.get_by_text("[1] herons.md")).to_be_visible()
    seen = page.evaluate("({...sessionStorage})")
    assert seen == {"said": "An answer is being written. That takes some seconds.", "again": "true"}
    assert len(models.asked) == 1
