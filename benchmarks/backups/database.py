"""The database that is backed up: rows that compress as text does, a change of one in a hundred, and a log of it."""

from datetime import datetime
from pathlib import Path

import psycopg

from leitstand.backups.engines.registry import chosen
from leitstand.db.cluster import Cluster
from leitstand.settings import load_settings

ROW_BYTES = 330
BATCH = 250_000
TEXT = "md5(i::text) || ' ' || repeat(substr(md5((i % 1000)::text), 1, 12) || ' ', 10) || md5((i * 7)::text)"
SWITCH = "SELECT pg_switch_wal()"


def fill(cluster: Cluster, gigabytes: float) -> int:
    """Make the table `bench` of about so many gigabytes, unless it is there; gives its rows."""
    rows = int(gigabytes * 1e9 / ROW_BYTES)
    with psycopg.connect(cluster.conninfo("leitstand"), autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS bench (i bigint PRIMARY KEY, at timestamptz, words text)"
        )
        connection.execute("ALTER TABLE bench OWNER TO pg_database_owner")  # or a dump may not read it
        there = _one(connection, "SELECT count(*) FROM bench")
        for first in range(int(str(there)) + 1, rows + 1, BATCH):
            last = min(first + BATCH - 1, rows)
            connection.execute(
                f"INSERT INTO bench SELECT i, now(), {TEXT} FROM generate_series({first}, {last}) AS i"
            )
        connection.execute("VACUUM (FREEZE, ANALYZE) bench")
        connection.execute("CHECKPOINT")
    return rows


def change(cluster: Cluster, rows: int, *, begin: float) -> None:
    """Change one row in a hundred, those that lie together from the share `begin` on."""
    first = int(rows * begin)
    with psycopg.connect(cluster.conninfo("leitstand"), autocommit=True) as connection:
        connection.execute(
            "UPDATE bench SET at = now() WHERE i BETWEEN %s AND %s", [first + 1, first + rows // 100]
        )
        connection.execute("CHECKPOINT")


def mark(cluster: Cluster, name: str) -> datetime:
    """Commit a row that a restore is asked for; gives the instant after it."""
    with psycopg.connect(cluster.conninfo("leitstand"), autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS mark (name text)")
        connection.execute("ALTER TABLE mark OWNER TO pg_database_owner")
        connection.execute("INSERT INTO mark VALUES (%s)", [name])
        at = _one(connection, "SELECT clock_timestamp()")
    if not isinstance(at, datetime):
        raise TypeError("no instant")
    return at


def archived(cluster: Cluster, kept: Path) -> None:
    """Archive from now on: with our command, and beside it as the bare tools do."""
    settings = load_settings()
    kept.mkdir(exist_ok=True)
    command = f"{chosen(settings).archive_command(settings)} && cp %p {kept}/%f"
    _set(cluster, command)


def not_archived(cluster: Cluster) -> None:
    """Take every segment for archived: what fills the database is in the backups."""
    _set(cluster, "/bin/true")


def wait_archived(cluster: Cluster) -> None:
    """Close the current segment and wait until everything is archived."""
    import time

    with psycopg.connect(cluster.conninfo("leitstand"), autocommit=True) as connection:
        name = str(_one(connection, "SELECT pg_walfile_name(pg_current_wal_insert_lsn())"))
        connection.execute(SWITCH)
        while (
            str(_one(connection, "SELECT coalesce(max(last_archived_wal), '') FROM pg_stat_archiver")) < name
        ):
            time.sleep(0.1)


def _set(cluster: Cluster, command: str) -> None:
    quoted = command.replace("'", "''")
    with psycopg.connect(cluster.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET archive_command = '{quoted}'")
        connection.execute("SELECT pg_reload_conf()")


def _one(connection: "psycopg.Connection[tuple[object, ...]]", query: str) -> object:
    row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None
