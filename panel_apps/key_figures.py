"""The key figures of runs and people that several dashboards begin with: asked, and said as tiles."""

from collections.abc import Callable
from dataclasses import dataclass

from leitstand.insights import activity, completion, sessions, traffic
from leitstand.insights.completion import Completion
from leitstand.insights.scope import Scope
from leitstand.insights.sources import Source
from panel_apps.definitions import DEFINITIONS
from panel_apps.parts import Tile, share_of
from panel_apps.speech import duration, number, percent, say
from panel_apps.words import delta, rate_delta


@dataclass(frozen=True)
class Figures:
    """The key figures of one range."""

    runs: Completion
    active_users: int
    sessions: int
    events: int


def figures(source: Source, scope: Scope) -> Figures:
    """The key figures of a scope."""
    return Figures(
        runs=completion.completion(source, scope),
        active_users=activity.active_users(source, scope),
        sessions=sessions.sessions(source, scope),
        events=traffic.events(source, scope),
    )


def within(seconds: float | None) -> str:
    """What 95 of a hundred do not exceed."""
    return say("95% within {duration}", duration=duration(seconds))


def tiles(now: Figures, before: Figures | None) -> list[Tile]:
    """The key figures of the range, compared with the period before where that was asked."""
    runs = now.runs
    rate_note = say(
        "{completed} of {started}; {share} of viewed",
        completed=number(runs.completed), started=number(runs.started), share=percent(runs.rate_of_viewed),
    )  # fmt: skip
    p95 = within(runs.p95) if runs.p95 is not None else say("no completed run")

    def change(figure: Callable[[Figures], float | None]) -> str:
        return delta(figure(now), figure(before), number) if before else ""

    return [
        Tile(say("Active users"), number(now.active_users), say("{count} sessions", count=number(now.sessions)), change(lambda one: one.active_users), DEFINITIONS["active"]),
        Tile(say("Viewed runs"), number(runs.viewed), say("{count} events", count=number(now.events)), change(lambda one: one.runs.viewed), DEFINITIONS["viewed"]),
        Tile(say("Started runs"), number(runs.started), say("{share} of viewed", share=percent(share_of(runs.started, runs.viewed))), change(lambda one: one.runs.started), DEFINITIONS["started"]),
        Tile(say("Completed runs"), number(runs.completed), say("some may still be going") if runs.immature else say("of those that began"), change(lambda one: one.runs.completed), DEFINITIONS["completed"]),
        Tile(say("Completion rate"), percent(runs.rate), rate_note, rate_delta(now.runs.rate, before.runs.rate) if before else "", DEFINITIONS["rate"]),
        Tile(say("Median duration"), duration(runs.median), p95, delta(runs.median, before.runs.median, duration, judged=False) if before else "", DEFINITIONS["duration"]),
    ]  # fmt: skip
