"""Annotations and saved views as JSON."""

from collections.abc import Callable

import pytest

from tests.integration.api.conftest import Caller

PATH = "/insights/annotations"
MARCH = "?from=2026-03-01&to=2026-04-01"


def test_an_annotation_is_made_changed_deleted_and_restored(call: Caller) -> None:
    made = call("POST", PATH, {"kind": "release", "text": "v2", "day": "2026-03-05"})
    assert made.status_code == 201
    one = f"{PATH}/{made.json()['id']}"
    at = "2026-03-06T10:00:00+02:00"
    assert call("PUT", one, {"kind": "incident", "text": "down", "at": at}).status_code == 200
    listed = call("GET", PATH + MARCH).json()
    assert [(row["kind"], row["text"], row["day"], row["author"]) for row in listed] == [
        ("incident", "down", None, "Owner Person")
    ]
    assert listed[0]["mine_to_change"] is True
    assert call("DELETE", one).status_code == 204
    assert call("GET", PATH + MARCH).json() == []
    assert call("DELETE", one).status_code == 404
    assert call("POST", f"{one}/restore").json()["text"] == "down"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "release", "text": "x"},
        {"kind": "release", "text": "x", "day": "2026-03-05", "at": "2026-03-05T00:00:00Z"},
        {"kind": "release", "text": "x", "at": "2026-03-05T00:00:00"},
        {"kind": "feast", "text": "x", "day": "2026-03-05"},
        {"kind": "release", "text": "", "day": "2026-03-05"},
        {"kind": "release", "text": "x", "day": "2026-03-05", "author": "me"},
    ],
)
def test_what_can_not_be_an_annotation_is_refused(call: Caller, body: dict[str, str]) -> None:
    assert call("POST", PATH, body).status_code == 422


def test_a_view_is_saved_changed_and_restored(call: Caller) -> None:
    body = {"app": "overview", "name": "Week", "choices": {"range": "last-7"}}
    made = call("POST", "/insights/views", body)
    assert made.status_code == 201
    one = f"/insights/views/{made.json()['id']}"
    changed = call("PATCH", one, {"shared": True, "first_for_all": True, "first_for_me": True}).json()
    assert (changed["shared"], changed["first_for_all"], changed["first_for_me"]) == (True, True, True)
    assert [row["name"] for row in call("GET", "/insights/views?app=overview").json()] == ["Week"]
    assert call("GET", "/insights/views?app=flow").json() == []
    assert call("DELETE", one).status_code == 204
    assert call("POST", f"{one}/restore").json()["first_for_all"] is False


def test_roles_and_forged_requests_get_nothing(call: Caller, call_as: Callable[[str], Caller]) -> None:
    body = {"app": "overview", "name": "Week", "choices": {}, "shared": True}
    shared = call("POST", "/insights/views", body).json()
    analyst, member = call_as("analyst"), call_as("member")
    theirs = analyst("GET", "/insights/views").json()
    assert [(row["name"], row["mine"]) for row in theirs] == [("Week", False)]
    path = f"/insights/views/{shared['id']}"
    assert analyst("PATCH", path, {"name": "Other"}).status_code == 403
    assert analyst("PATCH", path, {"first_for_all": True}).status_code == 403
    assert member("GET", "/insights/views").status_code == 403
    assert member("POST", PATH, {"kind": "note", "text": "x", "day": "2026-03-05"}).status_code == 403
    forged = analyst.visitor.client.post(
        f"/api/v1{PATH}", json={"kind": "note", "text": "x", "day": "2026-03-05"}
    )
    assert forged.status_code == 403
