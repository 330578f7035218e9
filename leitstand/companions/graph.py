"""The rules of a flow's graph: every way leads somewhere, everything is reached, and every run can end."""

from collections import Counter
from collections.abc import Iterable, Mapping

from leitstand.words import N_, Message, msg

Fault = dict[str, str]
# Kinds at which a run does not wait, and those at which it closes.
PASSING = ("message", "condition", "set")
CLOSING = ("end", "handover")
Node = tuple[str, str, list[str]]


def check_graph(first: str, nodes: list[Node]) -> list[Fault]:
    """What is wrong with a graph of steps: a list of {"step", "problem", "mend"}, empty when nothing is.

    Args:
        first: name of the step where a run begins.
        nodes: (name, kind, names of the steps that may come next) of each step, in order.
    """
    if faults := doubled(name for name, _, _ in nodes):
        return faults
    exits = {name: following for name, _, following in nodes}
    kinds = {name: kind for name, kind, _ in nodes}
    lost = _lost(first, exits)
    if lost:
        return lost
    return _unreached(first, exits) + _endless(exits, kinds) + _spinning(exits, kinds)


def doubled(names: Iterable[str]) -> list[Fault]:
    """The names that several steps have."""
    counts = Counter(names)
    return [
        fault(name, msg("stands there {count} times", count=count), N_("Give every step a name of its own."))
        for name, count in counts.items()
        if count > 1
    ]


def _lost(first: str, exits: Mapping[str, list[str]]) -> list[Fault]:
    """References to steps that don't exist."""
    names = ", ".join(list(exits)[:20]) + (", …" if len(exits) > 20 else "")
    known = msg("Existing steps: {names}", names=names)
    faults = []
    if first not in exits:
        faults.append(fault("", msg("starts at the step {name!r}, which does not exist", name=first), known))
    for name, following in exits.items():
        for target in dict.fromkeys(following):
            if target == "":
                mend = N_("Give each option a 'next', or the choice one for all.")
                faults.append(fault(name, N_("has an option that leads nowhere"), mend))
            elif target not in exits:
                faults.append(
                    fault(name, msg("goes on to {name!r}, which does not exist", name=target), known)
                )
    return faults


def _unreached(first: str, exits: Mapping[str, list[str]]) -> list[Fault]:
    reached = _closure([first], exits)
    mend = N_("Let another step lead to it with 'next', or remove it.")
    return [fault(name, N_("is never reached"), mend) for name in exits if name not in reached]


def _endless(exits: Mapping[str, list[str]], kinds: Mapping[str, str]) -> list[Fault]:
    """Steps from which no end can be reached."""
    before: dict[str, list[str]] = {name: [] for name in exits}
    for name, following in exits.items():
        for target in following:
            before[target].append(name)
    ending = _closure([name for name, kind in kinds.items() if kind in CLOSING], before)
    mend = N_("Let one of the ways from it lead to a step of kind 'end'.")
    return [fault(name, N_("can never come to an end"), mend) for name in exits if name not in ending]


def _spinning(exits: Mapping[str, list[str]], kinds: Mapping[str, str]) -> list[Fault]:
    """Steps that lead back to themselves with nothing to answer between: a run would never come to rest."""
    inner = {
        name: [target for target in exits[name] if kinds[target] in PASSING]
        for name, kind in kinds.items()
        if kind in PASSING
    }
    mend = N_("Put a question or a choice between, so that the visitor can go on.")
    return [
        fault(name, N_("leads back to itself with nothing to answer between"), mend)
        for name in _knotted(inner)
        if name in _closure(inner[name], inner)
    ]


def _knotted(ways: Mapping[str, list[str]]) -> list[str]:
    """Steps that are left when those that lead nowhere are taken away, again and again: all cycles are among them."""
    left = {name: len(set(following)) for name, following in ways.items()}
    before: dict[str, set[str]] = {name: set() for name in ways}
    for name, following in ways.items():
        for target in following:
            before[target].add(name)
    waiting = [name for name, count in left.items() if not count]
    while waiting:
        gone = waiting.pop()
        del left[gone]
        for name in before[gone]:
            left[name] -= 1
            if not left[name]:
                waiting.append(name)
    return list(left)


def _closure(begin: Iterable[str], ways: Mapping[str, list[str]]) -> set[str]:
    """Everything that can be reached."""
    reached, waiting = set(begin), list(begin)
    while waiting:
        for target in ways[waiting.pop()]:
            if target not in reached:
                reached.add(target)
                waiting.append(target)
    return reached


def fault(step: str, problem: str, mend: str) -> Fault:
    """What is wrong with a step, and how it is mended; texts of ours, so that both can be translated."""
    return {"step": step, "problem": Message(problem) if type(problem) is str else problem, "mend": mend}
