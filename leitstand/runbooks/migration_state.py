"""Where a migration stands: the revision, who runs it, who holds it up, invalid indexes, and what exists against what should.

What should exist at a revision is not guessed: the migrations up to it are run in an empty PostgreSQL of our own, in the
runbook's folder, and both schemas are compared.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, text

from leitstand.db import migrate
from leitstand.db.cluster import EXTENSIONS, SUPERUSER, Cluster
from leitstand.db.migration_lock import ADVISORY_LOCK, APPLICATION
from leitstand.runbooks.scratch import ScratchServer

# Who waits tries again and again, and is known by its name alone.
RUNNING = """
WITH holder AS (
    SELECT pid FROM pg_locks
    WHERE locktype = 'advisory' AND classid = 0 AND objid = :key AND objsubid = 1 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
SELECT pid, true AS granted FROM holder
UNION ALL SELECT pid, false FROM pg_stat_activity
WHERE datname = current_database() AND application_name = :application AND pid NOT IN (SELECT pid FROM holder)
"""
HOLDERS = """
SELECT DISTINCT l.pid FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE l.locktype = 'relation' AND l.granted AND n.nspname = 'public' AND l.pid <> pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
INVALID = """
SELECT format('%I.%I', n.nspname, i.relname) AS name, t.relname AS "table", pg_get_indexdef(x.indexrelid) AS definition,
       EXISTS (SELECT 1 FROM pg_stat_progress_create_index p WHERE p.index_relid = x.indexrelid) AS building
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
JOIN pg_namespace n ON n.oid = i.relnamespace
WHERE NOT (x.indisvalid AND x.indisready AND x.indislive) AND i.relkind = 'i' AND n.nspname = 'public' ORDER BY 1
"""
# Partitions come and go by themselves, and extensions bring their own.
SCHEMA = """
WITH ours AS (
    SELECT c.oid, c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname NOT LIKE 'event\\_p%'
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e'))
SELECT format('column %s.%s %s%s', o.relname, a.attname, format_type(a.atttypid, a.atttypmod),
              CASE WHEN a.attnotnull THEN ' not null' ELSE '' END)
  FROM ours o JOIN pg_attribute a ON a.attrelid = o.oid WHERE a.attnum > 0 AND NOT a.attisdropped
UNION ALL SELECT format('index %s', i.relname)
  FROM ours o JOIN pg_index x ON x.indrelid = o.oid JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indisvalid
UNION ALL SELECT format('constraint %s.%s', o.relname, k.conname)
  FROM ours o JOIN pg_constraint k ON k.conrelid = o.oid WHERE k.contype <> 'n'
"""


@dataclass(frozen=True)
class Running:
    """Pids of who holds the migrations' lock (`holder`, 0 for nobody) and who waits for it."""

    holder: int
    waiting: tuple[int, ...]


@dataclass(frozen=True)
class Comparison:
    """What is there against what the revision says.

    Args:
        missing: should be there. ahead: belongs to a migration that has not been run yet. foreign: no migration makes it.
    """

    missing: tuple[str, ...]
    ahead: tuple[str, ...]
    foreign: tuple[str, ...]
    expected: frozenset[str]


def running(engine: Engine) -> Running:
    """Who migrates, or waits to."""
    with engine.connect() as connection:
        found = connection.execute(text(RUNNING), {"key": ADVISORY_LOCK, "application": APPLICATION}).all()
    holders = [row.pid for row in found if row.granted]
    return Running(holders[0] if holders else 0, tuple(row.pid for row in found if not row.granted))


def lock_holders(engine: Engine) -> set[int]:
    """Pids of sessions that hold a lock on one of our tables: a migration may have to wait for any of them."""
    with engine.connect() as connection:
        return set(connection.scalars(text(HOLDERS)))


def invalid_indexes(engine: Engine) -> list[dict[str, Any]]:
    """Indexes that a cut short CREATE INDEX CONCURRENTLY left: written to, never read. `building`: one is at work on it."""
    with engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(text(INVALID))]


def compare(engine: Engine, folder: Path, revision: str) -> Comparison:
    """The database's schema against that of its revision.

    Args:
        folder: an empty PostgreSQL is made in it, and removed.
    """
    there = _schema(engine)
    with empty_database(folder) as empty:
        if revision:
            migrate.upgrade(empty, revision)
        expected = _schema(empty)
        migrate.upgrade(empty)
        later = _schema(empty)
    more = there - expected
    return Comparison(
        tuple(sorted(expected - there)),
        tuple(sorted(more & later)),
        tuple(sorted(more - later)),
        frozenset(expected),
    )


def _schema(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.scalars(text(SCHEMA)))


@contextmanager
def empty_database(folder: Path) -> Iterator[Engine]:
    """A PostgreSQL of our own without any schema, in `folder`, reachable by a private socket alone; removed afterwards."""
    data = folder / "expected"
    Cluster(data, 0, secrets.token_urlsafe()).create()
    server = ScratchServer(folder, data)
    try:
        server.start()
        engine = create_engine(server.url("postgres", SUPERUSER), pool_size=1)
        with engine.begin() as connection:
            for extension in EXTENSIONS:
                connection.execute(text(f"CREATE EXTENSION IF NOT EXISTS {extension}"))
        yield engine
        engine.dispose()
    finally:
        server.stop()
