"""The form of a tool: what is typed, and what the core takes of it."""

import json
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel

from leitstand.agents.tools.configured import Draft
from leitstand.agents.tools.flows import FLOWS
from leitstand.agents.tools.signing_in import HEADER, SCHEME
from leitstand.db.models import Tool
from leitstand.errors import InvalidInput

EXAMPLE = {
    "type": "object",
    "properties": {"order": {"type": "string", "description": "The number of the order"}},
    "required": ["order"],
}


class Server(BaseModel):
    """Where a tool's server is, and how it is signed in to; `headers` has one a line."""

    url: str = ""
    headers: str = ""
    secret: str = ""
    secret_header: str = HEADER
    secret_scheme: str = SCHEME

    @property
    def server(self) -> dict[str, Any]:
        """This part of a configuration.

        Raises:
            InvalidInput: a line is no header.
        """
        return {
            "url": self.url,
            "headers": _headers(self.headers),
            "secret_header": self.secret_header,
            "secret_scheme": self.secret_scheme,
        }


class Entered(Server):
    """The whole form; which fields count is of the kind."""

    kind: str = "http"
    name: str = ""
    description: str = ""
    method: str = "GET"
    tool: str = ""
    parameters: str = ""
    flow: str = ""
    spaces: list[str] = []
    needs_approval: bool = False
    repeatable: bool = False
    active: bool = False
    forget_secret: bool = False

    @classmethod
    def fresh(cls, kind: str) -> Self:
        """What the form of a new tool begins with: what acts waits for a person unless somebody says otherwise."""
        return cls(
            kind=kind, active=True, needs_approval=kind != "space", parameters=_written(EXAMPLE), flow=FLOWS[0].name
        )  # fmt: skip

    @classmethod
    def of(cls, tool: Tool) -> Self:
        """What the form of one that is there begins with; its secret is never in it."""
        configuration = dict(tool.configuration)
        headers = configuration.pop("headers", {})
        return cls(
            kind=tool.kind, name=tool.name, description=tool.description, needs_approval=tool.needs_approval,
            repeatable=tool.repeatable, active=tool.active, parameters=_written(tool.parameters),
            headers="\n".join(f"{name}: {value}" for name, value in headers.items()), **configuration,
        )  # fmt: skip

    @property
    def draft(self) -> Draft:
        """What is entered, as the core takes it.

        Raises:
            InvalidInput: the arguments are no JSON, or a line is no header.
        """
        return Draft(
            self.name, self.kind, self.description, self._configuration(), self._parameters(), self.secret,
            self.needs_approval, self.repeatable, self.active, self.forget_secret,
        )  # fmt: skip

    def _configuration(self) -> dict[str, Any]:
        if self.kind == "http":
            return {"method": self.method, **self.server}
        if self.kind == "mcp":
            return {"tool": self.tool, **self.server}
        return {"flow": self.flow} if self.kind == "flow" else {"spaces": self.spaces}

    def _parameters(self) -> dict[str, Any]:
        if self.kind not in ("http", "mcp"):
            return {}
        try:
            found = json.loads(self.parameters)
        except (ValueError, RecursionError) as error:
            raise InvalidInput(
                "The arguments are not JSON.", hint="Look for a missing quote or comma."
            ) from error
        if not isinstance(found, dict):
            raise InvalidInput("The arguments are no JSON Schema of an object.")
        return found


class Chosen(Server):
    """Which tools of a server become the workspace's; `carried` is the secret, sealed for the way."""

    carried: str = ""
    tools: list[str] = []
    needs_approval: bool = False


def _written(schema: Mapping[str, Any]) -> str:
    """The database keeps no order: what is read first stands first."""
    first = {name: schema[name] for name in ("type", "properties", "required") if name in schema}
    return json.dumps({**first, **schema}, ensure_ascii=False, indent=2)


def _headers(text: str) -> dict[str, str]:
    found = {}
    for line in filter(str.strip, text.splitlines()):
        name, mark, value = line.partition(":")
        if not mark:
            raise InvalidInput("A header is written as Name: value.", hint="Write one a line.")
        found[name.strip()] = value.strip()
    return found
