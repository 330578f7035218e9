"""One page of every template: no violation that axe finds, light and dark, wide and narrow, in both languages.

Every page, as each role, is walked by `test_web_walk.py`.
"""

from collections.abc import Callable
from itertools import cycle

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.grounds import (
    ANSWERS,
    PAGES,
    SIGNED_OUT,
    Grounds,
    kind_templates,
    page_routes,
    page_templates,
)
from tests.browser.judging import AXE, CONTRAST, fits, once, ready, violations
from tests.browser.walking import doings, enter, go, grounds, rendered

__all__ = ["grounds", "rendered"]


def test_no_template_is_left_out() -> None:
    # The page of an item stands there once for each kind.
    shown = {*PAGES, *ANSWERS, SIGNED_OUT, "items/item.html"}
    assert shown == page_templates() | kind_templates()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_page_has_a_barrier(
    new_context: Callable[..., BrowserContext], grounds: Grounds, rendered: set[str]
) -> None:
    english, german = (enter(new_context, grounds, "owner", one, AXE) for one in ("en", "de"))
    found, looks = [], cycle(((english, False), (german, True), (english, True), (german, False)))
    for path, (page, narrow) in zip(PAGES.values(), looks, strict=False):
        go(page, grounds.site.base_url + grounds.address(path, "owner"))
        found += [f"{path}: {one}" for one in once(page, narrow=narrow)]
    go(english, f"{grounds.site.base_url}/companions")
    english.locator("#bulk button").first.hover()
    found += [f"hovered: {one}" for one in violations(english, CONTRAST)]
    english.keyboard.press("Control+k")
    english.locator("#palette-results").get_by_role("option").first.wait_for()
    found += violations(ready(english))
    for name in doings(german, grounds):
        found += [f"{name}: {one}" for one in once(german, narrow=True)]
    german.context.clear_cookies()
    go(german, f"{grounds.site.base_url}/sign-in")
    found += once(german, narrow=True)
    assert found == []
    assert rendered == page_templates()


@pytest.mark.long
@pytest.mark.parametrize("width", [320, 768])
def test_nothing_is_wider_than_the_screen(
    new_context: Callable[..., BrowserContext], grounds: Grounds, width: int
) -> None:
    page = enter(new_context, grounds, "owner", "de")
    page.set_viewport_size({"width": width, "height": 780})
    wide = []
    for path in page_routes():
        go(page, grounds.site.base_url + grounds.address(path, "owner"))
        wide += [] if fits(page) else [path]
    assert wide == []
