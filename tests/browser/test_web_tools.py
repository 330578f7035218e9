"""Tools set up in a browser: by the keyboard alone, without scripts, and with no barrier that axe finds."""

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy.orm import Session

from leitstand.db.models import Tool
from tests.browser.conftest import Site, sign_in
from tests.browser.judging import AXE, barriers
from tests.mcp_server import ECHO, McpServer, mcp_server

__all__ = ["mcp_server"]
BAD = ECHO | {"name": "x" * 120, "inputSchema": {"$ref": "https://x.example/"}}


def entered(new_context: Callable[..., BrowserContext], site: Site, **more: object) -> Page:
    """The owner, signed in."""
    return sign_in(new_context(**more).new_page(), site.base_url, site.email, site.password)


@pytest.mark.slow
def test_tools_of_a_server_are_chosen_and_tried_without_scripts(
    new_context: Callable[..., BrowserContext], site: Site, mcp_server: McpServer
) -> None:
    mcp_server.tools, mcp_server.key = [ECHO, BAD], "sk-1"
    page = entered(new_context, site, java_script_enabled=False)
    page.goto(f"{site.base_url}/settings/tools")
    page.get_by_role("link", name="MCP server").click()
    page.get_by_label("Address").fill(mcp_server.url)
    page.get_by_label("Secret", exact=False).first.fill("sk-1")
    page.get_by_role("button", name="List its tools").click()
    expect(page.get_by_label("x" * 120)).to_be_disabled()
    page.get_by_label("echo.text").check()
    page.get_by_role("button", name="Add those chosen").click()
    expect(page.get_by_role("status").first).to_contain_text("Added.")
    page.get_by_role("link", name="echo_text").click()
    page.get_by_label("Arguments as JSON").fill('{"text": "Hello from there"}')
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_label("What a model would be told")).to_have_text("Hello from there")
    page.goto(f"{site.base_url}/settings/tools")
    page.get_by_role("button", name="Turn off").click()
    expect(page.get_by_role("button", name="Turn on")).to_be_visible()


@pytest.mark.slow
def test_a_tool_is_added_by_the_keyboard_and_no_page_has_a_barrier(
    new_context: Callable[..., BrowserContext], site: Site, session: Session, mcp_server: McpServer
) -> None:
    mcp_server.tools = [ECHO, BAD]
    context = new_context(reduced_motion="reduce")
    context.add_init_script(AXE)
    page = sign_in(context.new_page(), site.base_url, site.email, site.password)
    page.goto(f"{site.base_url}/settings/tools")
    found = [f"empty: {one}" for one in barriers(page)]
    page.locator("main a.button").first.focus()
    page.keyboard.press("Enter")
    page.locator("#name").focus()
    for text in ("find_order", "Finds an order.", "", "https://api.example.org/orders/{order}"):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    found += [f"new: {one}" for one in barriers(page)]
    page.locator("#name").press("Enter")
    expect(page.get_by_role("heading", level=1, name="find_order")).to_be_visible()
    found += [f"one: {one}" for one in barriers(page)]
    schema = json.loads(page.locator("#parameters").input_value())
    session.rollback()
    assert session.query(Tool).one().parameters["properties"] == schema["properties"]
    page.goto(f"{site.base_url}/settings/tools")
    found += [f"list: {one}" for one in barriers(page)]
    page.goto(f"{site.base_url}/settings/tools/server")
    page.locator("#url").fill(mcp_server.url)
    page.locator("#url").press("Enter")
    expect(page.get_by_label("echo.text")).to_be_visible()
    found += [f"choosing: {one}" for one in barriers(page)]
    assert found == []
