"""Conversations over the JSON API."""

from collections.abc import Callable

from tests.integration.api.conftest import Caller, Program


def test_a_conversation_is_asked_changed_and_deleted(
    call: Caller, call_as: Callable[[str], Caller], program: Callable[..., Program]
) -> None:
    made = call("POST", "/assistant", {"question": "How long is the warranty?"})
    assert made.status_code == 201
    told, where = made.json(), f"/conversations/{made.json()['id']}"
    assert [one["said_by"] for one in told["messages"]] == ["person", "assistant"]
    robot = program("item:read", "item:write")
    tag = made.headers["ETag"]
    assert robot("PATCH", where, {"title": "Warranty"}, If_Match=tag).json()["title"] == "Warranty"
    for _ in range(2):
        sent = robot("POST", f"{where}/messages", {"text": "And then?"}, Idempotency_Key="one")
        assert len(sent.json()["messages"]) == 4
    assert robot("DELETE", where, If_Match=tag).status_code == 412
    answer = told["messages"][1]["id"]
    assert call("PUT", f"{where}/messages/{answer}/feedback", {"feedback": "helpful"}).status_code == 204
    assert [one["title"] for one in call("GET", "/conversations?q=then").json()["items"]] == ["Warranty"]
    assert call("GET", f"{where}/export?format=csv").headers["content-type"].startswith("text/csv")
    assert call_as("admin")("GET", where).status_code == 404
    assert call("POST", "/conversations", {}).status_code == 422
    assert all(one["kind"] != "conversation" for one in call("GET", "/items").json()["items"])
    assert call("DELETE", where).status_code == 204
    assert call("GET", where).status_code == 404
    assert call("GET", "/assistant").json() == {"kind": "extractive", "model_endpoint": False}
