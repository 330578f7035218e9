"""A visitor's way through a companion in Chromium: with scripts and without, by keyboard, light, dark and narrow."""

import json
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.runtime import create
from leitstand.catalogue import contents
from leitstand.catalogue.companions import create as create_companion
from leitstand.companions.flow import parse_flow
from leitstand.companions.versions import publish, save_version
from leitstand.db.models import RunFact
from leitstand.identity.access import Principal
from leitstand.settings import REPOSITORY
from tests.live import served

LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenverwaltung mit einem Namen ohne Ende"
FIELDS = {
    "choice": {"enum": ["red", LONG]},
    "several": {"type": "array", "items": {"enum": ["a", "b"]}},
    "agreed": {"type": "boolean"},
    "number": {"type": "integer"},
    "day": {"type": "string", "format": "date"},
    "text": {"type": "string", "maxLength": 5_000},
}


@pytest.fixture
def runtime() -> Iterator[str]:
    """The address of a runtime of its own."""
    with served(create()) as address:
        yield f"{address}/c"


def open_to_all(session: Session, owner: Principal, flow: bytes | str, slug: str) -> None:
    """Publish a companion with this flow under a link."""
    parsed = parse_flow(flow)
    companion_id = create_companion(session, principal=owner, title=parsed.title).id
    save_version(session, principal=owner, companion_id=companion_id, flow=parsed)
    publish(session, principal=owner, companion_id=companion_id, slug=slug)
    session.commit()


@pytest.fixture
def address(session: Session, owner: Principal, runtime: str) -> str:
    """The address of the demo's help desk."""
    flow = (REPOSITORY / "demo" / "companions" / "help-desk.json").read_bytes()
    open_to_all(session, owner, flow, "help-desk")
    return f"{runtime}/help-desk"


def go_through(page: Page, address: str) -> None:
    """Report a slow page and stay anonymous."""
    page.goto(address)
    page.get_by_role("button", name="Something is very slow").click()
    page.get_by_role("button", name="Since today").click()
    page.get_by_label("Please describe").fill("It takes <b>minutes</b>.\nReally.")
    page.get_by_role("button", name="Send").click()
    page.get_by_role("button", name="I can work around it").click()
    page.get_by_role("button", name="No, that is all").click()
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status")).to_have_text("Thank you. Somebody on duty will look at it.")
    expect(page.get_by_text("It takes <b>minutes</b>.")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_visitor_comes_to_the_end(
    address: str, session: Session, new_context: Callable[..., BrowserContext], scripts: bool
) -> None:
    go_through(new_context(java_script_enabled=scripts).new_page(), address)
    assert session.scalars(select(RunFact)).one().completed_at is not None


def test_the_keyboard_is_enough(page: Page, address: str) -> None:
    page.goto(address)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="I can't sign in")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    field = page.get_by_label("Which figure")
    expect(field).to_be_visible()
    # The address names the step, so the next Tab leads from there to its field.
    page.keyboard.press("Tab")
    expect(field).to_be_focused()
    page.keyboard.type("Traffic on Monday")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="I can't work at all")).to_be_visible()


def test_the_back_button_and_a_second_tab_lead_to_where_the_run_stands(page: Page, address: str) -> None:
    page.goto(address)
    second = page.context.new_page()
    second.goto(address)
    page.get_by_role("button", name="Something is very slow").click()
    second.get_by_role("button", name="I can't sign in").click()
    expect(second.get_by_role("status")).to_contain_text("gone on already")
    expect(second.get_by_role("button", name="Since today")).to_be_visible()
    page.go_back()
    page.reload()
    expect(page.get_by_role("button", name="Since today")).to_be_visible()


def test_starting_again_begins_anew(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_role("button", name="Start again")).to_have_count(0)
    page.get_by_role("button", name="Something is very slow").click()
    page.get_by_role("button", name="Start again").click()
    expect(page.get_by_role("button", name="I can't sign in")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_no_step_keeps_anybody_out(
    address: str, new_context: Callable[..., BrowserContext], scheme: str, width: int
) -> None:
    page = new_context(color_scheme=scheme, viewport={"width": width, "height": 800}).new_page()
    page.goto(address)
    check(page)
    page.get_by_role("button", name="Something else").click()
    check(page)
    page.get_by_label("Please describe").evaluate("field => field.required = false")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_have_text("Please write an answer.")
    check(page)
    page.goto(address.replace("help-desk", "unknown"))
    expect(page.get_by_role("heading", name="Nothing is here")).to_be_visible()
    check(page)


def test_every_field_of_a_control_fits_and_its_refusals_are_said_in_german(
    session: Session, owner: Principal, runtime: str, new_context: Callable[..., BrowserContext]
) -> None:
    schemas = {
        "all": ({"type": "object", "required": ["number"], "properties": FIELDS}, {}),
        "slider": ({"type": "integer", "minimum": 1, "maximum": 10}, {"widget": "slider"}),
    }
    steps: list[dict[str, object]] = []
    for name, (schema, ui) in schemas.items():
        control = contents.create(
            session, principal=owner, kind="control", title=name, content={"schema": schema, "ui": ui}
        )
        steps.append({"name": name, "kind": "input", "text": f"Frage {name}", "control": str(control.id)})
    steps += [{"name": "done", "kind": "end", "text": "Danke."}]
    for step, following in pairwise(steps):
        step["next"] = following["name"]
    flow = json.dumps({"title": "Fragen", "language": "de", "steps": steps})
    open_to_all(session, owner, flow, "fragen")
    page = new_context(locale="de-DE", viewport={"width": 320, "height": 800}).new_page()
    page.goto(f"{runtime}/fragen")
    check(page)
    page.get_by_role("button", name="Senden").click()
    expect(page.get_by_role("alert")).to_contain_text("'number' muss angegeben werden")
    check(page)
    page.get_by_label("number").fill("3")
    page.get_by_role("button", name="Senden").click()
    expect(page.get_by_role("slider", name="Frage slider")).to_be_visible()
    assert page.locator(".ends").inner_text().split() == ["1", "10"]
    check(page)
    page.context.clear_cookies()
    page.get_by_role("button", name="Senden").click()
    expect(page.get_by_text("Diese Seite ist veraltet")).to_be_visible()


def check(page: Page) -> None:
    """Nothing that axe finds, nothing wider than the screen."""
    violations = Axe().run(page, options={"rules": {"target-size": {"enabled": True}}}).response["violations"]
    assert [(found["id"], [node["html"] for node in found["nodes"]]) for found in violations] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
