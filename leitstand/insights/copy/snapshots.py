"""One read-only view of the database for everything that must agree: what is copied, what changed, and the rows.

Rows come as Arrow through ADBC, which reads PostgreSQL's binary COPY several times faster than a cursor. The connections
are none of the application's pool: whoever holds one of those may wait for one of these, and never the other way round.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from psycopg.conninfo import make_conninfo
from sqlalchemy import make_url
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from leitstand.insights.sources import WORK_MEM
from leitstand.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

POOLED, MOST = 2, 8
WAIT_SECONDS = 10
BEGIN = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
OPTIONS = {
    "options": f"-c timezone=UTC -c lock_timeout=3000 -c work_mem={WORK_MEM}",
    "application_name": "leitstand-insights",
    "connect_timeout": "5",
}


class Snapshot:
    """The database as it was at one instant: with all that was committed before `at`."""

    def __init__(self, cursor: Any) -> None:
        self.at = datetime.now(UTC)
        self._cursor = cursor

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """A few rows as Python values."""
        self._cursor.execute(query)
        return list(self._cursor.fetchall())

    def table(self, query: str) -> "pa.Table":
        """Rows as an Arrow table, all in memory."""
        self._cursor.execute(query)
        return self._cursor.fetch_arrow_table()

    def batches(self, query: str) -> Iterator["pa.RecordBatch"]:
        """Rows as Arrow batches of some megabytes, one in memory at a time."""
        self._cursor.execute(query)
        yield from self._cursor.fetch_record_batch()


@contextmanager
def snapshot(settings: Settings, *, timeout_ms: int) -> Iterator[Snapshot]:
    """A snapshot that holds until the block ends.

    Args:
        timeout_ms: how long one query may take; 0: as long as it wants.

    Raises:
        adbc_driver_manager.Error: the database does not answer, or a query failed.
        sqlalchemy.exc.TimeoutError: too many ask at once.
    """
    pool = _pool(settings.database_url)
    try:
        connection, cursor = _begun(pool, timeout_ms)
    except PoolTimeout:
        raise
    except Exception:
        # What the pool holds may have died with the server's last stop; a new one tells.
        pool.dispose()
        connection, cursor = _begun(pool, timeout_ms)
    try:
        yield Snapshot(cursor)
    except BaseException:
        connection.invalidate()
        raise
    finally:
        with suppress(Exception):
            cursor.close()
        connection.close()


def _begun(pool: QueuePool, timeout_ms: int) -> tuple[Any, Any]:
    connection = pool.connect()
    try:
        cursor = connection.cursor()
        cursor.execute(BEGIN)
        cursor.execute(f"SET LOCAL statement_timeout = {int(timeout_ms)}")
    except BaseException:
        connection.invalidate()
        connection.close()
        raise
    return connection, cursor


@lru_cache(maxsize=4)
def _pool(database_url: str) -> QueuePool:
    """Connections of this process: those of the last few databases (a process has one, its tests have many)."""
    url = make_url(database_url)
    address = make_conninfo(
        host=url.host, port=url.port, user=url.username, password=url.password, dbname=url.database,
        **{name: str(value) for name, value in url.query.items()} | OPTIONS,
    )  # fmt: skip

    def connect() -> Any:
        from adbc_driver_postgresql import dbapi

        return dbapi.connect(address)

    return QueuePool(connect, pool_size=POOLED, max_overflow=MOST - POOLED, timeout=WAIT_SECONDS)
