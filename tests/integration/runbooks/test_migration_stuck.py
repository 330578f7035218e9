"""Runbook rb060: a migration behind a long transaction, an index that was never finished, and a half step by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from alembic import command
from sqlalchemy import Engine

from leitstand.db import migrate, migration_lock
from leitstand.errors import PreconditionFailed, Unavailable
from leitstand.runbooks import migration_state, migration_stuck
from leitstand.runbooks.migration_stuck import MigrationStuck
from tests.operating import dry_run, page, real_run, taken_up, verdicts
from tests.source import Source

NAME = "migration-stuck-or-failed"
EARLIER = "0008_event_archive"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def downgrade(engine: Engine, revision: str) -> None:
    """As a database that an earlier release made; no product code goes backwards."""
    config = migrate._config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


@contextmanager
def long_transaction(source: Source, mode: str = "ACCESS SHARE") -> Iterator[psycopg.Connection]:
    """Somebody reads (or writes) every table and then goes to lunch."""
    with psycopg.connect(
        source.cluster.conninfo("leitstand", "leitstand"), application_name="lunch"
    ) as connection:
        for (table,) in connection.execute(
            "SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall():
            connection.execute(f"LOCK TABLE {table} IN {mode} MODE")
        yield connection
        connection.close()


@pytest.fixture
def behind(source: Source) -> Iterator[Source]:
    """The database of an earlier release."""
    downgrade(source.engine, EARLIER)
    yield source
    migrate.upgrade(source.engine)


def test_a_migration_behind_a_long_transaction_gets_through(behind: Source) -> None:
    source = behind
    with long_transaction(source) as lunch:
        with pytest.raises(Unavailable, match="does not get its locks"):
            migrate.upgrade(source.engine, patience=0)
        with psycopg.connect(
            source.cluster.conninfo("leitstand"), application_name=migration_lock.APPLICATION
        ) as waits:
            running = migration_state.running(source.engine)
            assert (running.holder, running.waiting) == (0, (waits.info.backend_pid,))
        dry = dry_run(source, NAME, patience_seconds=0)
        said = page(source, dry)
        assert EARLIER in said and "lunch (leitstand)" in said
        assert [step["what"] for step in dry.figures["plan"]["steps"]] == ["terminate", "migrate"]
        assert migrate.current(source.engine) == EARLIER, "a dry run changes nothing"

        done = real_run(source, dry)
        assert done.ok, done.error
        assert verdicts(done)["migrations are at head"] == "passed"
        with pytest.raises(psycopg.OperationalError):
            lunch.execute("SELECT 1")
    assert migrate.current(source.engine) == migrate.head()
    assert migrate.differences(source.engine) == []


@pytest.mark.long
def test_an_index_that_was_never_finished_is_dropped_or_built_anew(source: Source) -> None:
    source.execute("DROP INDEX ix_prune_run_started")
    for name, columns in (("ix_by_hand", "status"), ("ix_prune_run_started", "started_at DESC")):
        with (
            long_transaction(source, "ROW EXCLUSIVE"),
            psycopg.connect(source.cluster.conninfo("leitstand"), autocommit=True) as builder,
        ):
            builder.execute("SET statement_timeout = '1s'")
            with pytest.raises(psycopg.errors.QueryCanceled):
                builder.execute(f"CREATE INDEX CONCURRENTLY {name} ON prune_run ({columns})")
    engine = source.engine
    assert {one["name"] for one in migration_state.invalid_indexes(engine)} == {
        "public.ix_by_hand",
        "public.ix_prune_run_started",
    }
    dry = dry_run(source, NAME)
    steps = {(step["what"], step["on"]) for step in dry.figures["plan"]["steps"]}
    assert steps == {("drop index", "public.ix_by_hand"), ("reindex", "public.ix_prune_run_started")}
    done = real_run(source, dry)
    assert done.ok, done.error
    assert migration_state.invalid_indexes(engine) == []
    assert migrate.differences(engine) == []


def test_a_half_step_by_hand_is_found_and_stops_the_real_run(
    behind: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = behind
    source.execute("ALTER TABLE backup ADD COLUMN reason text NOT NULL DEFAULT ''")
    definition = source.one("SELECT pg_get_indexdef('uq_flow_run_open'::regclass)")
    source.execute("DROP INDEX uq_flow_run_open")
    try:
        stuck = taken_up(source, tmp_path, monkeypatch, migration_stuck, MigrationStuck.begin)
        stuck.situation()
        stuck.indexes()
        stuck.schema()
        failed = " ".join(stuck.failures)
        assert "nothing is there too early: column backup.reason text not null" in failed
        assert "nothing is missing: index uq_flow_run_open" in failed
        stuck.plan()
        stuck.dry_run = False
        with pytest.raises(PreconditionFailed, match="uq_flow_run_open"):
            stuck.confirm(plan_sha256=stuck.sha256, decided_by="Olga Operator")
        stuck.finish()
    finally:
        source.execute("ALTER TABLE backup DROP COLUMN reason")
        source.execute(str(definition))
