"""Every area has its page, hides from roles that may not see it, and old addresses lead to it."""

from collections.abc import Callable

import pytest

from leitstand.catalogue.areas import AREAS, LEGACY_ROUTES, may_see
from leitstand.identity.access import ROLES
from tests.people import Visitor


def test_every_area_has_its_page_in_the_navigation(visitor: Visitor) -> None:
    for area in AREAS:
        page = visitor.get(area.route)
        assert page.status_code == 200, area.route
        assert f'<a href="{area.route}" aria-current="page"' in page.text
        assert "<h1>" in page.text


@pytest.mark.parametrize("role", sorted(ROLES))
def test_an_area_that_a_role_may_not_see_is_absent_and_answers_403(
    visitor_as: Callable[[str], Visitor], role: str
) -> None:
    somebody = visitor_as(role)
    home = somebody.get("/").text
    for area in AREAS:
        may = may_see(somebody.principal, area)
        assert (
            f'<a href="{area.route}"' in home.split('<main id="main"')[0].split('id="navigation"')[1]
        ) is may, area.slug
        assert somebody.get(area.route).status_code == (200 if may else 403), area.slug


@pytest.mark.parametrize("old", sorted(LEGACY_ROUTES))
def test_old_addresses_still_work(visitor: Visitor, old: str) -> None:
    for path in (old, f"{old}/some/thing?x=1"):
        moved = visitor.get(path)
        assert (moved.status_code, moved.headers["location"]) == (301, LEGACY_ROUTES[old])


def test_the_audit_log_shows_changes_a_page_at_a_time(visitor: Visitor) -> None:
    for number in range(60):
        visitor.post("/settings/profile", name=f"Name {number}", theme="dark")
    page = visitor.get("/settings/audit")
    assert "Name 59" in page.text
    assert "Name 3<" not in page.text
    assert visitor.get("/settings/audit?before=nonsense").status_code == 422
    assert visitor.get("/settings/audit?before=2026-01-01~1").status_code == 422
