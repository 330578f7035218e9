"""The rules of a flow's graph: every way leads somewhere, everything is reached, and every run can end."""

from collections import Counter
from collections.abc import Iterable, Mapping

Fault = dict[str, str]
Node = tuple[str, str, list[str]]


def check_graph(first: str, nodes: list[Node]) -> list[Fault]:
    """What is wrong with a graph of steps: a list of {"step", "problem", "mend"}, empty when nothing is.

    Args:
        first: name of the step where a run begins.
        nodes: (name, kind, names of the steps that may come next) of each step, in order.
    """
    doubled = _doubled(nodes)
    if doubled:
        return doubled
    exits = {name: following for name, _, following in nodes}
    kinds = {name: kind for name, kind, _ in nodes}
    lost = _lost(first, exits)
    if lost:
        return lost
    return _unreached(first, exits) + _endless(exits, kinds) + _spinning(exits, kinds)


def _doubled(nodes: list[Node]) -> list[Fault]:
    counts = Counter(name for name, _, _ in nodes)
    return [
        _fault(name, f"stands there {count} times", "Give every step a name of its own.")
        for name, count in counts.items()
        if count > 1
    ]


def _lost(first: str, exits: Mapping[str, list[str]]) -> list[Fault]:
    """References to steps that don't exist."""
    known = "Existing steps: " + ", ".join(list(exits)[:20]) + ("…" if len(exits) > 20 else "")
    faults = []
    if first not in exits:
        faults.append(_fault("", f"starts at the step {first!r}, which does not exist", known))
    for name, following in exits.items():
        for target in dict.fromkeys(following):
            if target == "":
                mend = "Give each option a 'next', or the choice one for all."
                faults.append(_fault(name, "has an option that leads nowhere", mend))
            elif target not in exits:
                faults.append(_fault(name, f"goes on to {target!r}, which does not exist", known))
    return faults


def _unreached(first: str, exits: Mapping[str, list[str]]) -> list[Fault]:
    reached = _closure([first], exits)
    mend = "Let another step lead to it with 'next', or remove it."
    return [_fault(name, "is never reached", mend) for name in exits if name not in reached]


def _endless(exits: Mapping[str, list[str]], kinds: Mapping[str, str]) -> list[Fault]:
    """Steps from which no end can be reached."""
    before: dict[str, list[str]] = {name: [] for name in exits}
    for name, following in exits.items():
        for target in following:
            before[target].append(name)
    ending = _closure([name for name, kind in kinds.items() if kind == "end"], before)
    mend = "Let one of the ways from it lead to a step of kind 'end'."
    return [_fault(name, "can never come to an end", mend) for name in exits if name not in ending]


def _spinning(exits: Mapping[str, list[str]], kinds: Mapping[str, str]) -> list[Fault]:
    """Messages that lead back to themselves with nothing to answer between."""
    faults = []
    for name, kind in kinds.items():
        seen, at = set(), name
        while kind == "message" and kinds[at] == "message" and at not in seen:
            seen.add(at)
            at = exits[at][0]
        if kind == "message" and at == name:
            mend = "Put a question or a choice between, so that the visitor can go on."
            faults.append(_fault(name, "leads back to itself through messages only", mend))
    return faults


def _closure(begin: Iterable[str], ways: Mapping[str, list[str]]) -> set[str]:
    """Everything that can be reached."""
    reached, waiting = set(begin), list(begin)
    while waiting:
        for target in ways[waiting.pop()]:
            if target not in reached:
                reached.add(target)
                waiting.append(target)
    return reached


def _fault(step: str, problem: str, mend: str) -> Fault:
    return {"step": step, "problem": problem, "mend": mend}
