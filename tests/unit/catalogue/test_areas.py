"""The navigation: complete, consistent, and cut to the role."""

import pytest

from leitstand.catalogue.areas import (
    AREAS,
    BY_SLUG,
    GROUPS,
    LEGACY_ROUTES,
    address_of,
    find_areas,
    may_see,
    visible_groups,
)
from leitstand.db.models.base import new_id
from leitstand.db.models.catalogue import KINDS
from leitstand.identity.access import PERMISSIONS, ROLES, Principal

ROUTES = {
    "/", "/conversations", "/agents", "/companions", "/boards", "/collections", "/spaces", "/controls", "/favorites", "/insights",
    "/external-users", "/groups", "/settings/profile", "/settings/integrations", "/settings/billing", "/apps", "/threads",
    "/assistant", "/settings/organisation", "/settings/members", "/settings/tools", "/settings/audit", "/operations", "/trash",
    "/refusals",
}  # fmt: skip


def somebody(role: str) -> Principal:
    return Principal(new_id(), new_id(), "Some Body", "some@body.test", role, ROLES[role])


def test_every_area_of_the_product_has_its_route_once() -> None:
    assert sorted(area.route for area in AREAS) == sorted(ROUTES)
    assert len(BY_SLUG) == len(AREAS)


def test_every_area_says_what_it_is_for_and_needs_a_permission_that_exists() -> None:
    for area in AREAS:
        assert area.purpose.endswith(".")
        assert not area.permission or area.permission in PERMISSIONS


def test_old_addresses_lead_to_areas() -> None:
    assert {
        "/pages_chat",
        "/plans",
        "/agentic-apps",
        "/bots",
        "/widgets",
        "/knowledge-base",
        "/blinkbot",
    } <= set(LEGACY_ROUTES)
    assert set(LEGACY_ROUTES.values()) <= ROUTES
    assert not set(LEGACY_ROUTES) & ROUTES


@pytest.mark.parametrize(
    ("role", "hidden"),
    [
        ("owner", set()),
        ("admin", {"billing"}),
        (
            "member",
            {
                "refusals",
                "insights",
                "operations",
                "audit",
                "members",
                "external-users",
                "groups",
                "organisation",
                "integrations",
                "tools",
                "billing",
            },
        ),
        (
            "analyst",
            {
                "refusals",
                "operations",
                "audit",
                "members",
                "external-users",
                "groups",
                "organisation",
                "integrations",
                "tools",
                "billing",
                "trash",
            },
        ),
        (
            "operator",
            {
                "refusals",
                "audit",
                "members",
                "external-users",
                "groups",
                "organisation",
                "integrations",
                "tools",
                "billing",
                "trash",
            },
        ),
    ],
)
def test_a_role_hides_areas(role: str, hidden: set[str]) -> None:
    principal = somebody(role)
    shown = {area.slug for group in visible_groups(principal) for area in group.areas}
    assert set(BY_SLUG) - shown == hidden
    assert {area.slug for area in find_areas(principal, "", limit=100)} == shown


def test_no_group_is_empty() -> None:
    nobody = Principal(new_id(), new_id(), "", "", "nobody", frozenset())
    assert [group.title for group in visible_groups(nobody)] == ["Start", "Run"]
    assert [area.slug for group in visible_groups(nobody) for area in group.areas] == ["home", "profile"]
    assert all(group.areas for group in GROUPS)
    assert not may_see(nobody, BY_SLUG["insights"])


@pytest.mark.parametrize(
    ("q", "first"),
    [("comp", "companions"), ("TRASH", "trash"), ("backups", "operations"), ("plans bill", "billing")],
)
def test_areas_are_found_by_beginnings_of_words(q: str, first: str) -> None:
    assert find_areas(somebody("owner"), q)[0].slug == first


def test_what_matches_nothing_finds_nothing() -> None:
    assert find_areas(somebody("owner"), "xyzzy") == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_item_has_a_place(kind: str) -> None:
    item_id = new_id()
    address = address_of(kind, item_id)
    assert address == f"/{kind}s/{item_id}"
