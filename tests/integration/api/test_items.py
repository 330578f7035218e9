"""Items of every kind as JSON: made, changed under If-Match, compared, exported, imported, acted on together."""

import json
from collections.abc import Callable

import pytest
from httpx import Response

from leitstand.catalogue.kinds import KINDS
from tests.integration.api.conftest import Caller
from tests.integration.catalogue.test_contents import SIMPLE

SLUGS = {name: kind.slug for name, kind in KINDS.items() if name != "companion"}


def send(call: Caller, method: str, path: str, body: object = None, **headers: str) -> Response:
    named = {"X-CSRF-Token": call.visitor.csrf} | {n.replace("_", "-"): v for n, v in headers.items()}
    return call.visitor.client.request(method, f"/api/v1{path}", json=body, headers=named)


def test_every_kind_goes_through_its_life(call: Caller) -> None:
    for kind, slug in SLUGS.items():
        made = call("POST", f"/{slug}", {"title": f"My {kind}", "tags": ["A"], "content": SIMPLE[kind]})
        assert made.status_code == 201, made.text
        path = made.headers["location"].removeprefix("/api/v1")
        read = call("GET", path)
        assert read.json() == made.json()
        assert (read.json()["version"], read.json()["kind"]) == (1, kind)
        tag = read.headers["etag"]
        changed = send(call, "PATCH", path, {"title": "Other", "note": "why"}, If_Match=tag)
        assert (changed.json()["title"], changed.json()["version"]) == ("Other", 2)
        assert changed.headers["etag"] != tag
        stale = send(call, "PATCH", path, {"title": "Third"}, If_Match=tag)
        assert (stale.status_code, stale.json()["type"]) == (412, "/docs/errors#changed-meanwhile")
        assert send(call, "DELETE", path, If_Match=tag).status_code == 412
        assert call("PATCH", path, {"title": "Third", "seen": 1}).status_code == 409
        found = call("GET", f"{path}/versions").json()
        assert [(one["number"], one["note"]) for one in found["items"]] == [(2, "why"), (1, "")]
        assert call("GET", f"{path}/versions/1").json()["title"] == f"My {kind}"
        assert call("GET", f"{path}/versions/9").status_code == 404
        diff = call("GET", f"{path}/versions/1/diff/2").json()
        assert diff == [
            {"what": "changed", "path": ["title"], "before": f"My {kind}", "after": "Other", "lines": []}
        ]
        assert call("POST", f"{path}/roll-back", {"version": 1}).json()["title"] == f"My {kind}"
        for action, status in (("publish", "published"), ("withdraw", "draft"), ("archive", "archived")):
            assert call("POST", f"{path}/{action}").json()["status"] == status
        copy = call("POST", f"{path}/duplicate")
        assert (copy.status_code, copy.json()["title"]) == (201, f"Copy of My {kind}")
        assert [one["title"] for one in call("GET", f"/{slug}?sort=title&tag=a&owner=me").json()["items"]] == [
            f"Copy of My {kind}", f"My {kind}",
        ]  # fmt: skip
        assert call("GET", f"/companions/{read.json()['id']}").status_code == 404
        assert call("DELETE", path).status_code == 204
        assert call("GET", path).status_code == 404


@pytest.mark.parametrize(
    ("slug", "content", "pointer"),
    [
        ("agents", {"tools": ["a b"]}, "/body/content/tools/0"),
        ("boards", {"notes": [{"id": "a", "text": "x", "x": 9_999}]}, "/body/content/notes/0/x"),
        ("controls", {"schema": {"$ref": "https://example.test"}}, "/body/content"),
        ("spaces", {"unknown": 1}, "/body/content/unknown"),
        (
            "collections",
            {"entries": [{"item_id": "00000000-0000-0000-0000-000000000007"}]},
            "/entries/0/item_id",
        ),
    ],
)
def test_a_content_that_does_not_fit_is_refused_with_its_place(
    call: Caller, slug: str, content: object, pointer: str
) -> None:
    refused = call("POST", f"/{slug}", {"title": "x", "content": content})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == pointer
    assert call("GET", f"/{slug}").json()["items"] == []


def test_many_are_acted_on_and_listed_together(call: Caller) -> None:
    ids = [call("POST", f"/{slug}", {"title": kind}).json()["id"] for kind, slug in SLUGS.items()]
    assert call("POST", "/items/bulk", {"ids": ids, "action": "add-tag", "value": "New"}).json() == {
        "changed": 6
    }
    found = call("GET", "/items?tag=new&sort=title&limit=4").json()
    assert [one["title"] for one in found["items"]] == ["agent", "app", "board", "collection"]
    rest = call("GET", f"/items?tag=new&sort=title&limit=4&cursor={found['next']}").json()
    assert [one["title"] for one in rest["items"]] == ["control", "space"]
    refused = call(
        "POST",
        "/items/bulk",
        {"ids": [*ids, call.visitor.principal.workspace_id.__str__()], "action": "trash"},
    )
    assert (refused.status_code, len(refused.json()["items"])) == (409, 1)
    assert len(call("GET", "/items").json()["items"]) == 6
    for wrong in (
        {"ids": [], "action": "trash"},
        {"ids": ids, "action": "x"},
        {"ids": ids, "action": "add-tag"},
    ):
        assert call("POST", "/items/bulk", wrong).status_code in {409, 422}


def test_a_file_goes_out_and_comes_in(call: Caller, call_as: Callable[[str], Caller]) -> None:
    call("POST", "/agents", {"title": "=Agent", "content": {"instructions": "x"}})
    text = call("GET", "/items/export?kind=agent")
    assert text.headers["content-disposition"] == 'attachment; filename="items.json"'
    assert json.loads(text.text)["items"][0]["content"]["instructions"] == "x"
    assert "'=Agent" in call("GET", "/items/export?format=csv").text
    headers = {"X-CSRF-Token": call.visitor.csrf}
    client = call.visitor.client
    planned = client.post("/api/v1/items/import?dry_run=true", content=text.content, headers=headers).json()
    assert (planned["dry_run"], planned["items"][0]["action"], planned["items"][0]["item_id"]) == (
        True,
        "make",
        None,
    )
    done = client.post("/api/v1/items/import", content=text.content, headers=headers).json()
    assert call("GET", f"/agents/{done['items'][0]['item_id']}").json()["title"] == "=Agent"
    wrong = client.post(
        "/api/v1/items/import?format=csv&kind=board", content=b"title\nGood\n\xc3\xa9,x\n", headers=headers
    )
    assert (wrong.status_code, wrong.json()["errors"][0]["line"]) == (422, 3)
    assert client.post("/api/v1/items/import?format=xml", content=b"", headers=headers).status_code == 422
    assert call("GET", "/items/export?format=xml").status_code == 422
    assert call("GET", "/items/export?status=x").status_code == 422
    # Not after the answer has begun.
    assert call("GET", "/items/export?sort=x").status_code == 422
    assert call("GET", "/boards").json()["items"] == []
    reader = call_as("analyst")
    refused = reader.visitor.client.post(
        "/api/v1/items/import?format=csv&kind=board",
        content=b"title\nx",
        headers={"X-CSRF-Token": reader.visitor.csrf},
    )
    assert refused.status_code == 403


def test_companions_have_history_and_tags_too(call: Caller) -> None:
    made = call("POST", "/companions", {"title": "Bot"}).json()
    path = f"/companions/{made['id']}"
    flow = {"title": "Bot", "steps": [{"kind": "end", "name": "bye", "text": "Bye."}]}
    call("PUT", f"{path}/flow", flow)
    flow["steps"] = [{"kind": "end", "name": "bye", "text": "See you."}]
    call("PUT", f"{path}/flow", flow)
    (found,) = call("GET", f"{path}/versions/1/diff/2").json()
    assert (found["path"], found["after"]) == (["content", "steps", "bye", "text"], "See you.")
    assert call("POST", f"{path}/roll-back", {"version": 1}).json()["versions"][0]["number"] == 3
    copy = call("POST", f"{path}/duplicate").json()
    assert call("GET", f"/companions/{copy['id']}/flow").json()["flow"]["steps"][0]["text"] == "Bye."
    tag = call("GET", path).headers["etag"]
    assert send(call, "PATCH", path, {"title": "Other"}, If_Match=tag).status_code == 200
    assert send(call, "PATCH", path, {"title": "Third"}, If_Match=tag).status_code == 412
