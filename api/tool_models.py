"""The shapes of tools in the JSON API; no answer has a secret."""

from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import Field

from api.models import Answer, Request
from leitstand.agents.tools.configured import Draft
from leitstand.agents.tools.signing_in import HEADER
from leitstand.db.models import Tool

KINDS = Literal["http", "mcp", "space", "flow"]
CONFIGURATION = (
    "Of the kind. http: `method`, `url` with `{argument}` places in path and query; mcp: `url`, `tool`; both with"
    " `headers`, `secret_header` (Authorization) and `secret_scheme` (Bearer). space: `spaces` (ids; none: all that the"
    " person may read). flow: `flow`."
)
PARAMETERS = (
    "JSON Schema of the arguments, of an object. Those of a search and of a flow are given by their kind."
)


class ToolOut(Answer):
    """A tool without its secret."""

    id: UUID
    name: str
    kind: KINDS
    description: str
    configuration: dict[str, Any]
    parameters: dict[str, Any]
    has_secret: bool
    needs_approval: bool
    repeatable: bool
    active: bool
    checked_at: datetime | None
    check_problem: str
    created_by: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, tool: Tool) -> Self:
        """With whether it has a secret."""
        fields = {name: getattr(tool, name) for name in cls.model_fields if name != "has_secret"}
        return cls(**fields, has_secret=tool.secret is not None)


class ToolIn(Request):
    """An empty `secret` leaves the one that is there; `forget_secret` takes it away."""

    name: str = Field(description="What models call it: letters, digits, - and _.")
    kind: KINDS
    description: str = Field(description="What it does, and when to use it: models choose by it.")
    configuration: dict[str, Any] = Field({}, description=CONFIGURATION)
    parameters: dict[str, Any] = Field({}, description=PARAMETERS)
    secret: str = Field("", repr=False)
    needs_approval: bool = Field(False, description="Whether a person decides each time.")
    repeatable: bool = Field(False, description="Whether a use that was cut off may be made once more.")
    active: bool = True
    forget_secret: bool = False

    @property
    def draft(self) -> Draft:
        """As the core takes it."""
        return Draft(**self.model_dump())


class ToolName(Answer):
    """What whoever makes agents may know of a tool."""

    name: str
    kind: KINDS
    description: str
    needs_approval: bool


class ServerIn(Request):
    """A server that speaks the Model Context Protocol."""

    url: str
    headers: dict[str, str] = Field({}, max_length=20)
    secret: str = Field("", repr=False)
    secret_header: str = HEADER
    secret_scheme: str | None = Field(None, description="In front of the secret; null: the usual one.")


class ListedOut(Answer):
    """A tool as its server describes it."""

    name: str
    description: str
    parameters: dict[str, Any]
    problem: str = Field(description="Why its arguments can't be taken; empty where they can.")


class TryIn(Request):
    """With which arguments to use a tool, really; null: none. A tool of an MCP server is then only looked for."""

    arguments: dict[str, Any] | None = None


class TriedOut(Answer):
    """What a model would have been told, or what was wrong."""

    text: str
    problem: str
