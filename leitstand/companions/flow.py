"""What a flow is: named steps, the ways between them, and the rules that keep every visitor out of a dead end.

A flow is JSON. A *message* is shown and the run goes on at once; a *question* waits for words; a *choice* waits
for one of its options; an *end* closes the run. So a run only ever stands at a question, a choice or an end.
"""

import json
import re
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from leitstand.companions.graph import check_graph
from leitstand.errors import InvalidInput

MAX_STEPS = 500
MAX_OPTIONS = 50
MAX_TEXT = 10_000
MAX_ANSWER = 4_000
MAX_FLOW_BYTES = 1_000_000
# C0 and C1 controls, without tab and line ends: PostgreSQL refuses NUL, and none of them is meant to be read.
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
NAME_HINT = "a name has 1 to 80 characters, no line ends and no spaces around it"


def _name(value: str) -> str:
    if value != value.strip() or re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", value):
        raise ValueError(NAME_HINT)
    return value


def _text(value: str) -> str:
    if CONTROLS.search(value) or re.search(r"[\ud800-\udfff]", value):
        raise ValueError("holds characters that can't be shown")
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


Step = Annotated[Message | Question | Choice | End, Field(discriminator="kind")]


class Flow(_Part):
    """A companion's flow; `start` is the first step of `steps` where it is not named."""

    title: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_text)]
    language: str = Field(default="en", pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$")
    start: Name | None = None
    steps: list[Step] = Field(min_length=1, max_length=MAX_STEPS)

    @property
    def first(self) -> str:
        """Name of the step where a run begins."""
        return self.start or self.steps[0].name

    def step(self, name: str) -> Message | Question | Choice | End:
        """The step of that name.

        Raises:
            KeyError: there is none.
        """
        return self.by_name[name]

    @cached_property
    def by_name(self) -> dict[str, Message | Question | Choice | End]:
        """Every step by its name."""
        return {step.name: step for step in self.steps}

    @property
    def ends(self) -> list[str]:
        """Names of the end steps, in the flow's order."""
        return [step.name for step in self.steps if step.kind == "end"]

    @property
    def funnel(self) -> list[str]:
        """Names of the steps that a run's events can name, in the flow's order: those that wait, then the ends."""
        return [step.name for step in self.steps if step.kind in ("question", "choice")] + self.ends

    def document(self) -> dict[str, Any]:
        """The flow as JSON values, without what was left to its default."""
        return self.model_dump(mode="json", exclude_unset=True)


def parse_flow(source: str | bytes | dict[str, Any]) -> Flow:
    """A flow from its JSON text or values, checked whole.

    Raises:
        InvalidInput: it can't be run; the message names the first step that is wrong and how to mend it, and
            `details["errors"]` lists every fault as {"step", "problem", "mend"}.
    """
    document = _load(source)
    try:
        flow = Flow.model_validate(document)
    except ValidationError as error:
        raise _refusal([_fault(document, issue) for issue in error.errors()]) from None
    faults = check_graph(flow.first, [(step.name, step.kind, step.exits()) for step in flow.steps])
    faults += [fault for step in flow.steps if step.kind == "choice" for fault in _option_faults(step)]
    if faults:
        raise _refusal(faults)
    return flow


def _load(source: str | bytes | dict[str, Any]) -> dict[str, Any]:
    if not isinstance(source, dict):
        if len(source) > MAX_FLOW_BYTES:
            raise InvalidInput("The flow is larger than 1 MB.", hint="Cut it into several companions.")
        try:
            source = json.loads(source)
        except (ValueError, RecursionError) as error:
            where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
            hint = "Check quotes, commas and brackets; the file must be UTF-8."
            raise InvalidInput(f"The flow is not valid JSON{where}.", hint=hint) from None
    if not isinstance(source, dict):
        raise InvalidInput("A flow is a JSON object.", hint='Begin with {"title": …, "steps": […]}.')
    return source


def _option_faults(step: Choice) -> list[dict[str, str]]:
    values = [option.value for option in step.options]
    doubled = sorted({value for value in values if values.count(value) > 1})
    return [
        _entry(
            step.name, f"has two options with the value {value!r}", "Give every option a value of its own."
        )
        for value in doubled
    ]


def _fault(document: dict[str, Any], issue: Any) -> dict[str, str]:
    """One of pydantic's issues in the words of a flow's author."""
    place = [part for part in issue["loc"] if part not in ("message", "question", "choice", "end")]
    name = _step_name(document, place)
    member = ".".join(str(part) for part in (place[2:] if len(place) > 1 and place[0] == "steps" else place))
    problem = {
        "missing": f"lacks {member!r}",
        "extra_forbidden": f"has the unknown member {member!r}",
        "union_tag_invalid": "is of no known kind",
        "union_tag_not_found": "lacks 'kind'",
    }.get(issue["type"], f"has a wrong {member!r}: {issue['msg']}" if member else f"is wrong: {issue['msg']}")
    mend = {
        "missing": f"Add {member!r}.",
        "extra_forbidden": "Remove it, or correct its spelling.",
        "union_tag_invalid": "Use message, question, choice or end.",
        "union_tag_not_found": "Add 'kind': message, question, choice or end.",
    }.get(issue["type"], "Correct that value.")
    return _entry(name, problem, mend)


def _step_name(document: dict[str, Any], place: list[Any]) -> str:
    """How an author finds the step: by its name, else by its position (from 1); empty for the flow itself."""
    if len(place) < 2 or place[0] != "steps" or not isinstance(place[1], int):
        return ""
    steps = document.get("steps")
    step = steps[place[1]] if isinstance(steps, list) else None
    name = step.get("name") if isinstance(step, dict) else None
    return name[:80] if isinstance(name, str) and name.strip() else f"number {place[1] + 1}"


def _entry(step: str, problem: str, mend: str) -> dict[str, str]:
    return {"step": step, "problem": problem, "mend": mend}


def _refusal(faults: list[dict[str, str]]) -> InvalidInput:
    first, more = faults[0], len(faults) - 1
    whose = f"step {first['step']!r}" if first["step"] else "it"
    tail = f" (and {more} more fault{'s' if more > 1 else ''})" if more else ""
    return InvalidInput(
        f"The flow can't be run: {whose} {first['problem']}{tail}.",
        hint=first["mend"],
        details={"errors": list(faults)},
    )
