"""Prometheus metrics of backups, of the log's archiver and of everything that `conditions` finds wrong."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from leitstand.backups.catalogue import KINDS
from leitstand.backups.conditions import conditions
from leitstand.backups.known import Known, known_backups
from leitstand.backups.retention import Policy
from leitstand.backups.server_conditions import archiver
from leitstand.db.figures import DatabaseCollector
from leitstand.db.models import Drill
from leitstand.settings import Settings, get_settings


class BackupsCollector(DatabaseCollector):
    """What the direct alerts are about: conditions, the archive's lag, the newest backups, proofs, and what is missing."""

    def __init__(self, engine: Engine | None = None, settings: Settings | None = None) -> None:
        super().__init__(engine)
        self.settings = settings

    def families(self, session: Session) -> Iterable[Metric]:
        now = datetime.now(UTC)
        yield from _conditions(session, self.settings or get_settings(), now)
        yield from _archiver(session, now)
        yield from _backups(known_backups(session, owed_since=now - Policy().window))
        yield _drills(session)


def _conditions(session: Session, settings: Settings, now: datetime) -> Iterable[Metric]:
    found = Counter(one.name for one in conditions(session, settings, now=now))
    family = GaugeMetricFamily(
        "leitstand_condition",
        "What is wrong now, by name: docs/guide/operations.md has them; alert on any.",
        labels=["condition"],
    )
    for name, count in sorted(found.items()):
        family.add_metric([name], count)
    yield family
    yield GaugeMetricFamily(
        "leitstand_conditions", "How many conditions there are.", value=float(found.total())
    )


def _archiver(session: Session, now: datetime) -> Iterable[Metric]:
    """Nothing where the log is not archived; its condition says when it should be."""
    found = archiver(session)
    if found is None or found.mode == "off":
        return
    lag = (now - found.oldest).total_seconds() if found.oldest else 0.0
    yield GaugeMetricFamily(
        "leitstand_archive_lag_seconds",
        "For how long the oldest finished file of PostgreSQL's log has waited to be archived.",
        value=max(0.0, lag),
    )
    yield GaugeMetricFamily(
        "leitstand_archive_waiting_files", "Files of the log that wait to be archived.", value=found.waiting
    )
    yield CounterMetricFamily(
        "leitstand_archive_failures", "Tries to archive a file of the log that failed.", value=found.failures
    )


def _backups(known: Known) -> Iterable[Metric]:
    complete = GaugeMetricFamily(
        "leitstand_backup_completed_timestamp_seconds",
        "When the newest backup that is there was completed.",
        labels=["kind"],
    )
    missing = GaugeMetricFamily(
        "leitstand_backups_missing",
        "Backups of the catalogue that should be in the store and are not.",
        labels=["kind"],
    )
    for kind in KINDS:
        one = known[kind]
        if one.complete and one.complete.finished_at:
            complete.add_metric([kind], one.complete.finished_at.timestamp())
        missing.add_metric([kind], one.missing)
    yield complete
    yield missing
    proven = GaugeMetricFamily(
        "leitstand_proven_restore_timestamp_seconds",
        "When a drill last restored a backup that is still there and found it good.",
        labels=["kind"],
    )
    for kind in KINDS:
        if at := known[kind].verified_at:
            proven.add_metric([kind], at.timestamp())
    yield proven


def _drills(session: Session) -> Metric:
    family = GaugeMetricFamily(
        "leitstand_drill_passed_timestamp_seconds", "When a drill last passed.", labels=["drill"]
    )
    passed = select(Drill.kind, func.max(Drill.finished_at)).where(
        Drill.category == "drill", Drill.status == "passed", Drill.finished_at.is_not(None)
    )
    for kind, at in session.execute(passed.group_by(Drill.kind)).tuples():
        if at is not None:
            family.add_metric([kind], at.timestamp())
    return family
