"""What comes next in a thread, from its rows alone, and when it must end."""

from collections.abc import Sequence
from dataclasses import dataclass

from leitstand.db.models import Thread, ThreadStep
from leitstand.words import N_, Message, joined, msg

BEGUN = ("running", "succeeded", "failed", "unknown")
WAY_OUT = N_("Give the agent a smaller task, or higher limits.")
A_SECOND, A_MILLION = 1_000, 1_000_000


@dataclass(frozen=True)
class Ask:
    """A model is asked; `again` is the step whose answer was cut off."""

    again: ThreadStep | None = None


@dataclass(frozen=True)
class Use:
    """A tool is used; `cut_off`: nobody knows how the use before this one ended."""

    step: ThreadStep
    cut_off: bool = False


@dataclass(frozen=True)
class Wait:
    """A person decides."""


def following(steps: Sequence[ThreadStep]) -> Ask | Use | Wait:
    """What comes next.

    Args:
        steps: those of the thread in their order.
    """
    asked = max((at for at, step in enumerate(steps) if step.kind == "model"), default=None)
    if asked is None:
        return Ask()
    if steps[asked].status == "running":
        return Ask(steps[asked])
    wanted = steps[asked + 1 :]
    for status in ("running", "approved"):
        for step in wanted:
            if step.status == status:
                return Use(step, cut_off=status == "running")
    return Wait() if any(step.status == "waiting" for step in wanted) else Ask()


def reached(thread: Thread, steps: Sequence[ThreadStep], *, further: bool = True) -> Message | None:
    """Which of its limits a thread has reached, in words; None where it may go on.

    Args:
        further: whether a further step is to begin; else that which was cut off goes on.
    """
    limits, tokens = thread.limits, thread.prompt_tokens + thread.completion_tokens
    begun = sum(step.status in BEGUN for step in steps) - (not further)
    if begun >= limits.get("steps", 20):
        return _with_way_out(msg("The thread has used up its {most:,} steps.", most=limits.get("steps", 20)))
    if seconds_left(thread) <= 0:
        most = limits.get("seconds", 300)
        return _with_way_out(msg("The thread has worked for its {most:,} seconds.", most=most))
    if tokens_left(thread) <= 0:
        return _with_way_out(msg("The thread has used {used:,} tokens; it may use {most:,}.", used=tokens, most=limits.get("tokens", 100_000)))  # fmt: skip
    most = limits.get("cost", 0)
    if most and thread.cost >= most:
        return _with_way_out(
            msg(
                "The thread has cost {used:.4f}; it may cost {most:.4f}.",
                used=thread.cost / A_MILLION,
                most=most / A_MILLION,
            )
        )
    return None


def seconds_left(thread: Thread) -> float:
    """How long a thread may still work."""
    return float(thread.limits.get("seconds", 300) - thread.worked_ms / A_SECOND)


def tokens_left(thread: Thread) -> int:
    """How many tokens a thread may still use."""
    return int(thread.limits.get("tokens", 100_000)) - thread.prompt_tokens - thread.completion_tokens


def _with_way_out(reason: Message) -> Message:
    return joined(reason, WAY_OUT)
