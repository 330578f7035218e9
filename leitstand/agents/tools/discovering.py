"""Which tools an MCP server has, so that somebody chooses those that become the workspace's."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from leitstand.agents.tools import mcp, mcp_tools, signing_in
from leitstand.errors import IntegrityFailed, InvalidInput, Unavailable
from leitstand.identity.access import Principal, require
from leitstand.identity.sealing import open_sealed, seal

SECONDS = 15.0
LONGEST = 64
UNFIT = re.compile(r"[^A-Za-z0-9_-]+")


def discover(
    *, principal: Principal, configuration: Mapping[str, Any], secret: str, seconds: float = SECONDS
) -> list[mcp.Listed]:
    """Ask a server for its tools; no transaction may be open meanwhile.

    Args:
        configuration: `url`, and how it is signed in to, as a tool's.

    Raises:
        InvalidInput: the address, a header or the secret is not fit, or no such server answers there.
        Forbidden: without `workspace:manage`.
        TooLarge: the answer is.
    """
    require(principal, "workspace:manage")
    server = mcp_tools.checked_server(configuration)
    asked = mcp_tools.server_of(server, signing_in.checked_secret(secret))
    try:
        return mcp.list_tools(asked, seconds=seconds)
    except Unavailable as error:
        raise InvalidInput(error.message, hint=error.hint) from error


def suggested_name(name: str) -> str:
    """A name of ours for a server's tool."""
    return UNFIT.sub("_", name).strip("_-")[:LONGEST] or "tool"


def carry(principal: Principal, url: str, secret: str) -> str:
    """A secret, sealed for the way through the page on which tools are chosen: for this person, workspace and server."""
    if not secret:
        return ""
    return base64.urlsafe_b64encode(seal(secret, place=_place(principal, url))).decode()


def carried(principal: Principal, url: str, text: str) -> str:
    """The secret that was carried.

    Raises:
        InvalidInput: it is none, or was sealed for somebody else or another server.
    """
    if not text:
        return ""
    try:
        return open_sealed(base64.urlsafe_b64decode(text), place=_place(principal, url))
    except (binascii.Error, ValueError, IntegrityFailed) as error:
        raise InvalidInput("The secret was lost on the way.", hint="Enter it again.") from error


def _place(principal: Principal, url: str) -> str:
    return f"tool.choosing:{principal.workspace_id}:{principal.person_id}:{url}"
