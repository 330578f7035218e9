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


def test_an_agent_is_asked_edited_answered_again_and_its_branches_chosen(call: Caller) -> None:
    agent = call("POST", "/agents", {"title": "Parcels"}).json()["id"]
    made = call("POST", "/conversations", {"agent_id": agent, "question": "How many?"})
    told, where = made.json(), f"/conversations/{made.json()['id']}"
    question, answer = told["messages"]
    assert (told["partner"], told["agent"], answer["status"], answer["parent"]) == (
        "agent", "Parcels", "writing", 1,
    )  # fmt: skip
    assert call("GET", f"/threads/{answer['thread_id']}").json()["text"] == "How many?"
    assert call("POST", f"{where}/messages", {"text": "And?"}).status_code == 409
    at = f"{where}/messages/{answer['id']}"
    assert call("GET", at).json()["chosen"] and call("GET", f"{where}/messages/{agent}").status_code == 404
    stopped = call("POST", f"{at}/stop").json()["messages"][1]
    assert stopped["status"] == "stopped" and call("POST", f"{at}/stop").status_code == 409
    again = call("POST", f"{at}/answers")
    assert again.status_code == 201 and [one["chosen"] for one in again.json()["messages"]] == [
        True,
        False,
        True,
    ]
    call("POST", f"{where}/messages/{again.json()['messages'][2]['id']}/stop")
    edited = call("POST", f"{where}/messages/{question['id']}/edits", {"text": "How many are blue?"}).json()
    assert [one["parent"] for one in edited["messages"]] == [None, 1, 1, None, 4]
    chosen = call("POST", f"{at}/choose").json()["messages"]
    assert [one["chosen"] for one in chosen] == [True, True, False, False, False]
    file = {"name": "note.txt", "content": "aGVsbG8="}
    for refused in ([file], [{**file, "content": "no base64!"}]):
        asked = call("POST", "/assistant", {"question": "What?", "attachments": refused})
        assert asked.status_code == 422
    assert [one["agent"] for one in call("GET", f"/conversations?agent={agent}").json()["items"]] == [
        "Parcels"
    ]
