"""Tools through the API: no answer has a secret, and a test really uses the tool."""

from tests.integration.api.conftest import Caller
from tests.mcp_server import McpServer, mcp_server
from tests.receiver import Receiver, receiver

__all__ = ["mcp_server", "receiver"]
SECRET = "sk-never-shown"


def test_a_request_through_the_api(call: Caller, receiver: Receiver) -> None:
    schema = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}
    new = {
        "name": "find", "kind": "http", "description": "Finds it.", "secret": SECRET, "parameters": schema,
        "configuration": {"url": f"{receiver.url}/{{order}}", "secret_header": "X-Key"},
    }  # fmt: skip
    made = call("POST", "/tools", new)
    assert made.status_code == 201 and made.json()["has_secret"] is True
    here = f"/tools/{made.json()['id']}"
    assert call("POST", f"{here}/test", {}).json()["problem"].startswith("The arguments do not fit")
    tried = call("POST", f"{here}/test", {"arguments": {"order": "7"}}).json()
    assert (tried, receiver.asked[0][1]["x-key"]) == ({"text": "thank you", "problem": ""}, SECRET)
    off = call("PUT", here, new | {"secret": "", "active": False}).json()
    assert (off["active"], off["has_secret"], off["checked_at"]) == (False, True, None)
    assert call("GET", "/tools/names").json() == []
    assert call("PUT", here, new | {"kind": "space"}).status_code == 422
    assert call("POST", "/tools", new).status_code == 409
    for answer in (made, call("GET", "/tools"), call("GET", here)):
        assert SECRET not in answer.text
    assert call("POST", f"{here}/refresh").status_code == 422
    assert call("DELETE", here).status_code == 204 and call("GET", here).status_code == 404


def test_tools_of_a_server_through_the_api(call: Caller, mcp_server: McpServer) -> None:
    mcp_server.key = SECRET
    server = {"url": mcp_server.url, "secret": SECRET}
    found = call("POST", "/tools/discover", server).json()
    assert [(one["name"], one["problem"]) for one in found] == [("echo.text", "")]
    assert call("POST", "/tools/discover", server | {"secret": "x"}).status_code == 422
    new = {
        "name": "echo", "kind": "mcp", "description": "Echo", "configuration": {"url": mcp_server.url, "tool": "echo.text"},
        "parameters": found[0]["parameters"], "secret": SECRET, "needs_approval": True,
    }  # fmt: skip
    here = f"/tools/{call('POST', '/tools', new).json()['id']}"
    assert call("POST", f"{here}/test", {"arguments": {"text": "a"}}).json() == {"text": "a", "problem": ""}
    assert call("POST", f"{here}/refresh").json()["description"] == "Says it again."
    named = {"name": "echo", "kind": "mcp", "description": "Says it again.", "needs_approval": True}
    assert call("GET", "/tools/names").json() == [named]
