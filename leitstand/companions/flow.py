"""What a flow is: named steps, the ways between them, and the rules that keep every visitor out of a dead end.

A flow is JSON. A *message* is shown, a *condition* and a *set* are not, and the run goes on at once; a *question*
waits for words, a *choice* for one of its options, an *input* for a control's value, an *ask* for a question that a
space answers; an *end* and a *handover* close the run. So a run only ever stands where it waits, or is closed.
"""

import json
from functools import cached_property
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError

from leitstand.catalogue.kinds.faults import of_model
from leitstand.companions.graph import check_graph, doubled, fault
from leitstand.companions.steps import (
    CLOSING,
    KINDS,
    MAX_ANSWER,
    WAITING,
    AnyStep,
    Ask,
    Choice,
    Condition,
    End,
    HandOver,
    Input,
    Message,
    Name,
    Question,
    Set,
    Step,
    _Part,
    _text,
)
from leitstand.errors import InvalidInput
from leitstand.words import N_, msg

__all__ = ["MAX_ANSWER", "Ask", "Choice", "Condition", "End", "HandOver", "Input", "Message", "Question", "Set"]  # fmt: skip
MAX_STEPS = 500
MAX_FLOW_BYTES = 1_000_000


class Flow(_Part):
    """A companion's flow; `start` is the first step of `steps` where it is not named.

    `draft` marks one that is kept although it can't be run yet: it is not published.
    """

    title: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_text)]
    language: str = Field(default="en", pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$")
    start: Name | None = None
    draft: bool = False
    steps: list[Step] = Field(min_length=1, max_length=MAX_STEPS)

    @property
    def first(self) -> str:
        """Name of the step where a run begins."""
        return self.start or self.steps[0].name

    def step(self, name: str) -> AnyStep:
        """The step of that name.

        Raises:
            KeyError: there is none.
        """
        return self.by_name[name]

    @cached_property
    def by_name(self) -> dict[str, AnyStep]:
        """Every step by its name."""
        return {step.name: step for step in self.steps}

    @property
    def ends(self) -> list[str]:
        """Names of the steps that close a run, in the flow's order."""
        return [step.name for step in self.steps if step.kind in CLOSING]

    @property
    def funnel(self) -> list[str]:
        """Names of the steps that a run's events can name, in the flow's order: those that wait, then the ends."""
        return [step.name for step in self.steps if step.kind in WAITING] + self.ends

    @cached_property
    def variables(self) -> frozenset[str]:
        """The names that texts, conditions and sets may use: what is answered, and what is set."""
        names = {step.name for step in self.steps if step.kind in WAITING}
        names |= {step.variable for step in self.steps if isinstance(step, Set)}
        for step in self.steps:
            if isinstance(step, Input):
                properties = step.content["schema"].get("properties", {})
                names |= {f"{step.name}.{member}" for member in properties}
        return frozenset(names)

    @cached_property
    def remembers(self) -> bool:
        """Whether where a run goes depends on earlier answers."""
        return any(step.kind == "condition" for step in self.steps)

    def rests_after(self, name: str) -> list[str]:
        """The steps at which a run can stand next, once that step was answered."""
        found: dict[str, None] = {}
        seen: set[str] = set()
        waiting = self.step(name).exits()[::-1]
        while waiting:
            at = waiting.pop()
            if at in seen:
                continue
            seen.add(at)
            step = self.step(at)
            if step.kind in WAITING or step.kind in CLOSING:
                found[at] = None
            else:
                waiting += step.exits()[::-1]
        return list(found)

    def document(self) -> dict[str, Any]:
        """The flow as JSON values, without what was left to its default."""
        return self.model_dump(mode="json", exclude_unset=True)


def parse_flow(source: str | bytes | dict[str, Any]) -> Flow:
    """A flow from its JSON text or values, checked whole.

    Raises:
        InvalidInput: it can't be run; the message names the first step that is wrong and how to mend it, and
            `details["errors"]` lists every fault as {"step", "problem", "mend"}.
    """
    flow = read_draft(source)
    if faults := problems(flow):
        raise _refusal(faults)
    return flow.model_copy(update={"draft": False}) if flow.draft else flow


def read_draft(source: str | bytes | dict[str, Any]) -> Flow:
    """A flow that may still be under work: each step is whole, but ways may lead nowhere.

    Raises:
        InvalidInput: as `parse_flow`, about single steps and doubled names.
    """
    document = _load(source)
    try:
        flow = Flow.model_validate(document)
    except ValidationError as error:
        raise _refusal([_fault(document, issue) for issue in error.errors()]) from None
    if faults := doubled(step.name for step in flow.steps):
        raise _refusal(faults)
    return flow


def problems(flow: Flow) -> list[dict[str, str]]:
    """Why a flow can't be run, each as {"step", "problem", "mend"}; none where it can."""
    faults = check_graph(flow.first, [(step.name, step.kind, step.exits()) for step in flow.steps])
    faults += [one for step in flow.steps if step.kind == "choice" for one in _option_faults(step)]
    return faults + [
        fault for step in flow.steps if step.kind == "condition" for fault in _unknown(flow, step)
    ]


def kept(flow: Flow) -> dict[str, Any]:
    """The document of a flow as it is kept: marked where it can't be run yet."""
    document = {name: value for name, value in flow.document().items() if name != "draft"}
    return document | ({"draft": True} if problems(flow) else {})


def _load(source: str | bytes | dict[str, Any]) -> dict[str, Any]:
    if not isinstance(source, dict):
        if len(source) > MAX_FLOW_BYTES:
            raise InvalidInput("The flow is larger than 1 MB.", hint="Cut it into several companions.")
        try:
            source = json.loads(source)
        except (ValueError, RecursionError) as error:
            raise InvalidInput(
                msg("The flow is not valid JSON (line {line}).", line=error.lineno)
                if isinstance(error, json.JSONDecodeError)
                else "The flow is not valid JSON.",
                hint="Check quotes, commas and brackets; the file must be UTF-8.",
            ) from None
    if not isinstance(source, dict):
        raise InvalidInput("A flow is a JSON object.", hint='Begin with {"title": …, "steps": […]}.')
    return source


def _option_faults(step: Choice) -> list[dict[str, str]]:
    values = [option.value for option in step.options]
    doubled = sorted({value for value in values if values.count(value) > 1})
    return [
        fault(
            step.name,
            msg("has two options with the value {value!r}", value=value),
            N_("Give every option a value of its own."),
        )
        for value in doubled
    ]


def _unknown(flow: Flow, step: Condition) -> list[dict[str, str]]:
    """Tests of what no step answers or sets."""
    # Which members an input has is known once its control was looked at, when the version is saved.
    open_ = {one.name for one in flow.steps if isinstance(one, Input) and one.shape is None}
    known = ", ".join(sorted(flow.variables)[:20]) or msg("none yet")
    names = dict.fromkeys(
        b.variable
        for b in step.branches
        if b.variable not in flow.variables and b.variable.partition(".")[0] not in open_
    )
    return [
        fault(
            step.name,
            msg("tests {name!r}, which no step answers or sets", name=name),
            msg("Known names: {names}", names=known),
        )
        for name in names
    ]


def _fault(document: dict[str, Any], issue: Any) -> dict[str, str]:
    """One of pydantic's issues in the words of a flow's author."""
    place = [part for at, part in enumerate(issue["loc"]) if at != 2 or part not in KINDS]
    name = _step_name(document, place)
    member = ".".join(str(part) for part in (place[2:] if len(place) > 1 and place[0] == "steps" else place))
    problem = {
        "missing": msg("lacks {member!r}", member=member),
        "extra_forbidden": msg("has the unknown member {member!r}", member=member),
        "union_tag_invalid": N_("is of no known kind"),
        "union_tag_not_found": N_("lacks 'kind'"),
    }.get(
        issue["type"],
        msg("has a wrong {member!r}: {why}", member=member, why=of_model(issue))
        if member
        else msg("is wrong: {why}", why=of_model(issue)),
    )
    mend = {
        "missing": msg("Add {member!r}.", member=member),
        "extra_forbidden": N_("Remove it, or correct its spelling."),
        "union_tag_invalid": msg("Use one of: {kinds}.", kinds=", ".join(KINDS)),
        "union_tag_not_found": msg("Add 'kind': {kinds}.", kinds=", ".join(KINDS)),
    }.get(issue["type"], N_("Correct that value."))
    return fault(name, problem, mend)


def _step_name(document: dict[str, Any], place: list[Any]) -> str:
    """How an author finds the step: by its name, else by its position (from 1); empty for the flow itself."""
    if len(place) < 2 or place[0] != "steps" or not isinstance(place[1], int):
        return ""
    steps = document.get("steps")
    step = steps[place[1]] if isinstance(steps, list) else None
    name = step.get("name") if isinstance(step, dict) else None
    return name[:80] if isinstance(name, str) and name.strip() else f"number {place[1] + 1}"


def _refusal(faults: list[dict[str, str]]) -> InvalidInput:
    first, more = faults[0], len(faults) - 1
    problem = first["problem"]
    if first["step"]:
        problem = msg("step {name!r} {problem}", name=first["step"], problem=problem)
    else:
        problem = msg("it {problem}", problem=problem)
    if more:
        problem = msg("{problem} (and {more} more)", problem=problem, more=more)
    return InvalidInput(
        msg("The flow can't be run: {problem}.", problem=problem),
        hint=first["mend"],
        details={"errors": list(faults)},
    )
