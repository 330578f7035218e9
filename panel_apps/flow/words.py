"""What the flow dashboard says: its key figures, and whose order it shows."""

from panel_apps.definitions import DEFINITIONS
from panel_apps.flow.answers import Answers
from panel_apps.key_figures import within
from panel_apps.parts import Tile
from panel_apps.speech import duration, number, percent, say
from panel_apps.words import delta, rate_delta


def tiles(answers: Answers) -> list[Tile]:
    """The key figures of the range."""
    now, before = answers.totals, answers.before
    worst = max(
        (node for node in answers.graph.nodes if node.reached and node.kind != "end"),
        key=lambda node: node.dropped,
        default=None,
    )
    going = (
        say("some may still be going")
        if now.immature
        else say("of {count} started", count=number(now.started))
    )
    found = [
        Tile(say("Started runs"), number(now.started), say("{count} viewed", count=number(now.viewed)), delta(now.started, before.started, number) if before else "", DEFINITIONS["started"]),
        Tile(say("Completed runs"), number(now.completed), going, delta(now.completed, before.completed, number) if before else "", DEFINITIONS["completed"]),
        Tile(say("Completion rate"), percent(now.rate), say("{part} of {whole}", part=number(now.completed), whole=number(now.started)), rate_delta(now.rate, before.rate) if before else "", DEFINITIONS["rate"]),
        Tile(say("Median duration"), duration(now.median), within(now.p95), delta(now.median, before.median, duration, judged=False) if before else "", DEFINITIONS["duration"]),
    ]  # fmt: skip
    if worst is not None and worst.dropped:
        share = percent(worst.dropped / worst.reached)
        note = say(
            "{dropped} of {reached} went no further ({share})",
            dropped=number(worst.dropped), reached=number(worst.reached), share=share,
        )  # fmt: skip
        found.append(Tile(say("Most lost at"), worst.name, note, "", DEFINITIONS["steps"]))
    return found


def order_words(answers: Answers) -> str:
    """Whose order of steps is shown."""
    if answers.version is None:
        return say(
            "No flow is published: the steps are those that runs took, in the order in which they mostly did."
        )
    others = sum(node.kind == "seen" for node in answers.graph.nodes)
    said = say(
        "Steps and ways of version {number}, the published one; runs of every version count.",
        number=number(answers.version),
    )
    if not others:
        return said
    return f"{said} {say('{count} further steps are of other versions or sources.', count=number(others))}"
