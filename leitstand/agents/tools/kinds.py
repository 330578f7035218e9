"""The kinds of tools: how each is configured, and how one of somebody else's server is asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from leitstand.agents.tools import flows, http_requests, mcp_tools, passages
from leitstand.agents.tools.asked import Asked
from leitstand.db.models import Tool
from leitstand.errors import InvalidInput
from leitstand.words import N_, msg

Checked = tuple[dict[str, Any], dict[str, Any]]
SPACE, FLOW = "space", "flow"
SERVER = frozenset({"url", "headers", "secret_header", "secret_scheme"})


@dataclass(frozen=True)
class Kind:
    """A kind of tool.

    Args:
        check: judges configuration and schema, and gives both as they are kept.
        members: what its configuration may have.
        ask: asks somebody else's server; None where the tool works within Leitstand.
    """

    name: str
    title: str
    purpose: str
    check: Callable[[Mapping[str, Any], Mapping[str, Any]], Checked]
    members: frozenset[str]
    ask: Callable[[Asked], str] | None = None


KINDS = (
    Kind("http", N_("HTTP request"), N_("One request to a server: its address is fixed, the model fills in arguments."), http_requests.checked, SERVER | {"method"}, http_requests.use),
    Kind("mcp", N_("MCP server"), N_("A tool of a server that speaks the Model Context Protocol."), mcp_tools.checked, SERVER | {"tool"}, mcp_tools.use),
    Kind(SPACE, N_("Search in spaces"), N_("Passages of the documents that the person may read."), passages.checked, frozenset({"spaces"})),
    Kind(FLOW, N_("Flow"), N_("Something that Leitstand does itself, if the person may start it."), flows.checked, frozenset({"flow"})),
)  # fmt: skip
BY_NAME = {kind.name: kind for kind in KINDS}


def parameters_of(tool: Tool) -> dict[str, Any]:
    """The schema of a tool's arguments: what was kept of somebody else's server, of what is ours as it is now."""
    kind = BY_NAME[tool.kind]
    return tool.parameters if kind.ask else kind.check(tool.configuration, {})[1]


def find(name: str) -> Kind:
    """The kind of that name.

    Raises:
        InvalidInput: there is none.
    """
    if name not in BY_NAME:
        raise InvalidInput(
            msg("There is no kind of tool {name!r}.", name=name[:50]),
            hint=msg("One of {names}.", names=", ".join(BY_NAME)),
        )
    return BY_NAME[name]
