"""Companions, favorites and the trash as JSON."""

import pytest
from sqlalchemy.orm import Session

from leitstand.catalogue import companions
from leitstand.identity.access import system_principal
from tests.integration.api.conftest import Caller
from web.routes.flows import example


def make(call: Caller, **fields: object) -> dict[str, object]:
    made = call("POST", "/companions", {"title": "Gift finder", **fields})
    assert made.status_code == 201
    assert made.headers["location"] == f"/api/v1/companions/{made.json()['id']}"
    return made.json()  # type: ignore[no-any-return]


def test_a_companion_is_made_changed_and_read(call: Caller) -> None:
    made = make(call, description="Text", tags=["A"])
    assert made["status"] == "draft"
    assert made["link"] is None
    changed = call("PATCH", f"/companions/{made['id']}", {"title": "Other"}).json()
    assert (changed["title"], changed["description"], changed["tags"]) == ("Other", "Text", ["a"])
    assert call("GET", f"/companions/{made['id']}").json() == changed


def test_a_stale_change_is_a_conflict(call: Caller) -> None:
    made = make(call)
    path = f"/companions/{made['id']}"
    assert call("PATCH", path, {"title": "Second", "seen": made["updated_at"]}).status_code == 200
    stale = call("PATCH", path, {"title": "Third", "seen": made["updated_at"]})
    assert stale.status_code == 409
    assert stale.json()["type"].endswith("#conflict")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"title": ""},
        {"title": "\x00"},
        {"title": "\ud800"},
        {"title": 1},
        {"title": "x", "unknown": 1},
        {"title": "x", "visibility": "all"},
        {"title": "x", "tags": ["y" * 50]},
        [],
        "x",
    ],
)
def test_what_is_not_a_companion_is_refused(call: Caller, body: object) -> None:
    import json

    headers = {"X-CSRF-Token": call.visitor.csrf, "Content-Type": "application/json"}
    refused = call.visitor.client.post("/api/v1/companions", content=json.dumps(body), headers=headers)
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert call("GET", "/companions").json() == {"items": [], "next": None}


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000, b'{"title": NaN}'])
def test_what_is_not_json_is_refused(call: Caller, content: bytes) -> None:
    headers = {"X-CSRF-Token": call.visitor.csrf, "Content-Type": "application/json"}
    refused = call.visitor.client.post("/api/v1/companions", content=content, headers=headers)
    assert refused.status_code in {400, 422}
    assert refused.headers["content-type"] == "application/problem+json"


def test_no_write_without_the_header(call: Caller) -> None:
    client = call.visitor.client
    for headers in ({}, {"X-CSRF-Token": "x"}):
        assert client.post("/api/v1/companions", json={"title": "x"}, headers=headers).status_code == 403
    form = client.post("/api/v1/companions", data={"csrf": call.visitor.csrf, "title": "x"})
    assert form.status_code == 422


def test_a_list_pages_by_cursor(call: Caller, session: Session) -> None:
    principal = system_principal(call.visitor.principal.workspace_id)
    for number in range(5):
        companions.create(session, principal=principal, title=f"C{number}")
    session.commit()
    first = call("GET", "/companions?limit=3").json()
    rest = call("GET", f"/companions?limit=3&cursor={first['next']}").json()
    assert [item["title"] for item in first["items"] + rest["items"]] == ["C4", "C3", "C2", "C1", "C0"]
    assert rest["next"] is None
    assert [item["title"] for item in call("GET", "/companions?q=c2").json()["items"]] == ["C2"]
    for wrong in ("limit=0", "limit=201", "cursor=x", "status=secret"):
        assert call("GET", f"/companions?{wrong}").status_code == 422


def test_a_flow_is_saved_published_withdrawn_and_archived(call: Caller) -> None:
    path = f"/companions/{make(call)['id']}"
    assert call("GET", f"{path}/flow").status_code == 404
    assert call("POST", f"{path}/publish").status_code == 409
    assert call("PUT", f"{path}/flow", example("x")).json()["version"] == 1
    assert call("PUT", f"{path}/flow", {"title": "x", "steps": []}).status_code == 422
    published = call("POST", f"{path}/publish", {"version": 1}).json()
    assert published["status"] == "published"
    assert published["link"].endswith(f"/c/{published['slug']}")
    assert call("GET", f"{path}/flow").json() == {"version": 1, "flow": example("x")}
    assert call("POST", f"{path}/roll-back").status_code == 409
    assert call("POST", f"{path}/withdraw").json()["link"] is None
    assert call("POST", f"{path}/archive").json()["status"] == "archived"


def test_the_trash_gives_back(call: Caller) -> None:
    made = make(call)
    path = f"/companions/{made['id']}"
    assert call("DELETE", path).status_code == 204
    assert call("GET", path).status_code == 404
    assert [item["id"] for item in call("GET", "/trash").json()] == [made["id"]]
    assert call("POST", f"/trash/{made['id']}/restore").json()["title"] == "Gift finder"
    call("DELETE", path)
    assert call("DELETE", f"/trash/{made['id']}").status_code == 204
    assert call("POST", f"/trash/{made['id']}/restore").status_code == 404


def test_favorites_keep_their_order(call: Caller) -> None:
    ids = [str(make(call, title=f"C{number}")["id"]) for number in range(3)]
    for item_id in ids:
        assert call("PUT", f"/favorites/{item_id}").status_code == 204
    ordered = call("PUT", "/favorites", {"ids": [ids[2], ids[0]]}).json()
    assert [item["id"] for item in ordered["items"]] == [ids[2], ids[0], ids[1]]
    call("DELETE", f"/favorites/{ids[0]}")
    assert [item["id"] for item in call("GET", "/favorites").json()["items"]] == [ids[2], ids[1]]
