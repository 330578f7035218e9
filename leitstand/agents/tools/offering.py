"""What an agent is offered: those tools of its workspace that it names, and the search in its spaces."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.agents.tools import arguments, passages
from leitstand.agents.tools.kinds import SPACE, parameters_of
from leitstand.db.models import Tool
from leitstand.language_models.messages import Definition


@dataclass(frozen=True)
class Offered:
    """A tool as a model is offered it.

    Args:
        definition: its name, description and the JSON Schema of its arguments.
        tool_id: its row; None where it is built in.
        needs_approval: whether a person decides each time.
        repeatable: whether a use that was cut off may be made once more.
    """

    definition: Definition
    kind: str
    tool_id: UUID | None
    needs_approval: bool
    repeatable: bool

    @property
    def name(self) -> str:
        """What the model calls it."""
        return self.definition.name


SEARCH = Offered(
    Definition(passages.NAME, passages.DESCRIPTION, passages.PARAMETERS), SPACE, None, False, True
)


def offered(
    session: Session, *, workspace_id: UUID, names: Sequence[str], spaces: Collection[UUID | str]
) -> list[Offered]:
    """The active tools of the workspace that an agent names, in its order, and the search where it has spaces.

    A name that is no active tool any more is left out.
    """
    query = select(Tool).where(Tool.workspace_id == workspace_id, Tool.name.in_(list(names)), Tool.active)
    found = {tool.name: of(tool) for tool in session.scalars(query)}
    chosen = [found[name] for name in dict.fromkeys(names) if name in found]
    return [SEARCH, *chosen] if spaces else chosen


def of(tool: Tool) -> Offered:
    """A tool of a workspace, as it is offered."""
    definition = Definition(tool.name, tool.description, parameters_of(tool))
    return Offered(definition, tool.kind, tool.id, tool.needs_approval, tool.repeatable)


def checked_arguments(tool: Offered, raw: str) -> dict[str, Any]:
    """A model's arguments, read and checked with the tool's schema.

    Raises:
        InvalidInput: they are no JSON object or do not fit; the message says why in words that a model can use.
    """
    return arguments.checked(tool.definition.parameters, arguments.read(raw))
