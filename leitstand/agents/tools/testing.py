"""A tool is tried by whoever sets it up; what its server says is kept with it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Engine

from leitstand.agents.tools import configured, mcp_tools
from leitstand.agents.tools.offering import checked_arguments, of
from leitstand.agents.tools.using import as_member, secret_of, use
from leitstand.db.models import Tool
from leitstand.db.models.base import new_id
from leitstand.errors import LeitstandError
from leitstand.identity.access import Principal

SECONDS = 20.0
MCP = "mcp"


@dataclass(frozen=True)
class Tried:
    """What a model would have been told, and what was wrong; each is empty where the other is not, or nothing came."""

    text: str = ""
    problem: str = ""


def test(
    engine: Engine, *, principal: Principal, tool_id: UUID, arguments: str = "", seconds: float = SECONDS
) -> Tried:
    """Use the tool with these arguments, really, and keep what was wrong. No transaction is open meanwhile.

    Of a server that speaks MCP it is first asked whether it still has the tool as it was kept, and where no arguments
    are given, nothing else.

    Args:
        arguments: a JSON object as text; empty: none.

    Raises:
        NotFound: there is none of that id here.
        Forbidden: without `workspace:manage`.
    """
    with as_member(engine, principal) as session:
        tool = configured.get(session, principal=principal, tool_id=tool_id)
    try:
        tried = _tried(engine, principal, tool, arguments, seconds)
    except LeitstandError as error:
        tried = Tried(problem=error.said)
    with as_member(engine, principal) as session:
        kept = configured.get(session, principal=principal, tool_id=tool_id, lock=True)
        kept.checked_at, kept.check_problem = datetime.now(UTC), tried.problem
    return tried


def refresh(engine: Engine, *, principal: Principal, tool_id: UUID, seconds: float = SECONDS) -> Tool:
    """Take over what an MCP server says of its tool now: its arguments and its description.

    Raises:
        InvalidInput: the server does not have it any more, or its arguments can't be taken; or it is of another kind.
        NotFound: there is none of that id here.
        Forbidden: without `workspace:manage`.
        LeitstandError: the server does not answer.
    """
    with as_member(engine, principal) as session:
        tool = configured.get(session, principal=principal, tool_id=tool_id)
    found = mcp_tools.described(tool, secret_of(tool), seconds=seconds)
    with as_member(engine, principal) as session:
        return configured.take_over(session, principal=principal, tool_id=tool_id, found=found)


def _tried(engine: Engine, principal: Principal, tool: Tool, arguments: str, seconds: float) -> Tried:
    if tool.kind == MCP:
        if problem := mcp_tools.look(tool, secret_of(tool), seconds=seconds):
            return Tried(problem=problem)
        if not arguments.strip():
            return Tried()
    offered = of(tool)
    given = use(
        engine,
        principal=principal,
        offered=offered,
        arguments=checked_arguments(offered, arguments),
        spaces=(),
        key=f"test-{new_id()}",
        seconds=seconds,
        tried=True,
    )
    return Tried(given.text)
