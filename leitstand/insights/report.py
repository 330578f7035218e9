"""Every figure of a scope as one document: what `leitstand insights report --json` prints."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from leitstand.insights import activity, companions, completion, popularity, retention, sessions, traffic
from leitstand.insights import steps as funnel
from leitstand.insights.scope import Scope

if TYPE_CHECKING:
    import pandas as pd


def build(
    session: Session, scope: Scope, *, steps: Sequence[str] | None = None, top: int = companions.TOP
) -> dict[str, Any]:
    """The report of a scope: plain numbers, text, lists and None only.

    Args:
        steps: the funnel, in order; None: see `leitstand.insights.steps`.
        top: how many companions the two lists of companions hold.
    """
    asked_at = datetime.now(UTC)
    completed = completion.completion(session, scope)
    return {
        "range": {"from": scope.start.isoformat(), "to": scope.end.isoformat(), "zone": scope.zone},
        "as_of": asked_at.isoformat(),
        "events": traffic.events(session, scope),
        "sessions": sessions.sessions(session, scope),
        "runs": {"viewed": completed.viewed, "started": completed.started, "completed": completed.completed},
        "active_users": activity.active_users(session, scope),
        "active_users_by_day": records(activity.by_day(session, scope)),
        "completion_rate": completed.rate,
        "completion_rate_of_viewed": completed.rate_of_viewed,
        "immature": completed.immature,
        "duration_seconds": {"median": completed.median, "p95": completed.p95},
        "steps": records(funnel.steps(session, scope, steps)),
        "top_companions": records(companions.top(session, scope, limit=top).drop(columns="companion_id")),
        "popular": records(popularity.popular(session, scope, limit=top).drop(columns="companion_id")),
        "retention": records(retention.retention(session, scope)),
        "traffic": records(traffic.traffic(session, scope)),
        "events_by_day": records(traffic.events_by(session, scope)),
        "completions_by_day": records(completion.completions_by_day(session, scope)),
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
