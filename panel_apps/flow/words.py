"""What the flow dashboard says: its key figures, and whose order it shows."""

from panel_apps.definitions import DEFINITIONS
from panel_apps.flow.answers import Answers
from panel_apps.parts import Tile
from panel_apps.words import delta, rate_delta
from serving.shell.formats import duration, number, percent


def tiles(answers: Answers) -> list[Tile]:
    """The key figures of the range."""
    now, before = answers.totals, answers.before
    worst = max(
        (node for node in answers.graph.nodes if node.reached and node.kind != "end"),
        key=lambda node: node.dropped,
        default=None,
    )
    going = "some may still be going" if now.immature else f"of {number(now.started)} started"
    found = [
        Tile("Started runs", number(now.started), f"{number(now.viewed)} viewed", delta(now.started, before.started, number) if before else "", DEFINITIONS["started"]),
        Tile("Completed runs", number(now.completed), going, delta(now.completed, before.completed, number) if before else "", DEFINITIONS["completed"]),
        Tile("Completion rate", percent(now.rate), f"{number(now.completed)} of {number(now.started)}", rate_delta(now.rate, before.rate) if before else "", DEFINITIONS["rate"]),
        Tile("Median duration", duration(now.median), f"95% within {duration(now.p95)}", delta(now.median, before.median, duration, judged=False) if before else "", DEFINITIONS["duration"]),
    ]  # fmt: skip
    if worst is not None and worst.dropped:
        share = percent(worst.dropped / worst.reached)
        note = f"{number(worst.dropped)} of {number(worst.reached)} went no further ({share})"
        found.append(Tile("Most lost at", worst.name, note, "", DEFINITIONS["steps"]))
    return found


def order_words(answers: Answers) -> str:
    """Whose order of steps is shown."""
    if answers.version is None:
        return (
            "No flow is published: the steps are those that runs took, in the order in which they mostly did."
        )
    others = sum(node.kind == "seen" for node in answers.graph.nodes)
    known = f" {number(others)} further steps are of other versions or sources." if others else ""
    return f"Steps and ways of version {number(answers.version)}, the published one; runs of every version count.{known}"
