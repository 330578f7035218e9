"""The parts of an environment: how each is found, how it differs from its description, and how it is made."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from leitstand.hetzner.cloud import LABEL, Cloud
from leitstand.hetzner.description import Environment
from leitstand.words import msg


@dataclass(frozen=True)
class Change:
    """One thing to do to what is there, and the sentence that says it."""

    sentence: str
    do: Callable[[], None]


@dataclass
class Look:
    """How a part stands: there or not, what to change, why nothing may be done to it, and what is only to be known."""

    there: bool
    changes: list[Change] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Part(ABC):
    """One thing of an environment. `data` says that its loss would lose data or an address that others know."""

    kind: ClassVar[str]
    title: ClassVar[str]
    data: ClassVar[bool] = False
    protectable: ClassVar[bool] = False

    def __init__(self, cloud: Cloud, environment: Environment, name: str) -> None:
        self.cloud, self.environment, self.name = cloud, environment, name

    @property
    def labels(self) -> dict[str, str]:
        """Labels that the thing bears: whose it is."""
        return {LABEL: self.environment.name}

    def found(self) -> Any:
        """The thing as the project has it, or None."""
        return self.cloud.all(self.kind).get(self.name)

    def look(self) -> Look:
        """How it stands now."""
        thing = self.found()
        if thing is None:
            return Look(False, refusals=list(self.reasons_not_to_make()))
        if owner := self._stranger(thing):
            return Look(True, refusals=[owner])
        look = Look(True)
        look.refusals += self.unchangeable(thing)
        look.notes += self.notes(thing)
        look.changes += [*self._labelling(thing), *self.changes(thing), *self._protecting(thing)]
        return look

    def _stranger(self, thing: Any) -> str:
        whose = (thing.labels or {}).get(LABEL)
        if whose == self.environment.name:
            return ""
        if whose:
            return msg("it is {whose}'s", whose=whose)
        return msg(
            "it was not made from here; give it the label {label}", label=f"{LABEL}={self.environment.name}"
        )

    def _labelling(self, thing: Any) -> Iterator[Change]:
        wanted = {**(thing.labels or {}), **self.labels}
        if wanted != thing.labels and self.relabels:
            yield Change(msg("labels it"), lambda: thing.update(labels=wanted))

    relabels: ClassVar[bool] = True

    def _protecting(self, thing: Any) -> Iterator[Change]:
        if self.protectable and not (thing.protection or {}).get("delete"):
            yield Change(msg("protects it from deletion"), lambda: self.protect(thing))

    def protect(self, thing: Any) -> None:
        """Have Hetzner refuse its deletion."""
        self.cloud.wait(thing.change_protection(delete=True))

    def reasons_not_to_make(self) -> Iterator[str]:
        """Why it can't be made; nothing as a rule."""
        return iter(())

    def unchangeable(self, thing: Any) -> Iterator[str]:
        """How it differs in what is never changed here."""
        return iter(())

    def notes(self, thing: Any) -> Iterator[str]:
        """What is to be known of it."""
        return iter(())

    def changes(self, thing: Any) -> Iterator[Change]:
        """What is to be done for it to be as described."""
        return iter(())

    @abstractmethod
    def make(self) -> None:
        """Make it, and wait until it is there."""


def differs(what: str, there: object, wanted: object) -> Iterator[str]:
    """A sentence where the two are not the same."""
    if there != wanted:
        yield msg("{what} is {there}, described is {wanted}", what=what, there=there, wanted=wanted)
