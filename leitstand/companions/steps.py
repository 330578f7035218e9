"""The steps of a flow: what each holds, and where it may lead."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from leitstand.catalogue.kinds.control import Control
from leitstand.catalogue.kinds.control_values import CONTROLS
from leitstand.catalogue.kinds.faults import of_model
from leitstand.companions.graph import CLOSING, PASSING
from leitstand.words import N_

__all__ = ["CLOSING", "PASSING"]
MAX_OPTIONS = 50
MAX_BRANCHES = 20
MAX_TEXT = 10_000
MAX_ANSWER = 4_000
MAX_VALUE = 1_000
NAME_HINT = N_("a name has 1 to 80 characters, no line ends and no spaces around it")


def _name(value: str) -> str:
    if value != value.strip() or re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", value):
        raise ValueError(NAME_HINT)
    return value


def _text(value: str) -> str:
    if CONTROLS.search(value) or re.search(r"[\ud800-\udfff]", value):
        raise ValueError(N_("holds characters that can't be shown"))
    return value


Name = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_name)]
Words = Annotated[str, Field(min_length=1, max_length=MAX_TEXT), AfterValidator(_text)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Message(_Part):
    """Words that are shown; the run goes on without waiting."""

    kind: Literal["message"]
    name: Name
    text: Words
    next: Name

    def exits(self) -> list[str]:
        """The steps that may come next."""
        return [self.next]


class Question(_Part):
    """A question answered in the visitor's own words."""

    kind: Literal["question"]
    name: Name
    text: Words
    next: Name
    required: bool = True
    long: bool = False
    max_length: int = Field(default=1_000, ge=1, le=MAX_ANSWER)

    def exits(self) -> list[str]:
        """The steps that may come next."""
        return [self.next]


class Option(_Part):
    """One answer of a choice; without `next` the run goes where the choice's own `next` says."""

    value: Name
    label: Words | None = None
    next: Name | None = None

    @property
    def shown(self) -> str:
        """What the visitor reads."""
        return self.label or self.value


class Choice(_Part):
    """A question answered by one of its options, each of which may lead elsewhere."""

    kind: Literal["choice"]
    name: Name
    text: Words
    options: list[Option] = Field(min_length=1, max_length=MAX_OPTIONS)
    next: Name | None = None

    def exits(self) -> list[str]:
        """The steps that may come next; an option that leads nowhere is the empty name."""
        return [option.next or self.next or "" for option in self.options]

    def option(self, value: str) -> Option | None:
        """The option of that value."""
        return next((option for option in self.options if option.value == value), None)


class End(_Part):
    """Where a run closes."""

    kind: Literal["end"]
    name: Name
    text: Words

    def exits(self) -> list[str]:
        """Nothing comes after an end."""
        return []


def _shape(value: dict[str, Any]) -> dict[str, Any]:
    try:
        Control.model_validate(value)
    except ValidationError as error:
        raise ValueError(of_model(error.errors()[0])) from None
    return value


ItemId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
Value = Annotated[str, Field(max_length=MAX_VALUE), AfterValidator(_text)]


class Input(_Part):
    """A value asked for through a control; `shape` is the control as it was when the version was saved."""

    kind: Literal["input"]
    name: Name
    text: Words
    control: ItemId
    next: Name
    required: bool = True
    shape: Annotated[dict[str, Any], AfterValidator(_shape)] | None = None

    def exits(self) -> list[str]:
        """The steps that may come next."""
        return [self.next]

    @property
    def content(self) -> dict[str, Any]:
        """The control's content; a line of text where none is kept."""
        return Control.model_validate(self.shape or {}).document()


class Ask(_Part):
    """A visitor's question, answered from a space with citations; `unanswered` is where it goes on without an answer."""

    kind: Literal["ask"]
    name: Name
    text: Words
    space: ItemId
    next: Name
    unanswered: Name | None = None

    def exits(self) -> list[str]:
        """The steps that may come next."""
        return [self.next, *([self.unanswered] if self.unanswered else [])]


Operator = Literal["equals", "differs", "contains", "empty", "filled", "less", "at_most", "at_least", "more"]


class Branch(_Part):
    """One test of a condition and where it leads when it holds."""

    variable: Name
    operator: Operator
    value: Value = ""
    next: Name


class Condition(_Part):
    """The first branch that holds says where the run goes on; `next` where none does."""

    kind: Literal["condition"]
    name: Name
    branches: list[Branch] = Field(min_length=1, max_length=MAX_BRANCHES)
    next: Name

    @property
    def text(self) -> str:
        """Nothing is shown."""
        return ""

    def exits(self) -> list[str]:
        """The steps that may come next."""
        return [*(branch.next for branch in self.branches), self.next]


class Set(_Part):
    """Remembers a value under a name, or adds a number to it; `value` may hold {{names}} of what is known."""

    kind: Literal["set"]
    name: Name
    variable: Name
    value: Value = ""
    operation: Literal["put", "add"] = "put"
    next: Name

    @property
    def text(self) -> str:
        """Nothing is shown."""
        return ""

    def exits(self) -> list[str]:
        """The steps that may come next."""
        return [self.next]


class HandOver(_Part):
    """Closes the run and gives it to a person or a group of the workspace."""

    kind: Literal["handover"]
    name: Name
    text: Words
    person: ItemId | None = None
    group: ItemId | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.person is None) == (self.group is None):
            raise ValueError(N_("needs either 'person' or 'group'"))
        return self

    def exits(self) -> list[str]:
        """Nothing comes after it."""
        return []


AnyStep = Message | Question | Choice | Input | Condition | Set | Ask | HandOver | End
Step = Annotated[AnyStep, Field(discriminator="kind")]
WAITING = ("question", "choice", "input", "ask")
KINDS = ("message", "question", "choice", "input", "condition", "set", "ask", "handover", "end")
