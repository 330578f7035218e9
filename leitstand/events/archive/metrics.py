"""Prometheus metrics of the archive, read from the database when they are asked for."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from leitstand.db.figures import DatabaseCollector
from leitstand.db.models import EventArchive
from leitstand.events.archive import holding
from leitstand.events.partitions import list_partitions
from leitstand.settings import Settings, get_settings

# The flow comes once a month, and a month that was brought back rests for a while.
PATIENCE = timedelta(days=40)


def overdue(session: Session, settings: Settings, *, now: datetime | None = None) -> int:
    """How many months should have been archived by the last run of the flow, and are in the table still."""
    now = now or datetime.now(UTC)
    if not settings.events_kept_months:
        return 0
    due = holding.number_of((now - PATIENCE).date()) - settings.events_kept_months
    late = {it.month for it in list_partitions(session) if holding.number_of(it.month) < due}
    restored = select(EventArchive.month).where(EventArchive.restored_at > now - PATIENCE)
    return len(late - set(session.scalars(restored)))


class ArchiveCollector(DatabaseCollector):
    """Events in the archive, and months that should be there."""

    def __init__(self, engine: Engine | None = None, settings: Settings | None = None) -> None:
        super().__init__(engine)
        self.settings = settings

    def families(self, session: Session) -> Iterable[Metric]:
        counted = select(
            func.coalesce(func.sum(EventArchive.rows), 0), func.coalesce(func.sum(EventArchive.bytes), 0)
        )
        events, size = session.execute(counted.where(EventArchive.restored_at.is_(None))).one()
        late = overdue(session, self.settings or get_settings())
        yield GaugeMetricFamily("leitstand_events_archived", "Events in the archive.", value=float(events))
        yield GaugeMetricFamily("leitstand_events_archive_bytes", "Size of the archive.", value=float(size))
        yield GaugeMetricFamily(
            "leitstand_events_overdue_months",
            "Months of events that should have been archived and are in the database still; alert on any.",
            value=late,
        )
