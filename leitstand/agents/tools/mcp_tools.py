"""Tools of a server that speaks the Model Context Protocol; the schema that was kept with a tool rules."""

from collections.abc import Mapping
from typing import Any

from leitstand.agents.tools import mcp, signing_in
from leitstand.agents.tools.asked import Asked
from leitstand.agents.tools.schemas import checked_parameters
from leitstand.db.models import Tool
from leitstand.errors import InvalidInput
from leitstand.integrations.addresses import checked_url
from leitstand.words import msg


def checked(
    configuration: Mapping[str, Any], parameters: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Configuration and schema of such a tool.

    Raises:
        InvalidInput: the address, a header, the tool's name or the schema is not fit.
    """
    tool = str(configuration.get("tool", "")).strip()
    if not tool or len(tool) > mcp.LONGEST_NAME or not tool.isprintable():
        raise InvalidInput("The name of the tool at its server is missing or too long.")
    return checked_server(configuration) | {"tool": tool}, checked_parameters({**parameters})


def checked_server(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a configuration that says where the server is.

    Raises:
        InvalidInput: the address or a header is not fit.
    """
    return {"url": checked_url(str(configuration.get("url", ""))), **signing_in.checked(configuration)}


def server_of(configuration: Mapping[str, Any], secret: str) -> mcp.Server:
    """The server, as the client asks it."""
    return mcp.Server(configuration["url"], signing_in.headers_of(configuration, secret), secret)


def use(asked: Asked) -> str:
    """Have the server use the tool; what a model is told.

    Raises:
        LeitstandError: as `mcp.call`.
    """
    server = server_of(asked.configuration, asked.secret)
    return mcp.call(
        server,
        tool=asked.configuration["tool"],
        arguments=asked.arguments,
        key=asked.key,
        seconds=asked.seconds,
    )


def look(tool: Tool, secret: str, *, seconds: float) -> str:
    """Whether the server still has the tool with these arguments; what is wrong, empty where nothing is.

    Raises:
        LeitstandError: as `described`.
    """
    found = described(tool, secret, seconds=seconds)
    if found.parameters != tool.parameters:
        return msg(
            "The server has changed the arguments of {tool} since they were kept. Those that were kept rule.",
            tool=found.name,
        )
    return ""


def described(tool: Tool, secret: str, *, seconds: float) -> mcp.Listed:
    """The tool as its server describes it now.

    Raises:
        InvalidInput: it is no tool of an MCP server, or the server does not have it any more, or with arguments that
            can't be taken.
        LeitstandError: as `mcp.list_tools`.
    """
    if tool.kind != "mcp":
        raise InvalidInput("This is no tool of an MCP server.")
    name = tool.configuration["tool"]
    found = mcp.list_tools(server_of(tool.configuration, secret), seconds=seconds)
    one = next((one for one in found if one.name == name), None)
    if one is None:
        raise InvalidInput(msg("The server does not have the tool {tool} any more.", tool=name))
    if one.problem:
        raise InvalidInput(one.problem)
    return one
