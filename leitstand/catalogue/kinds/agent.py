"""Agents: instructions, tools, spaces, a model, and how much one thread may use."""

from collections.abc import Iterator
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, field_validator

from leitstand.catalogue.kinds.base import WHOLE, Content, Part, Reference, Text
from leitstand.words import N_

ToolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")]


class Provenance(Part):
    """Where an agent comes from, in words and as an address."""

    text: Annotated[Text, Field(max_length=500)] = ""
    url: Annotated[Text, Field(max_length=500)] = ""

    @field_validator("url")
    @classmethod
    def _opens_a_page(cls, url: str) -> str:
        if url and not url.startswith(("https://", "http://")):
            raise ValueError(N_("must begin with https:// or http://"))
        return url


class ThreadLimits(Part):
    """What one thread of an agent may use before it is ended: steps, seconds of work, tokens and cost.

    Cost is in millionths of the currency; 0: as much as it takes. The seconds in which it waits for a person, or for its
    turn, do not count.
    """

    steps: Annotated[int, Field(ge=1, le=200), WHOLE] = 20
    seconds: Annotated[int, Field(ge=10, le=3_600), WHOLE] = 300
    tokens: Annotated[int, Field(ge=1_000, le=10_000_000), WHOLE] = 100_000
    cost: Annotated[int, Field(ge=0, le=1_000_000_000), WHOLE] = 0


class Agent(Content):
    """What an agent is told, may use and may read."""

    instructions: Annotated[Text, Field(max_length=20_000)] = ""
    tools: Annotated[tuple[ToolName, ...], Field(max_length=50)] = ()
    spaces: Annotated[tuple[UUID, ...], Field(max_length=50)] = ()
    model: Annotated[Text, Field(max_length=100)] = ""
    limits: ThreadLimits = ThreadLimits()
    provenance: Provenance = Provenance()
    questions: Annotated[
        tuple[Annotated[Text, Field(min_length=1, max_length=200)], ...], Field(max_length=10)
    ] = ()

    @field_validator("tools", "spaces")
    @classmethod
    def _each_once[Value](cls, values: tuple[Value, ...]) -> tuple[Value, ...]:
        return tuple(dict.fromkeys(values))

    def references(self) -> Iterator[Reference]:
        """The spaces it reads."""
        for at, space in enumerate(self.spaces):
            yield Reference(f"/spaces/{at}", space, "space")

    def without(self, hidden: set[UUID]) -> Self:
        """Without the spaces that a reader may not see."""
        return self.model_copy(update={"spaces": tuple(s for s in self.spaces if s not in hidden)})

    def keeping(self, old: Self, hidden: set[UUID]) -> Self:
        """Hidden spaces stay."""
        kept = tuple(space for space in old.spaces if space in hidden and space not in self.spaces)
        return self.model_copy(update={"spaces": self.spaces + kept})
