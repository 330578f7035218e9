"""The DuckDB of this process: one, in memory, with bounds; it can read the local parts and nothing else."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from leitstand.insights.columnar.files import folder_of
from leitstand.insights.sources import TooSlow
from leitstand.settings import Settings

if TYPE_CHECKING:
    import duckdb

THREADS = 2
_lock = threading.Lock()
_databases: dict[tuple[str, int], "duckdb.DuckDBPyConnection"] = {}


def cursor(settings: Settings) -> "duckdb.DuckDBPyConnection":
    """A connection of its own to the process's database; whoever asked for it closes it."""
    key = str(settings.data_dir), settings.insights_memory_mb
    with _lock:
        if key not in _databases:
            _databases[key] = _started(settings)
        return _databases[key].cursor()


@contextmanager
def limited(cursor: "duckdb.DuckDBPyConnection", timeout_ms: int) -> Iterator[None]:
    """Interrupt what the cursor does in the block when it takes longer; DuckDB has no limit of its own.

    Raises:
        TooSlow: it was interrupted.
    """
    import duckdb

    timer = threading.Timer(timeout_ms / 1000, cursor.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise TooSlow from error
    finally:
        timer.cancel()
        # One that has gone off already must not hit the cursor's next statement.
        timer.join()


def _started(settings: Settings) -> "duckdb.DuckDBPyConnection":
    import duckdb

    parts = folder_of(settings)
    spilled = parts.with_name("spilled")
    spilled.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = duckdb.connect(
        ":memory:",
        config={
            "threads": THREADS,
            "memory_limit": f"{settings.insights_memory_mb}MB",
            "temp_directory": str(spilled),
            "max_temp_directory_size": f"{4 * settings.insights_memory_mb}MB",
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
        },
    )
    database.execute("SET GLOBAL TimeZone = 'UTC'; SET GLOBAL parquet_metadata_cache = true")
    # What follows can't be taken back: no query of anybody reads another file, or asks another host.
    database.execute("SET allowed_directories = [?]", [f"{parts}/"])
    database.execute("SET enable_external_access = false")
    database.execute("SET lock_configuration = true")
    return database
