"""Tools that agents may use: set up, tried, and chosen from a server that speaks the Model Context Protocol."""

import json
from uuid import UUID

from fastapi import APIRouter, Depends, status

from api.tool_models import ListedOut, ServerIn, ToolIn, ToolName, ToolOut, TriedOut, TryIn
from leitstand.agents.tools import configured, discovering, testing
from leitstand.db.engine import get_engine
from leitstand.identity.access import require
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, paused, require_csrf

router = APIRouter(prefix="/tools", tags=["tools"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]


@router.get("")
def list_tools(session: Db, principal: CurrentPrincipal) -> list[ToolOut]:
    """The workspace's tools by name, without their secrets."""
    return [ToolOut.of(one) for one in configured.list_tools(session, principal=principal)]


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=CSRF)
def create_tool(session: Db, principal: CurrentPrincipal, new: ToolIn) -> ToolOut:
    """Add a tool."""
    tool = configured.create(session, principal=principal, draft=new.draft)
    session.refresh(tool)
    return ToolOut.of(tool)


@router.get("/names")
def list_tool_names(session: Db, principal: CurrentPrincipal) -> list[ToolName]:
    """The names and descriptions of the active tools, for whoever makes agents."""
    return [ToolName.model_validate(one) for one in configured.names(session, principal=principal)]


@router.post("/discover", dependencies=CSRF)
def discover_tools(session: Db, principal: CurrentPrincipal, server: ServerIn) -> list[ListedOut]:
    """Ask an MCP server which tools it has; nothing is kept."""
    require(principal, "workspace:manage")
    configuration = server.model_dump(exclude={"secret"})
    with paused(session, principal):
        found = discovering.discover(principal=principal, configuration=configuration, secret=server.secret)
    return [ListedOut.model_validate(one) for one in found]


@router.get("/{tool_id}")
def get_tool(session: Db, principal: CurrentPrincipal, tool_id: UUID) -> ToolOut:
    """One tool, without its secret."""
    return ToolOut.of(configured.get(session, principal=principal, tool_id=tool_id))


@router.put("/{tool_id}", dependencies=CSRF)
def change_tool(session: Db, principal: CurrentPrincipal, tool_id: UUID, change: ToolIn) -> ToolOut:
    """Change a tool, turn it off or on; of which kind it is stays."""
    return ToolOut.of(configured.update(session, principal=principal, tool_id=tool_id, draft=change.draft))


@router.delete("/{tool_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF)
def remove_tool(session: Db, principal: CurrentPrincipal, tool_id: UUID) -> None:
    """Take a tool away, with its secret."""
    configured.remove(session, principal=principal, tool_id=tool_id)


@router.post("/{tool_id}/test", dependencies=CSRF)
def test_tool(session: Db, principal: CurrentPrincipal, tool_id: UUID, wanted: TryIn) -> TriedOut:
    """Use the tool, really, and keep what was wrong; of an MCP server, look whether it still has it as it was kept."""
    configured.get(session, principal=principal, tool_id=tool_id)
    arguments = "" if wanted.arguments is None else json.dumps(wanted.arguments)
    with paused(session, principal):
        tried = testing.test(get_engine(), principal=principal, tool_id=tool_id, arguments=arguments)
    return TriedOut.model_validate(tried)


@router.post("/{tool_id}/refresh", dependencies=CSRF)
def refresh_tool(session: Db, principal: CurrentPrincipal, tool_id: UUID) -> ToolOut:
    """Take over what an MCP server says of its tool now: its arguments and its description."""
    configured.get(session, principal=principal, tool_id=tool_id)
    with paused(session, principal):
        tool = testing.refresh(get_engine(), principal=principal, tool_id=tool_id)
    return ToolOut.of(tool)
