"""A passkey in a real browser: Chromium's virtual authenticator makes one and signs in with it."""

import os
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from leitstand.settings import get_settings
from tests.browser.conftest import CHROMIUM, Site, sign_in


@pytest.fixture
def local_page() -> Iterator[Page]:
    """A page that may look up `localhost`, the one name without a certificate at which passkeys work."""
    arguments = ["--host-resolver-rules=MAP localhost 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    arguments += ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page()
        page.set_default_timeout(15_000)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if "Content Security" in said.text else None)
        yield page
        browser.close()
    assert errors == []


def test_a_passkey_is_made_and_signs_in(
    site: Site, local_page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"http://localhost:{urlsplit(site.base_url).port}"
    monkeypatch.setenv("LEITSTAND_PUBLIC_URL", address)
    get_settings.cache_clear()
    page = local_page
    tools = page.context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    tools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    sign_in(page, address, site.email, site.password)
    page.goto(f"{address}/settings/profile")
    page.get_by_label("What you call it").fill("This laptop")
    form = page.locator("form[data-passkey]")
    form.get_by_label("Current password").fill("wrong one here")
    form.get_by_role("button", name="Add a passkey").click()
    expect(form.get_by_role("alert")).to_contain_text("not right")
    form.get_by_label("Current password").fill(site.password)
    form.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("rowheader", name="This laptop")).to_be_visible()
    page.context.clear_cookies()
    page.goto(f"{address}/sign-in?next=/settings/profile")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"{address}/settings/profile")
    used = page.get_by_role("row").filter(has_text="This laptop")
    expect(used).not_to_contain_text(re.compile("Never"))
    monkeypatch.undo()
    get_settings.cache_clear()
