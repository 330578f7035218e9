"""Members, roles, groups, grants and invitations by the API."""

from collections.abc import Callable
from uuid import uuid4

from sqlalchemy.orm import Session

from leitstand.catalogue import companions
from leitstand.db.models import Workspace
from tests.integration.api.conftest import Caller
from tests.people import acting, join


def test_people_are_invited_changed_and_removed(session: Session, workspace: Workspace, call: Caller) -> None:
    person = join(session, workspace, role="member")
    page = call("GET", "/members?limit=1").json()
    assert [one["email"] for one in page["items"]] == ["member@demo.test"]
    assert call("GET", f"/members?cursor={page['next']}").json()["items"][0]["role"] == "owner"
    assert call("PATCH", f"/members/{person.id}", {"role": "analyst"}).json()["role"] == "analyst"
    later = {"expires_at": "2090-01-01T00:00:00Z"}
    assert call("PATCH", f"/members/{person.id}", later).json()["role"] == "analyst"
    assert call("POST", f"/members/{person.id}/suspend").status_code == 204
    assert call("GET", f"/members/{person.id}").json()["state"] == "suspended"
    made = call("POST", "/invitations", {"emails": ["a@x.test"], "role": "member"})
    assert made.status_code == 201
    assert "/join/" in made.json()["links"]["a@x.test"]
    invitation = made.json()["invitations"][0]["id"]
    assert call("POST", f"/invitations/{invitation}/resend").status_code == 429
    assert call("DELETE", f"/invitations/{invitation}").status_code == 204
    assert call("GET", "/invitations").json() == []
    assert call("POST", f"/members/{person.id}/remove", {}).status_code == 204
    assert call("GET", f"/members/{person.id}").status_code == 404


def test_roles_and_groups(session: Session, workspace: Workspace, call: Caller) -> None:
    person = join(session, workspace, role="external")
    role = call("POST", "/roles", {"name": "reader", "permissions": ["item:read"]})
    assert (role.status_code, role.json()["permissions"]) == (201, ["item:read"])
    assert call("PUT", "/roles/reader", {"permissions": ["insights:read"]}).status_code == 200
    assert call("DELETE", "/roles/reader").status_code == 204
    group = call("POST", "/groups", {"name": "Friends"}).json()["id"]
    assert call("POST", f"/groups/{group}/people", {"person_ids": [str(person.id)]}).status_code == 204
    assert [one["email"] for one in call("GET", f"/groups/{group}/people").json()] == ["external@demo.test"]
    assert call("GET", "/groups").json()[0]["people"] == 1
    item = companions.create(session, principal=call.visitor.principal, title="Manual")
    session.commit()
    shared = call("POST", f"/items/{item.id}/grants", {"group_id": group, "level": "write"})
    assert shared.status_code == 201
    assert call("GET", f"/external-users/{person.id}/grants").json()[0]["title"] == "Manual"
    assert call("GET", f"/groups/{group}/grants").json()[0]["level"] == "write"
    grant = shared.json()["grants"][0]["id"]
    assert call("DELETE", f"/items/{item.id}/grants/{grant}").status_code == 204
    assert call("DELETE", f"/grants/{grant}").status_code == 404
    assert (
        call("PUT", f"/items/{item.id}/visibility", {"visibility": "official"}).json()["visibility"]
        == "official"
    )
    assert [one["email"] for one in call("GET", "/external-users").json()["items"]] == ["external@demo.test"]
    assert call("DELETE", f"/groups/{group}").status_code == 204


def test_another_workspaces_ids_are_not_there(session: Session, call: Caller) -> None:
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.commit()
    person = join(session, other)
    item = companions.create(session, principal=acting(session, other, person), title="Theirs")
    session.commit()
    for method, path, body in (
        ("GET", f"/members/{person.id}", None),
        ("PATCH", f"/members/{person.id}", {"role": "member"}),
        ("POST", f"/members/{person.id}/remove", {}),
        ("GET", f"/external-users/{person.id}/grants", None),
        ("GET", f"/groups/{uuid4()}/people", None),
        ("GET", f"/items/{item.id}/grants", None),
        ("POST", f"/items/{item.id}/grants", {"email": "a@b.test"}),
        ("PUT", f"/items/{item.id}/visibility", {"visibility": "private"}),
        (
            "POST",
            "/items/transfer",
            {"to": str(call.visitor.principal.person_id), "item_ids": [str(item.id)]},
        ),
    ):
        assert call(method, path, body).status_code == 404, path


def test_without_the_permission_nothing_opens(session: Session, call_as: Callable[[str], Caller]) -> None:
    for role in ("member", "external", "operator"):
        caller = call_as(role)
        for path in ("/members", "/roles", "/groups", "/external-users", "/invitations"):
            assert caller("GET", path).status_code == 403, (role, path)


def test_a_description_is_kept_whole_or_refused(call: Caller) -> None:
    for path, more in (("/groups", {}), ("/roles", {"permissions": ["item:read"]})):
        family = {"name": "family", "description": "\U0001f469\u200d\U0001f467 of  two\nlines"} | more
        assert call("POST", path, family).status_code == 201
        kept = [one["description"] for one in call("GET", path).json() if one["name"] == "family"]
        assert kept == ["\U0001f469\u200d\U0001f467 of two lines"]
        refused = call("POST", path, family | {"name": "long", "description": "x" * 501})
        assert (refused.status_code, "500" in refused.json()["detail"]) == (422, True)
