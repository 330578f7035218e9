"""Tools as pages: each kind is added, tried and removed; an agent's form offers those that are on."""

import re
from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import Item, Tool
from tests.mcp_server import ECHO, McpServer, mcp_server
from tests.people import HTML, Visitor
from tests.receiver import Receiver, receiver

__all__ = ["mcp_server", "receiver"]
PAGE = "/settings/tools"
SECRET = "sk-never-shown"
SCHEMA = '{"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}'
CARRIED = re.compile(r'name="carried" value="([^"]+)"')


def test_a_request_is_added_tried_changed_switched_and_removed(
    visitor: Visitor, session: Session, receiver: Receiver
) -> None:
    assert "No tool yet" in visitor.get(PAGE).text
    assert '"order"' in visitor.get(f"{PAGE}/new").text.replace("&#34;", '"')
    given = {
        "kind": "http", "name": "find_order", "description": "Finds <b>", "method": "GET", "active": "true",
        "url": f"{receiver.url}/orders/{{order}}", "secret": SECRET, "parameters": SCHEMA, "headers": "X-Team: ops",
        "secret_header": "Authorization", "secret_scheme": "Bearer",
    }  # fmt: skip
    for change, says in (
        ({"url": "https://169.254.169.254/{order}"}, "private network"), ({"parameters": "{"}, "not JSON"),
        ({"headers": "X-Team"}, "Name: value"), ({"name": "ä"}, "letters without accents"),
    ):  # fmt: skip
        refused = visitor.post(f"{PAGE}/new", **(given | change))
        assert refused.status_code == 422 and says in refused.text and "Finds &lt;b&gt;" in refused.text
        assert SECRET not in refused.text
    assert visitor.post(f"{PAGE}/new", **given).status_code == 303
    assert visitor.post(f"{PAGE}/new", **given).status_code == 409
    here = f"{PAGE}/{session.scalars(select(Tool.id)).one()}"
    receiver.body = b"<script>sent</script>"
    tried = visitor.post(f"{here}/test", arguments='{"order": "7"}')
    assert tried.status_code == 200 and "&lt;script&gt;sent" in tried.text and "It works." in tried.text
    assert receiver.asked[0][1]["authorization"] == f"Bearer {SECRET}"
    receiver.status = 500
    assert "answers 500" in visitor.post(f"{here}/test", arguments='{"order": "7"}').text
    listed = visitor.get(PAGE).text
    assert (
        "answers 500" in listed
        and "Does not work" in listed
        and SECRET not in listed + visitor.get(here).text
    )
    changed = given | {"secret": "", "name": "look", "needs_approval": "true"}
    assert visitor.post(here, **changed).status_code == 303
    assert "Waits for approval" in visitor.get(PAGE).text
    assert "server before" in visitor.post(here, **(changed | {"url": "http://127.0.0.1:9/{order}"})).text
    visitor.post(f"{here}/switch", active="false")
    session.expire_all()
    tool = session.scalars(select(Tool)).one()
    assert (tool.active, tool.name, tool.secret is not None) == (False, "look", True)
    assert visitor.post(f"{here}/refresh").status_code == 422
    visitor.post(f"{here}/remove")
    assert "No tool yet" in visitor.get(PAGE).text and visitor.get(here).status_code == 404


def test_tools_of_a_server_are_listed_and_chosen(
    visitor: Visitor, session: Session, mcp_server: McpServer
) -> None:
    mcp_server.key = SECRET
    mcp_server.tools = [ECHO, ECHO | {"name": "bad", "inputSchema": {"$ref": "https://x.example/"}}]
    asked = {
        "url": mcp_server.url,
        "secret": "wrong",
        "secret_header": "Authorization",
        "secret_scheme": "Bearer",
    }
    assert "List its tools" in visitor.get(f"{PAGE}/server").text
    refused = visitor.post(f"{PAGE}/server", **asked)
    assert refused.status_code == 422 and "401" in refused.text and "wrong" not in refused.text
    listed = visitor.post(f"{PAGE}/server", **(asked | {"secret": SECRET})).text
    carried = CARRIED.search(listed)
    assert carried and "echo.text" in listed and "disabled" in listed and SECRET not in listed
    chosen = asked | {"secret": "", "carried": carried[1], "needs_approval": "true"}
    assert "No tool is chosen" in visitor.post(f"{PAGE}/choose", **chosen, tools="bad").text
    elsewhere = visitor.post(f"{PAGE}/choose", **(chosen | {"url": f"{mcp_server.url}?x"}), tools="echo.text")
    assert "lost on the way" in elsewhere.text
    assert visitor.post(f"{PAGE}/choose", **chosen, tools="echo.text").status_code == 303
    tool = session.scalars(select(Tool)).one()
    assert (tool.name, tool.configuration["tool"], tool.needs_approval) == ("echo_text", "echo.text", True)
    here = f"{PAGE}/{tool.id}"
    assert "It works." in visitor.post(f"{here}/test").text
    mcp_server.tools = [ECHO | {"inputSchema": {"type": "object"}}]
    assert "has changed the arguments" in visitor.post(f"{here}/test").text
    assert visitor.post(f"{here}/refresh").status_code == 303
    assert "It works." in visitor.post(f"{here}/test", arguments='{"text": "again"}').text


def test_a_search_and_a_flow_are_added(visitor: Visitor, session: Session, space: Item) -> None:
    assert space.title in visitor.get(f"{PAGE}/new?kind=space").text
    assert "Make a report" in visitor.get(f"{PAGE}/new?kind=flow").text
    assert visitor.get(f"{PAGE}/new?kind=shell").status_code == 422
    given = {"description": "Does it.", "active": "true"}
    assert (
        visitor.post(f"{PAGE}/new", kind="flow", name="report", flow="make-report", **given).status_code
        == 303
    )
    made = visitor.post(f"{PAGE}/new", kind="space", name="birds", spaces=str(space.id), **given)
    assert (
        "Nothing was found"
        in visitor.post(f"{made.headers['location']}/test", arguments='{"question": "x"}').text
    )
    assert "checked" in visitor.get(made.headers["location"]).text
    assert {"report", "birds"} <= set(re.findall(r">(\w+)</a></h2>", visitor.get(PAGE).text))


def test_an_agents_form_offers_what_is_on_and_keeps_what_is_gone(
    visitor_as: Callable[[str], Visitor], session: Session
) -> None:
    boss, member = visitor_as("owner"), visitor_as("member")
    given = {"kind": "space", "description": "Finds it.", "active": "true"}
    boss.post(f"{PAGE}/new", name="birds", **given)
    made = boss.post(f"{PAGE}/new", name="fish", **given)
    agent = member.post("/agents", title="Helper", tools=["birds", "fish"])
    assert agent.status_code == 303
    boss.post(f"{made.headers['location']}/remove")
    edit = member.get(f"{agent.headers['location']}/edit").text
    assert edit.count('name="tools"') == 2 and "Finds it." in edit and "Gone or off" in edit
    assert "settings/tools" not in edit.partition('id="tools-help"')[2].partition("</p>")[0]
    assert member.client.get(PAGE, headers=HTML).status_code == 403
