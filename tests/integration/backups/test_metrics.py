"""What the direct alerts are about, as figures of the worker."""

from datetime import UTC, datetime

from sqlalchemy import Engine

from leitstand.backups import server_conditions
from leitstand.backups.metrics import BackupsCollector
from leitstand.db.engine import make_engine, transaction
from leitstand.db.models import Backup, Drill
from leitstand.db.models.base import new_id
from leitstand.settings import Settings
from tests.backups import Shelf, shelf

__all__ = ["shelf"]
NOW = datetime.now(UTC)


def figures(shelf: Shelf) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in BackupsCollector(shelf.engine, shelf.settings).collect()
        for sample in family.samples
    }


def test_backups_proofs_and_what_is_missing_are_figures(shelf: Shelf) -> None:
    newest = shelf.put(0.5)
    gone = shelf.put(2)
    with transaction(shelf.engine) as session:
        session.get_one(Backup, gone).status = "missing"
        begun = {"kind": "postgres-latest", "category": "drill", "started_at": NOW, "finished_at": NOW}
        session.add(Drill(id=new_id(), status="passed", **begun))
        row = session.get_one(Backup, newest)
        completed, proven = row.finished_at, row.verified_at
    found = figures(shelf)
    assert completed and proven
    assert found["leitstand_backup_completed_timestamp_seconds", "postgres"] == completed.timestamp()
    assert found["leitstand_proven_restore_timestamp_seconds", "postgres"] == proven.timestamp()
    assert found["leitstand_backups_missing", "postgres"] == 1
    assert found["leitstand_backups_missing", "objects"] == 0
    assert found["leitstand_drill_passed_timestamp_seconds", "postgres-latest"] == NOW.timestamp()
    assert found["leitstand_condition", "backups-missing"] == 1
    assert found["leitstand_conditions",] == sum(
        value for key, value in found.items() if key[0] == "leitstand_condition"
    )
    # This server's log is not archived, and has no lag.
    assert ("leitstand_archive_lag_seconds",) not in found


def test_the_archiver_is_read_from_the_server(engine: Engine) -> None:
    with transaction(engine) as session:
        row = server_conditions.archiver(session)
    assert row is not None
    assert (row.mode, row.failures, row.waiting) == ("off", 0, 0)


def test_figures_are_silent_while_the_database_is_away(settings: Settings) -> None:
    away = settings.model_copy(update={"database_url_override": "postgresql+psycopg://x:y@127.0.0.1:1/none"})
    assert list(BackupsCollector(make_engine(away), away).collect()) == []
