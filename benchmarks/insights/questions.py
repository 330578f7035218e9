"""The questions of a dashboard, and what of an answer every way of asking gives: the benchmarks' one list."""

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.insights.dataset import FUNNEL
from leitstand.insights import (
    activity,
    companions,
    completion,
    popularity,
    retention,
    sessions,
    steps,
    traffic,
)
from leitstand.insights.scope import Scope
from leitstand.insights.sources import Source

QUESTIONS: dict[str, Callable[[Source, Scope], Any]] = {
    "traffic": traffic.traffic,
    "active users": activity.active_users,
    "rolling": activity.by_day,
    "completion": completion.completion,
    "steps": lambda source, scope: steps.steps(source, scope, FUNNEL),
    "companions": companions.top,
    "popular": popularity.popular,
    "retention": retention.retention,
    "sessions": sessions.sessions,
}
# What of an answer is compared: numbers that every way gives.
FIGURES: dict[str, tuple[Callable[[Any], Any], Callable[[Sequence[Any]], Any]]] = {
    "traffic": (
        lambda found: found[["viewed", "started", "completed"]].to_numpy().tolist(),
        lambda rows: [list(row[1:]) for row in rows],
    ),
    "active users": (lambda found: found, lambda rows: rows[0][0]),
    "rolling": (
        lambda found: found[found["dau"] > 0][["dau", "wau", "mau"]].to_numpy().tolist(),
        lambda rows: [list(row[1:]) for row in rows],
    ),
    "completion": (
        lambda found: (found.viewed, found.started, found.completed, round(found.p95 or 0, 6)),
        lambda rows: (*rows[0][:3], round(rows[0][4] or 0, 6)),
    ),
    "steps": (
        lambda found: found[found["reached"] > 0][["reached", "dropped"]].to_numpy().tolist(),
        lambda rows: [list(row[1:]) for row in rows],
    ),
    "companions": (
        lambda found: sorted(found["runs"].tolist()),
        lambda rows: sorted(row[1] for row in rows),
    ),
    "popular": (
        lambda found: [round(score, 4) for score in found["score"]],
        lambda rows: [round(float(row[1]), 4) for row in rows],
    ),
    "retention": (
        lambda found: int(found["actors"].sum()),
        lambda rows: sum(row[2] for row in rows),
    ),
    "sessions": (lambda found: found, lambda rows: rows[0][0]),
}
