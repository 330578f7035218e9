"""The flow editor by keyboard alone, and what axe says of its pages, wide and narrow, light and dark."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from sqlalchemy.orm import Session

from leitstand.catalogue import companions
from leitstand.companions import versions
from leitstand.companions.flow import read_draft
from tests.browser.conftest import Site
from tests.people import acting
from web.routes.flows import example


def test_a_step_is_put_in_by_keyboard(signed_in_page: Page, site: Site, session: Session) -> None:
    page, anna = signed_in_page, acting(session, site.workspace, site.person)
    item_id = companions.create(session, principal=anna, title="Desk").id
    document = example("Desk")
    lost = {"kind": "end", "name": "never", "text": "Nobody comes here, however long this sentence may be."}
    flow = read_draft(document | {"steps": [*document["steps"], lost]})
    versions.save_version(session, principal=anna, companion_id=item_id, flow=flow)
    session.commit()
    here = f"{site.base_url}/companions/{item_id}/flow"
    page.goto(here)
    page.locator("summary").filter(has_text="Add a step after it details").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/steps/new?**")
    page.get_by_label("Name of the step").focus()
    page.keyboard.type("more")
    page.keyboard.press("Tab")
    page.keyboard.type("Thank you, {{details}}.")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(here)
    assert page.get_by_role("heading", name="more", exact=True).is_visible()
    for scheme, width in (("light", 1280), ("dark", 360)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 800})
        for path in ("", "/canvas", "/preview", "/step?name=topic"):
            page.goto(here + path)
            found = Axe().run(page).response["violations"]
            assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], path
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
