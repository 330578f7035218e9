"""A companion's figures for its page."""

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from leitstand.identity.access import Principal, require
from leitstand.insights import activity, traffic
from leitstand.insights.opening import open_facts
from leitstand.insights.scope import EARLIEST, LATEST, Scope, data_days


@dataclass(frozen=True)
class Facts:
    """All there is of one companion: runs viewed, started, completed; active users; first and last day."""

    viewed: int
    started: int
    completed: int
    active_users: int
    first: date
    last: date

    @property
    def completion_rate(self) -> float | None:
        """Completed of started runs, None where none was started."""
        return self.completed / self.started if self.started else None


def facts(session: Session, principal: Principal, companion_id: UUID) -> Facts | None:
    """The figures, None where nothing happened yet.

    Raises:
        Forbidden: without `insights:read`.
    """
    require(principal, "insights:read")
    whole = Scope(principal.workspace_id, companion_id, EARLIEST, LATEST, principal.zone)
    first, last = data_days(session, whole)
    if first is None or last is None:
        return None
    scope = Scope(principal.workspace_id, companion_id, first, last + timedelta(days=1), principal.zone)
    with open_facts(session, scope) as source:
        runs, actors = traffic.totals(source, scope), activity.active_users(source, scope)
    return Facts(runs.viewed, runs.started, runs.completed, actors, first, last)
