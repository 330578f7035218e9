"""Every figure of a scope as one document: what `leitstand insights report --json` prints."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from leitstand.insights import activity, companions, completion, popularity, retention, sessions, traffic
from leitstand.insights import steps as funnel
from leitstand.insights.scope import Scope
from leitstand.insights.sources import Source, as_of

if TYPE_CHECKING:
    import pandas as pd


def build(
    source: Source, scope: Scope, *, steps: Sequence[str] | None = None, top: int = companions.TOP
) -> dict[str, Any]:
    """The report of a scope: plain numbers, text, lists and None only.

    Args:
        steps: the funnel, in order; None: see `leitstand.insights.steps`.
        top: how many companions the two lists of companions hold.
    """
    asked_at = as_of(source)
    completed = completion.completion(source, scope)
    return {
        "range": {"from": scope.start.isoformat(), "to": scope.end.isoformat(), "zone": scope.zone},
        "as_of": asked_at.isoformat(),
        "events": traffic.events(source, scope),
        "sessions": sessions.sessions(source, scope),
        "runs": {"viewed": completed.viewed, "started": completed.started, "completed": completed.completed},
        "active_users": activity.active_users(source, scope),
        "active_users_by_day": records(activity.by_day(source, scope)),
        "completion_rate": completed.rate,
        "completion_rate_of_viewed": completed.rate_of_viewed,
        "immature": completed.immature,
        "duration_seconds": {"median": completed.median, "p95": completed.p95},
        "steps": records(funnel.steps(source, scope, steps)),
        "top_companions": records(companions.top(source, scope, limit=top).drop(columns="companion_id")),
        "popular": records(popularity.popular(source, scope, limit=top).drop(columns="companion_id")),
        "retention": records(retention.retention(source, scope)),
        "traffic": records(traffic.traffic(source, scope)),
        "events_by_day": records(traffic.events_by(source, scope)),
        "completions_by_day": records(completion.completions_by_day(source, scope)),
    }


def records(found: "pd.DataFrame") -> list[dict[str, Any]]:
    """The rows of a frame as plain values for JSON: days as ISO text, what is missing as None."""
    return [{str(name): _plain(value) for name, value in row.items()} for row in found.to_dict("records")]


def _plain(value: Any) -> Any:
    import pandas as pd

    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value
