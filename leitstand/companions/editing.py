"""Single changes to a flow: each gives a new flow, which may still lead nowhere, or says why it can't be."""

import re
from collections.abc import Iterator
from typing import Any

from leitstand.companions.flow import Flow, read_draft
from leitstand.companions.memory import NAMED
from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.words import msg

Step = dict[str, Any]
UP, DOWN = -1, 1


def begun(title: str, step: Step) -> Flow:
    """A flow of one step; what follows it is still to be made.

    Raises:
        InvalidInput: the step is not whole.
    """
    following = {"next": "end"} if _goes_on(step) and not step.get("next") else {}
    return read_draft({"title": title, "steps": [step | following]})


def added(flow: Flow, step: Step, *, after: str = "") -> Flow:
    """The flow with one more step: the way that led on from `after` leads through it.

    Args:
        step: its members; `next` may be missing, and is then where `after` led.
        after: name of a step; empty: the new one becomes the first.

    Raises:
        InvalidInput: the step is not whole, or its name is taken.
        NotFound: there is no step `after`.
    """
    document = _document(flow)
    steps: list[Step] = document["steps"]
    place = _place(steps, after) + 1 if after else 0
    if any(one["name"] == step.get("name") for one in steps):
        raise InvalidInput(
            msg("There is a step {name!r} already.", name=step["name"]),
            hint="Give every step a name of its own.",
        )
    before = steps[place - 1] if after else {"next": flow.first}
    step = dict(step)
    if _goes_on(step) and not step.get("next"):
        following = steps[place]["name"] if place < len(steps) else flow.ends[-1] if flow.ends else "end"
        step["next"] = before.get("next") or following
    if "next" in before:
        before["next"] = step["name"]
    steps.insert(place, step)
    if not after and "start" in document:
        document["start"] = step["name"]
    return read_draft(document)


def changed(flow: Flow, name: str, step: Step) -> Flow:
    """The flow with a step's members replaced; where its name is another, everything that named it follows.

    Raises:
        InvalidInput: the step is not whole, or its new name is taken.
        NotFound: there is no such step.
    """
    document = _document(flow)
    place = _place(document["steps"], name)
    document["steps"][place] = dict(step)
    new = step.get("name")
    if isinstance(new, str) and new != name:
        if any(one["name"] == new for at, one in enumerate(document["steps"]) if at != place):
            raise InvalidInput(
                msg("There is a step {name!r} already.", name=new), hint="Give every step a name of its own."
            )
        _rename(document, name, new)
    return read_draft(document)


def moved(flow: Flow, name: str, by: int) -> Flow:
    """The flow with a step further up (-1) or down (1) in its order; where runs begin and go stays as it is.

    Raises:
        NotFound: there is no such step.
    """
    document = _document(flow)
    steps = document["steps"]
    place = _place(steps, name)
    document["start"] = flow.first
    steps.insert(max(0, place + by), steps.pop(place))
    if steps[0]["name"] == flow.first and flow.start is None:
        del document["start"]
    return read_draft(document)


def removed(flow: Flow, name: str) -> Flow:
    """The flow without a step: what led to it leads to where it led.

    Raises:
        NotFound: there is no such step.
        Conflict: it is the only one, or others lead to it and it leads to several steps or none.
    """
    document = _document(flow)
    place = _place(document["steps"], name)
    if len(document["steps"]) == 1:
        raise Conflict("A flow has at least one step.", hint="Add another one first.")
    exits = list(dict.fromkeys(flow.step(name).exits()))
    referring = leading_to(flow, name)
    following = exits[0] if len(exits) == 1 and exits[0] not in ("", name) else None
    if (referring or flow.first == name) and following is None:
        who = ", ".join(referring) or msg("the beginning of the flow")
        raise Conflict(
            msg("{name!r} can't be removed: {others} lead to it.", name=name, others=who),
            hint="Let that lead elsewhere first.",
        )
    first = flow.first
    del document["steps"][place]
    if following:
        for holder, member in _ways(document):
            if holder[member] == name:
                holder[member] = following
        if first == name:
            document["start"] = following
    return read_draft(document)


def leading_to(flow: Flow, name: str) -> list[str]:
    """Names of the other steps that lead to one, in the flow's order."""
    return [step.name for step in flow.steps if name in step.exits() and step.name != name]


def _document(flow: Flow) -> dict[str, Any]:
    document = flow.document()
    document.pop("draft", None)
    return document


def _place(steps: list[Step], name: str) -> int:
    for place, step in enumerate(steps):
        if step["name"] == name:
            return place
    raise NotFound(msg("There is no step {name!r}.", name=name), hint="Load the page again.")


def _goes_on(step: Step) -> bool:
    return step.get("kind") not in ("end", "handover", "choice")


def _ways(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Every member that names a step, with what holds it."""
    if document.get("start"):
        yield document, "start"
    for step in document["steps"]:
        for holder in (step, *step.get("options", ()), *step.get("branches", ())):
            for member in ("next", "unanswered"):
                if holder.get(member):
                    yield holder, member


def _rename(document: dict[str, Any], name: str, new: str) -> None:
    for holder, member in _ways(document):
        if holder[member] == name:
            holder[member] = new

    def called(variable: str) -> str:
        return (
            new + variable[len(name) :] if variable == name or variable.startswith(f"{name}.") else variable
        )

    def told(match: re.Match[str]) -> str:
        return match[0].replace(match[1], called(match[1]))

    if name in {step["variable"] for step in document["steps"] if step["kind"] == "set"}:
        return  # the name stays that of what is set
    for step in document["steps"]:
        for member in ("text", "value"):
            if isinstance(step.get(member), str):
                step[member] = NAMED.sub(told, step[member])
        for branch in step.get("branches", ()):
            branch["variable"] = called(branch["variable"])
