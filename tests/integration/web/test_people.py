"""The pages of members, roles, groups, external users, sharing, joining, and of one's own place."""

import re

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue import companions, grants
from leitstand.catalogue.areas import AREAS, FOR_EXTERNAL
from leitstand.db.models import Invitation, Item, Membership, PeopleGroup, Workspace
from leitstand.identity.sessions import COOKIE
from tests.people import HTML, PASSWORD, Visitor, join, visit

LINK = re.compile(r"/join/[A-Za-z0-9_-]{43}")


def link_in(text: str) -> str:
    found = LINK.search(text)
    assert found is not None
    return found[0]


def test_somebody_is_invited_and_joins(app: FastAPI, session: Session, visitor: Visitor) -> None:
    page = visitor.post("/settings/members/invite", emails="new@x.test\nother@x.test", role="analyst")
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    assert len(set(LINK.findall(page.text))) == 2
    assert not LINK.search(visitor.get("/settings/members").text)
    guest = TestClient(app, follow_redirects=False)
    first = session.scalars(select(Invitation).where(Invitation.email == "new@x.test")).one()
    link = next(one for one in LINK.findall(page.text) if "new@x.test" in guest.get(one, headers=HTML).text)
    weak = guest.post(link, data={"name": "N", "password": "short"}, headers=HTML)
    assert (weak.status_code, "12 characters" in weak.text) == (422, True)
    joined = guest.post(link, data={"name": "New", "password": PASSWORD}, headers=HTML)
    assert (joined.status_code, joined.headers["location"]) == (303, "/")
    assert "New" in guest.get("/", headers=HTML).text
    gone = [TestClient(app).get(path, headers=HTML) for path in (link, "/join/unknown", "/join/" + "x" * 43)]
    assert {one.status_code for one in gone} == {404}
    assert len({re.sub(r'"[^"]*"', "", one.text) for one in gone}) == 1
    session.expire_all()
    assert first.accepted_at is not None


def test_a_join_form_of_another_site_is_refused(app: FastAPI, visitor: Visitor) -> None:
    link = link_in(visitor.post("/settings/members/invite", emails="new@x.test", role="analyst").text)
    headers = HTML | {"Sec-Fetch-Site": "cross-site"}
    sent = TestClient(app).post(link, data={"name": "New", "password": PASSWORD}, headers=headers)
    assert sent.status_code == 403


def test_what_cant_be_taken_comes_back_in_the_form(session: Session, visitor: Visitor) -> None:
    page = visitor.post(
        "/settings/members/invite", emails="good@x.test nonsense", role="member", message="Hi"
    )
    assert page.status_code == 422
    assert "good@x.test nonsense" in page.text
    assert session.scalar(select(Invitation.id)) is None
    own = f"/settings/members/{visitor.principal.person_id}"
    assert "last owner" in visitor.post(own, role="admin").text


def test_acting_shows_a_banner_on_every_page_and_stops(
    app: FastAPI, session: Session, workspace: Workspace, visitor: Visitor
) -> None:
    member = join(session, workspace, role="member")
    began = visitor.post(f"/settings/members/{member.id}/act")
    assert began.status_code == 303
    token = re.search(rf"{COOKIE}=([^;]+)", began.headers["set-cookie"])
    assert token is not None
    visitor.client.cookies.clear()
    visitor.client.cookies.set(COOKIE, token[1])
    page = visitor.get("/")
    assert "/stop-acting" in page.text
    assert "member@demo.test" in page.text
    for closed in ("/settings/profile", "/settings/membership"):
        assert visitor.get(closed).status_code == 403
    csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
    assert csrf is not None
    stopped = visitor.client.post("/stop-acting", data={"csrf": csrf[1]}, headers=HTML)
    assert stopped.headers["location"] == "/settings/members"
    back = re.search(rf"{COOKIE}=([^;]+)", stopped.headers["set-cookie"])
    assert back is not None
    visitor.client.cookies.clear()
    visitor.client.cookies.set(COOKIE, back[1])
    assert "/stop-acting" not in visitor.get("/").text


def test_groups_and_external_users_from_first_to_last(
    session: Session, workspace: Workspace, visitor: Visitor
) -> None:
    outside = join(session, workspace, role="external", email="out@x.test", name="Out Side")
    made = visitor.post("/groups", name="Readers", description="Of manuals")
    address = made.headers["location"]
    assert visitor.post("/groups", name="readers").status_code == 409
    assert visitor.post(f"{address}/people", person=str(outside.id), until="2001-01-01").status_code == 422
    visitor.post(f"{address}/people", person=str(outside.id), until="2090-01-01")
    item = companions.create(session, principal=visitor.principal, title="Manual")
    session.commit()
    group_id = session.scalar(select(PeopleGroup.id))
    assert visitor.post(f"/share/{item.id}", group=str(group_id)).status_code == 303
    page = visitor.get(f"/external-users/{outside.id}").text
    assert "Manual" in page
    assert "Readers" in page
    assert (
        visitor.post(f"/external-users/{outside.id}/grants", item=str(item.id), level="write").status_code
        == 303
    )
    (direct,) = [
        one
        for one in grants.list_grants(session, principal=visitor.principal, item_id=item.id)
        if one.kind == "person"
    ]
    visitor.post(f"/external-users/{outside.id}/grants/{direct.id}/revoke")
    visitor.post(f"/external-users/{outside.id}", until="2090-01-01")
    session.expire_all()
    place = session.get_one(Membership, (workspace.id, outside.id))
    assert place.expires_at is not None
    for verb in ("suspend", "resume", "remove"):
        assert visitor.post(f"/external-users/{outside.id}/{verb}").status_code == 303
    assert visitor.get(f"/external-users/{outside.id}").status_code == 404
    assert visitor.get(address).status_code == 200
    visitor.post(f"{address}/delete")
    assert visitor.get(address).status_code == 404


def test_a_last_day_stays_the_same_when_it_is_saved_again(
    session: Session, workspace: Workspace, visitor: Visitor
) -> None:
    person = join(session, workspace, role="member")
    person_page = f"/settings/members/{person.id}"
    visitor.post(person_page, role="member", until="2090-01-31")
    assert 'value="2090-01-31"' in visitor.get(person_page).text


@pytest.mark.parametrize("odd", ["%00", "%01", "%e2%80%ae", "%ff"])
def test_names_of_odd_characters_break_nothing(visitor: Visitor, odd: str) -> None:
    for path in (f"/settings/members?role={odd}&q={odd}", f"/groups?q={odd}", f"/settings/roles/{odd}"):
        assert visitor.get(path).status_code < 500, path
    assert visitor.post("/settings/members/invite", emails="a@x.test", role=f"x{odd}").status_code == 404


def test_roles_are_made_changed_and_deleted(visitor: Visitor) -> None:
    assert visitor.post("/settings/roles", name="Reader", permission="item:read").status_code == 303
    assert visitor.post("/settings/roles", name="reader", permission="item:read").status_code == 409
    assert visitor.post("/settings/roles/Reader", permission="insights:read").status_code == 303
    assert "insights:read" in visitor.get("/settings/roles").text
    assert visitor.post("/settings/roles/Reader/delete").status_code == 303
    assert visitor.get("/settings/roles/Reader").status_code == 404


def test_an_item_is_shared_with_a_stranger_from_its_page(session: Session, visitor: Visitor) -> None:
    item = companions.create(session, principal=visitor.principal, title="Manual", visibility="private")
    session.commit()
    assert f'href="/share/{item.id}"' in visitor.get(f"/companions/{item.id}").text
    page = visitor.post(f"/share/{item.id}", who="stranger@x.test", level="read")
    assert link_in(page.text)
    assert "Invited" in visitor.get(f"/share/{item.id}").text
    assert visitor.post(f"/share/{item.id}").status_code == 422
    visitor.post(f"/share/{item.id}/visibility", visibility="workspace")
    session.expire_all()
    assert session.get_one(Item, item.id).visibility == "workspace"


def test_the_home_page_begins_with_what_is_shared_with_a_person_from_outside(
    app: FastAPI, session: Session, workspace: Workspace, visitor: Visitor
) -> None:
    person = join(session, workspace, role="external", email="out@x.test")
    outside = visit(app, session, person)
    assert "Shared with you" not in outside.get("/").text
    item, _ = [
        companions.create(session, principal=visitor.principal, title=title)
        for title in ("Handed out", "Kept back")
    ]
    session.commit()
    visitor.post(f"/share/{item.id}", who="out@x.test", level="read")
    page = outside.get("/").text
    assert "Shared with you" in page
    assert "Handed out" in page
    assert "Kept back" not in page


def test_an_external_person_opens_nothing_but_what_is_theirs(
    app: FastAPI, session: Session, workspace: Workspace, visitor: Visitor
) -> None:
    outside = visit(app, session, join(session, workspace, role="external"))
    navigation = outside.get("/").text.split('<main id="main"')[0].split('id="navigation"')[1]
    for area in AREAS:
        assert (f'<a href="{area.route}"' in navigation) is (area.slug in FOR_EXTERNAL), area.slug
        assert (outside.get(area.route).status_code == 200) is (area.slug in FOR_EXTERNAL), area.slug
    allowed = {area.route for area in AREAS if area.slug in FOR_EXTERNAL} | {
        "/search", "/home/popular", "/settings/membership", "/favicon.ico", "/sign-in",
        "/sign-in/callback", "/forgot-password", "/status", "/status.json",
    }  # fmt: skip
    from web.app import MODULES

    paths = {
        route.path for module in MODULES for route in module.router.routes if "GET" in getattr(route, "methods", ())
    }  # fmt: skip
    # A file of what they may open, and nothing else.
    allowed |= {f"{area.route}/export" for area in AREAS if area.slug in FOR_EXTERNAL}
    opened = {path: outside.get(path).status_code for path in paths - allowed if "{" not in path}
    assert {path: status for path, status in opened.items() if status not in {301, 303, 403, 404}} == {}
