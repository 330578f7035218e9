"""The graph of a flow with its figures: from the published flow where there is one, and from what runs did."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leitstand.companions.flow import Flow

if TYPE_CHECKING:
    import pandas as pd

# A way that fewer of the runs at its step took is left out of the diagram where no flow names it.
RARE = 0.05
# Without a flow so many steps are drawn, those that most runs reached; with one, so many besides its own.
MOST_SEEN = 14


@dataclass(frozen=True)
class Node:
    """A step.

    Args:
        kind: `question`, `choice` or `end` of the published flow; `seen` where only runs know it.
        reached, dropped: runs that reached it, and those of them that reached no later step.
        median: seconds from reaching it to reaching the next step; None without such runs.
        went_on: how many runs that median is of.
    """

    name: str
    kind: str
    reached: int
    dropped: int
    median: float | None
    went_on: int


@dataclass(frozen=True)
class Way:
    """From a step to one that came next, and how many runs went that way."""

    start: str
    end: str
    runs: int


@dataclass(frozen=True)
class Graph:
    """Steps in their order, and the ways between them.

    Args:
        left_out: how many ways are too rare to be drawn.
        steps_left_out: how many steps are.
    """

    nodes: tuple[Node, ...]
    ways: tuple[Way, ...]
    left_out: int = 0
    steps_left_out: int = 0

    @property
    def widest(self) -> int:
        """The most runs that any step was reached by; at least 1."""
        return max([1, *(node.reached for node in self.nodes)])


def graph(
    flow: Flow | None,
    steps: "pd.DataFrame",
    times: "pd.DataFrame",
    ways: "pd.DataFrame",
    *,
    ends: Sequence[str],
) -> Graph:
    """Put the figures of a flow together.

    Args:
        flow: the published one; None where there is none.
        steps: `step`, `reached`, `dropped` of every step, in the funnel's order.
        times: `step`, `place`, `went_on`, `median`.
        ways: `step`, `next_step`, `runs`.
        ends: the steps that complete a run, where the flow does not say.
    """
    timed = {row["step"]: row for row in times.to_dict("records")}
    counted = {row["step"]: row for row in steps.to_dict("records")}
    names = _in_order(flow, counted, timed)
    kinds: dict[str, str] = dict.fromkeys(ends, "end")
    kinds |= {step.name: step.kind for step in flow.steps} if flow else {}
    nodes = tuple(_node(name, kinds.get(name, "seen"), counted.get(name), timed.get(name)) for name in names)
    drawn, left_out = _ways(flow, nodes, ways)
    return Graph(nodes, drawn, left_out, len({*counted, *timed} - set(names)))


def planned_ways(flow: Flow) -> list[tuple[str, str]]:
    """The ways between the steps at which a run can stand: what does not wait is passed through."""
    resting = {*flow.funnel}
    return [
        (name, after)
        for name in (step.name for step in flow.steps)
        if name in resting
        for after in flow.rests_after(name)
    ]


def _in_order(
    flow: Flow | None, counted: Mapping[str, Any], timed: Mapping[str, dict[Any, Any]]
) -> list[str]:
    """The flow's steps in its order, then those that only runs know; without a flow by when runs took them."""
    own = flow.funnel if flow is not None else []
    known = [name for name in counted if counted[name]["reached"] and name not in own]
    most = sorted(known, key=lambda name: (-counted[name]["reached"], name))[:MOST_SEEN]
    late = len(timed) + 1
    return [*own, *sorted(most, key=lambda name: (timed[name]["place"] if name in timed else late, name))]


def _node(name: str, kind: str, counts: Any, time: Any) -> Node:
    import pandas as pd

    reached, dropped = (int(counts["reached"]), int(counts["dropped"])) if counts is not None else (0, 0)
    known = time is not None and not pd.isna(time["median"])
    return Node(
        name,
        kind,
        reached,
        dropped,
        float(time["median"]) if known else None,
        int(time["went_on"]) if known else 0,
    )


def _ways(flow: Flow | None, nodes: Sequence[Node], ways: "pd.DataFrame") -> tuple[tuple[Way, ...], int]:
    reached = {node.name: node.reached for node in nodes}
    taken = {
        (row["step"], row["next_step"]): int(row["runs"])
        for row in ways.to_dict("records")
        if row["step"] in reached and row["next_step"] in reached
    }
    planned = [way for way in planned_ways(flow) if set(way) <= set(reached)] if flow else []
    often = [way for way in taken if taken[way] >= RARE * max(1, reached[way[0]])]
    kept: Iterable[tuple[str, str]] = dict.fromkeys([*planned, *often])
    drawn = tuple(Way(start, end, taken.get((start, end), 0)) for start, end in kept)
    return drawn, len(set(taken) - {(way.start, way.end) for way in drawn})
