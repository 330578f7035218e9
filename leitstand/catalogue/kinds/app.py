"""Apps: an agent behind a form, and how its output is shown."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from leitstand.catalogue.kinds.base import Content, Key, Part, Reference, Text
from leitstand.words import N_

FIELDS = ("text", "long", "number", "yes-no", "choice", "control")
VIEWS = ("text", "list", "table", "json")
Option = Annotated[Text, Field(min_length=1, max_length=200)]


class Input(Part):
    """One thing that an app asks for: a simple field, a choice of options, or a control."""

    name: Key
    label: Annotated[Text, Field(max_length=100)] = ""
    field: Literal["text", "long", "number", "yes-no", "choice", "control"] = "text"
    options: Annotated[tuple[Option, ...], Field(max_length=50)] = ()
    control_id: UUID | None = None
    required: bool = False

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.field == "choice" and not self.options:
            raise ValueError(N_("a choice needs options"))
        return self


class App(Content):
    """An agent, what it is given and how its output is shown."""

    agent_id: UUID | None = None
    inputs: Annotated[tuple[Input, ...], Field(max_length=30)] = ()
    output: Literal["text", "list", "table", "json"] = "text"

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        names = [given.name for given in self.inputs]
        if len(set(names)) != len(names):
            raise ValueError(N_("an input's name stands once"))
        return self

    def references(self) -> Iterator[Reference]:
        """Its agent and its controls."""
        if self.agent_id:
            yield Reference("/agent_id", self.agent_id, "agent")
        for at, given in enumerate(self.inputs):
            if given.control_id:
                yield Reference(f"/inputs/{at}/control_id", given.control_id, "control")

    def without(self, hidden: set[UUID]) -> Self:
        """Agent and controls that a reader may not see are left empty."""
        changes: dict[str, Any] = {"inputs": tuple(_blank(given, hidden) for given in self.inputs)}
        if self.agent_id in hidden:
            changes["agent_id"] = None
        return self.model_copy(update=changes)

    def keeping(self, old: Self, hidden: set[UUID]) -> Self:
        """What was left empty for the editor and still is, stays what it was."""
        before = {given.name: given.control_id for given in old.inputs if given.control_id in hidden}
        inputs = tuple(
            given.model_copy(update={"control_id": before[given.name]})
            if given.field == "control" and given.control_id is None and given.name in before
            else given
            for given in self.inputs
        )
        changes: dict[str, Any] = {"inputs": inputs}
        if self.agent_id is None and old.agent_id in hidden:
            changes["agent_id"] = old.agent_id
        return self.model_copy(update=changes)


def _blank(given: Input, hidden: set[UUID]) -> Input:
    return given.model_copy(update={"control_id": None}) if given.control_id in hidden else given
