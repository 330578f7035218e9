"""Every page as each role, in both languages, light and dark, wide and narrow: nothing that axe finds, no error, no English."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext

from leitstand.identity.access import ROLES
from tests.browser.grounds import LONG, NOBODY, Grounds, page_routes, page_templates
from tests.browser.judging import AXE, Judge
from tests.browser.walking import FACES, complaints, doings, enter, go, grounds, not_refused_well, rendered

__all__ = ["grounds", "rendered"]
HOUR = 3600
# What people wrote, which no language changes.
MINE = (LONG, LONG[:40], "spare role", "Made", "Thank you! We will read it.")


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(2 * HOUR)
@pytest.mark.parametrize("language", ["en", "de"])
def test_every_page_as_each_role(
    new_context: Callable[..., BrowserContext], grounds: Grounds, rendered: set[str], language: str
) -> None:
    judge, found, visits = Judge(MINE), [], 0
    for role in (*ROLES, NOBODY):
        page = enter(new_context, grounds, role, language, AXE)
        heard = complaints(page)
        for path in (*page_routes(), *FACES):
            response = go(page, grounds.site.base_url + grounds.address(path, role))
            wrong = not_refused_well(page, response) + judge.judge(page) + heard
            found += [f"{role} {language} {path}: {one}" for one in dict.fromkeys(wrong)]
            heard.clear()
            visits += 1
            print(f"@@ {judge.judged} {role} {language} {path} {response.status} {wrong}", flush=True)
        page.context.close()
    page = enter(new_context, grounds, "owner", language, AXE)
    for doing in doings(page, grounds):
        found += [f"{language} {doing}: {one}" for one in judge.judge(page)]
    print(visits, "visits", judge.judged, "judged")
    assert rendered == page_templates()
    assert found == []
