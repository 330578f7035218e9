"""Faults around the database: a migration behind a dump, a migration that holds its lock, another collation, a late schedule."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.orm import Session

from leitstand.backups.conditions import conditions
from leitstand.backups.known import KnownKind
from leitstand.backups.operations import run_backup
from leitstand.backups.server_conditions import server_conditions
from leitstand.db import migrate
from leitstand.db.engine import transaction
from leitstand.db.exclusive import SCHEMA, exclusive
from leitstand.db.migration_lock import ADVISORY_LOCK, APPLICATION
from leitstand.db.models import Backup, FlowExecution
from leitstand.db.structure import check_structure
from leitstand.embedded.postgres import Cluster
from leitstand.errors import Conflict, IntegrityFailed, Unavailable
from leitstand.runbooks.kernels import setting_variables
from leitstand.settings import REPOSITORY, Settings
from tests.backups import Shelf, nights, shelf
from tests.waiting import wait_until

__all__ = ["shelf"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
WAIT_SECONDS = 60


def told(session: Session, settings: Settings, *, later: timedelta = timedelta()) -> dict[str, str]:
    """What an operator is told: a sentence by name."""
    found = conditions(session, settings, now=datetime.now(UTC) + later, fresh=True)
    session.rollback()
    return {condition.name: condition.says for condition in found}


# --- migrations ---

EARLIER = "0008_event_archive"


@pytest.fixture
def behind(engine: Engine) -> Engine:
    """A database at the revision before the newest, whose migration alters the table of backups."""
    from alembic import command

    with engine.connect() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.downgrade(config, EARLIER)
    assert migrate.current(engine) == EARLIER
    return engine


@contextmanager
def dumping(cluster: Cluster, engine: Engine) -> Iterator[psycopg.Connection]:
    """A dump holds what pg_dump holds: a shared lock on every table, until its end."""
    with psycopg.connect(cluster.conninfo(str(engine.url.database))) as connection:
        connection.execute("SET application_name = 'pg_dump'")
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        connection.execute("LOCK TABLE backup, workspace IN ACCESS SHARE MODE")
        yield connection


def migrating(settings: Settings) -> "subprocess.Popen[str]":
    """`migrate.upgrade` as a process of its own, as a release runs it."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("LEITSTAND_", "PYTEST_"))
    }
    program = (
        "from leitstand.db import migrate\nfrom leitstand.db.engine import make_engine\n"
        "from leitstand.settings import load_settings\nmigrate.upgrade(make_engine(load_settings()))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env={**clean, **setting_variables(settings), "PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.fault(22)
def test_a_migration_behind_a_dump_lets_the_service_go_on_and_succeeds_after_it(
    behind: Engine, cluster: Cluster, settings: Settings
) -> None:
    """Readers queue behind a waiting ALTER; it gives up after three seconds, lets them pass, and tries again."""
    waited = _Reader(behind)
    with dumping(cluster, behind) as dump:
        process = migrating(settings)
        tries = _lock_tries(cluster, behind, wanted=2)
        assert process.poll() is None, process.stderr and process.stderr.read()
        dump.rollback()
    assert process.wait(WAIT_SECONDS) == 0, process.stderr and process.stderr.read()
    waited.stop()
    assert tries >= 2
    assert migrate.current(behind) == migrate.head()
    assert waited.errors == [] and waited.answers > 10, "the service went on"


class _Reader:
    """Asks again and again, as pages do, under the service's own limits."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.answers, self.errors = engine, 0, list[str]()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._done.wait(0.05):
            try:
                with self.engine.connect() as connection:
                    connection.execute(text("SET statement_timeout = '10s'; SET lock_timeout = 0"))
                    connection.execute(text("SELECT count(*) FROM backup"))
                    connection.invalidate()
                self.answers += 1
            except Exception as error:
                self.errors.append(str(error))

    def stop(self) -> None:
        self._done.set()
        self._thread.join(30)


def _lock_tries(cluster: Cluster, engine: Engine, *, wanted: int) -> int:
    """How often the migration began to wait for a table; it has to begin anew after each time limit."""
    seen: set[object] = set()

    def enough() -> bool:
        with psycopg.connect(cluster.conninfo(str(engine.url.database)), autocommit=True) as admin:
            row = admin.execute(
                "SELECT xact_start FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"
                " AND datname = current_database()",
                [APPLICATION],
            ).fetchone()
        seen.update(row or ())
        return len(seen) >= wanted

    wait_until(enough)
    return len(seen)


@pytest.mark.fault(22)
def test_a_migration_that_never_gets_its_lock_names_who_holds_it_and_changes_nothing(
    behind: Engine, cluster: Cluster
) -> None:
    with dumping(cluster, behind) as dump:
        time.sleep(2.1)  # who holds a lock for a moment is nobody to name
        pid = dump.info.backend_pid
        with pytest.raises(Unavailable, match=rf"pid {pid} \(pg_dump, idle in transaction") as raised:
            migrate.upgrade(behind, patience=0)
    assert "went on" in raised.value.hint
    assert migrate.current(behind) == EARLIER
    migrate.upgrade(behind)
    assert migrate.current(behind) == migrate.head() and migrate.differences(behind) == []


@pytest.mark.fault(25)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_release_that_is_killed_with_its_lock_leaves_none_behind(
    behind: Engine, cluster: Cluster, settings: Settings, number: int
) -> None:
    """It waits behind a dump, holding the lock of migrations, when it is ended."""
    with dumping(cluster, behind):
        process = migrating(settings)
        _lock_tries(cluster, behind, wanted=1)
        with pytest.raises(
            Conflict, match=rf"lock is held by pid \d+ \({APPLICATION}, connected since"
        ) as raised:
            migrate.upgrade(behind, patience=0)
        assert "goes with its connection" in raised.value.hint
        process.send_signal(number)
        process.wait(WAIT_SECONDS)
    migrate.upgrade(behind)
    assert migrate.current(behind) == migrate.head() and migrate.differences(behind) == []


@pytest.mark.fault(22)
def test_a_migration_waits_for_a_dump_of_ours_and_nothing_waits_where_nothing_is_to_do(
    behind: Engine,
) -> None:
    with exclusive(behind, SCHEMA):
        with pytest.raises(Conflict, match="Another migration or dump is running: its lock is held by pid"):
            migrate.upgrade(behind, patience=0)
        migrate.upgrade(behind, EARLIER, patience=0)
    migrate.upgrade(behind, patience=0)
    migrate.upgrade(behind, patience=0)
    assert migrate.current(behind) == migrate.head()


@pytest.mark.fault(25)
def test_an_owner_that_hangs_is_named_and_ending_it_is_the_way_out(behind: Engine, cluster: Cluster) -> None:
    with psycopg.connect(cluster.conninfo(str(behind.url.database)), autocommit=True) as hung:
        hung.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
        with pytest.raises(Conflict, match=rf"held by pid {hung.info.backend_pid}"):
            migrate.upgrade(behind, patience=0.1)
        with psycopg.connect(cluster.conninfo("postgres"), autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(%s)", [hung.info.backend_pid])
        migrate.upgrade(behind)
    assert migrate.current(behind) == migrate.head()


# --- collations ---

SORTED_BY = """
CREATE FUNCTION by_library(text, text) RETURNS int LANGUAGE sql IMMUTABLE AS
    $$ SELECT CASE WHEN $1 < $2 THEN -1 WHEN $1 > $2 THEN 1 ELSE 0 END $$;
CREATE OPERATOR CLASS of_library FOR TYPE text USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 by_library(text, text);
CREATE TABLE sorted (word text);
INSERT INTO sorted SELECT 'word ' || n FROM generate_series(1, 500) AS n;
CREATE INDEX by_word ON sorted (word of_library);
"""
# What a new version of the system's library does: the same words, another order.
ANOTHER_ORDER = """
CREATE OR REPLACE FUNCTION by_library(text, text) RETURNS int LANGUAGE sql IMMUTABLE AS
    $$ SELECT CASE WHEN reverse($1) < reverse($2) THEN -1 WHEN reverse($1) > reverse($2) THEN 1 ELSE 0 END $$
"""


@pytest.mark.fault(23)
def test_another_version_of_the_collation_is_told_until_it_is_refreshed(
    engine: Engine, session: Session, settings: Settings, cluster: Cluster
) -> None:
    name = str(engine.url.database)
    with psycopg.connect(cluster.conninfo(name), autocommit=True) as admin:
        admin.execute("UPDATE pg_database SET datcollversion = '0.9' WHERE datname = %s", [name])
        assert (
            f"the database {name} was sorted by version 0.9" in told(session, settings)["collation-changed"]
        )
        admin.execute(sql.SQL("ALTER DATABASE {} REFRESH COLLATION VERSION").format(sql.Identifier(name)))
    assert "collation-changed" not in told(session, settings)


@pytest.mark.fault(23)
def test_an_index_whose_order_changed_is_found_named_and_mended_by_reindex(
    engine: Engine, cluster: Cluster
) -> None:
    name = str(engine.url.database)
    with psycopg.connect(cluster.conninfo(name), autocommit=True) as admin:
        admin.execute(SORTED_BY)
        check_structure(cluster.environment(), name)
        admin.execute(ANOTHER_ORDER)
        with pytest.raises(IntegrityFailed, match=rf"btree index {name}\.public\.by_word") as raised:
            check_structure(cluster.environment(), name)
        mends = "REINDEX INDEX CONCURRENTLY public.by_word"
        assert mends in raised.value.message and "REINDEX DATABASE" in raised.value.hint
        assert admin.execute("SELECT count(*) FROM sorted").fetchone() == (500,), "the table is whole"
        admin.execute(mends)
        check_structure(cluster.environment(), name)


# --- backups that are blocked, and schedules that are late ---


@pytest.mark.fault(21)
def test_backups_that_are_blocked_for_days_are_told_and_the_next_recovers(
    shelf: Shelf, session: Session
) -> None:
    """Something holds the lock of backups and never ends."""
    proven = nights(shelf, 2)
    with exclusive(shelf.engine, "backup of secrets"):
        for _ in range(2):
            with pytest.raises(Conflict, match="Another backup of secrets is running"):
                run_backup(shelf.engine, shelf.settings, "secrets")
        found = told(session, shelf.settings, later=timedelta(days=3))
        assert "backup of postgres is from" in found["backup-late"] and "at most 26 h" in found["backup-late"]
        assert "last proven restore" in found["proof-late"]
        assert found["prune-late"]
    assert not {"backup-late", "proof-late"} & told(session, shelf.settings).keys()
    assert run_backup(shelf.engine, shelf.settings, "secrets").status == "complete"
    assert shelf.statuses(proven) == ["complete", "complete"]


@pytest.mark.fault(21)
def test_a_first_backup_that_never_comes_is_told_as_well(shelf: Shelf, session: Session) -> None:
    with transaction(shelf.engine) as write:
        row = write.get_one(Backup, shelf.put(1.5, proven=False))
        row.status, row.sha256, row.error = "failed", "", "The store does not answer."
    found = told(session, shelf.settings)
    assert "No backup of postgres was ever completed" in found["backup-late"]
    assert found["backup-failed"].endswith("failed: The store does not answer.")


NIGHTLY, OFTEN, MINUTE = "backup-postgres", "backup-objects", 40


@contextmanager
def prefect_run(
    monkeypatch: pytest.MonkeyPatch, flow: str, at: datetime, *, scheduled: bool = True
) -> Iterator[None]:
    """A flow run as Prefect hands it over."""
    import flows.execution as module

    run = SimpleNamespace(id=uuid4(), expected_start_time=at, auto_scheduled=scheduled, tags=[])
    with monkeypatch.context() as patch:
        patch.setattr(module, "FlowRunContext", SimpleNamespace(get=lambda: SimpleNamespace(flow_run=run)))
        patch.setattr(module, "_deployment_name", lambda: flow)
        yield


@pytest.mark.fault(30)
def test_a_storm_of_late_runs_does_the_work_once_and_says_why(
    engine: Engine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prefect was down for a day: the hourly flow comes 24 times, oldest first, and some of them twice."""
    from flows.execution import once

    now = datetime.now(UTC)
    newest = now.replace(minute=MINUTE, second=0, microsecond=0)
    newest -= timedelta(hours=newest > now)
    instants = [newest - timedelta(hours=place) for place in range(24)]
    done: list[datetime] = []
    for at in [*reversed(instants), *instants[:3]]:
        with prefect_run(monkeypatch, OFTEN, at):
            state = once(OFTEN, lambda at=at: done.append(at))  # type: ignore[misc]
        if at != newest:
            assert state is not None and state.name == "Skipped" and "due already" in state.message
    assert done == [newest]
    rows = {row.scheduled_for: row for row in session.query(FlowExecution).filter_by(flow=OFTEN)}
    assert len(rows) == len(instants) and rows[newest].status == "complete"
    assert {rows[at].status for at in instants[1:]} == {"skipped"}
    assert all("is due already" in rows[at].error for at in instants[1:])
    assert "flow-failed" not in told(session, _settings())


def _settings() -> Settings:
    from leitstand.settings import get_settings

    return get_settings()


@pytest.mark.fault(30)
def test_what_is_late_and_has_no_later_instant_is_done(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Last night's backup is worth taking in the evening, and what a person starts is done always."""
    from flows.execution import once

    now = datetime.now(UTC)
    last = now.replace(hour=2, minute=15, second=0, microsecond=0)
    last -= timedelta(days=last > now)
    with prefect_run(monkeypatch, NIGHTLY, last):
        assert once(NIGHTLY, lambda: "done") == "done"
    with prefect_run(monkeypatch, NIGHTLY, last - timedelta(days=1)):
        assert once(NIGHTLY, lambda: "done").name == "Skipped"  # type: ignore[union-attr]
    with prefect_run(monkeypatch, OFTEN, now - timedelta(days=1), scheduled=False):
        assert once(OFTEN, lambda: "done") == "done"


@pytest.mark.fault(30)
def test_a_failed_flow_is_told_after_five_minutes_until_it_succeeds(
    engine: Engine, session: Session, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from flows.execution import once

    def fails() -> None:
        raise Unavailable("The store does not answer.")

    at = datetime.now(UTC)
    with prefect_run(monkeypatch, "probe-storage", at, scheduled=False), pytest.raises(Unavailable):
        once("probe-storage", fails)
    assert "flow-failed" not in told(session, settings)
    found = told(session, settings, later=timedelta(minutes=6))
    assert "probe-storage" in found["flow-failed"] and "The store does not answer." in found["flow-failed"]
    with prefect_run(monkeypatch, "probe-storage", at + timedelta(seconds=1), scheduled=False):
        once("probe-storage", lambda: None)
    assert "flow-failed" not in told(session, settings, later=timedelta(minutes=6))


@pytest.mark.fault(21)
def test_a_failure_is_told_once_although_a_backup_and_its_flow_both_ended_with_it(
    shelf: Shelf, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.execution import once

    reason = "The object store does not answer."

    def fails() -> None:
        with transaction(shelf.engine) as write:
            row = write.get_one(Backup, shelf.put(0.01))
            row.status, row.error = "failed", reason
        raise Unavailable(reason)

    with prefect_run(monkeypatch, NIGHTLY, datetime.now(UTC), scheduled=False), pytest.raises(Unavailable):
        once(NIGHTLY, fails)
    found = told(session, shelf.settings, later=timedelta(minutes=6))
    assert found["backup-failed"].endswith(f"failed: {reason}") and "flow-failed" not in found


@pytest.mark.fault(6)
def test_who_may_not_look_at_the_archiver_is_told_so(cluster: Cluster, settings: Settings) -> None:
    database = make_url(settings.database_url).database or ""
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(cluster.conninfo(database))
    )
    with Session(engine) as session:
        session.execute(text("SET SESSION AUTHORIZATION pg_database_owner"))
        found = {
            one.name: one for one in server_conditions(session, settings, KnownKind(), datetime.now(UTC))
        }
    engine.dispose()
    assert "may not look" in found["archive-hidden"].says and "pg_monitor" in found["archive-hidden"].hint
