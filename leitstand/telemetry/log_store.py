"""The logs of all services in one file (SQLite), found by request id. Needs no other service, so that it outlives them."""

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from prometheus_client import Counter, Gauge, start_http_server

from leitstand.telemetry.log_lines import Line, parse

SCHEMA = """
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS line (at REAL, service TEXT, level TEXT, request_id TEXT, text TEXT);
CREATE INDEX IF NOT EXISTS line_request ON line (request_id) WHERE request_id <> '';
CREATE INDEX IF NOT EXISTS line_at ON line (at);
CREATE TABLE IF NOT EXISTS position (inode INTEGER PRIMARY KEY, first TEXT, offset INTEGER);
"""
# The second condition lets the partial index be used.
FIND = "SELECT at, service, level, request_id, text FROM line WHERE request_id = ? AND request_id <> '' ORDER BY at, rowid"
KEEP_DAYS, MOST_BYTES = 14, 2_000_000_000
AT_ONCE = 5_000_000
DAY = 86_400
COLLECTED = Gauge("leitstand_logs_collected_timestamp_seconds", "When all logs were last looked at.")
LINES = Counter("leitstand_logs_lines_total", "Lines that were taken in.")


class LogStore:
    """One file; lines and how far each log was read are kept in one transaction, so that none is lost or doubled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self) -> None:
        """Make the file where there is none, readable to its owner alone."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch(mode=0o600)
        with closing(self._open()) as database:
            database.executescript(SCHEMA)

    def collect(self, folder: Path) -> int:
        """Take in what was written since, and give how many lines; rotated logs are read to their end."""
        with closing(self._open()) as database:
            taken = sum(self._take(database, path) for path in log_files(folder))
        LINES.inc(taken)
        COLLECTED.set_to_current_time()
        return taken

    def find(self, request_id: str) -> list[Line]:
        """Everything that was written for a request, across services, oldest first."""
        with closing(self._open()) as database:
            return [Line(*row) for row in database.execute(FIND, (request_id,))]

    def prune(self, now: float, *, days: int = KEEP_DAYS, most_bytes: int = MOST_BYTES) -> None:
        """Forget lines that are too old, and the oldest tenth for as long as the file is too large."""
        with closing(self._open()) as database:
            database.execute("DELETE FROM line WHERE at < ?", (now - days * DAY,))
            while _size(database) > most_bytes and _count(database):
                oldest = "SELECT rowid FROM line ORDER BY at LIMIT ?"
                database.execute(f"DELETE FROM line WHERE rowid IN ({oldest})", (_count(database) // 10 + 1,))  # noqa: S608
            database.execute("PRAGMA incremental_vacuum").fetchall()

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=30, isolation_level=None)

    def _take(self, database: sqlite3.Connection, path: Path) -> int:
        """Read whole lines only: the end of one may still be to come."""
        taken = 0
        with suppress(FileNotFoundError), path.open("rb") as stream:
            inode, first = path.stat().st_ino, hashlib.sha256(stream.readline()).hexdigest()
            row = database.execute("SELECT first, offset FROM position WHERE inode = ?", (inode,)).fetchone()
            # Another file may have got the number of one that is gone.
            offset = row[1] if row and row[0] == first and row[1] <= path.stat().st_size else 0
            service = service_of(path)
            while True:
                stream.seek(offset)
                whole = stream.read(AT_ONCE).rpartition(b"\n")[0]
                if not whole:
                    return taken
                lines = [parse(raw, service) for raw in whole.decode(errors="replace").split("\n")]
                offset += len(whole) + 1
                with database:
                    database.execute("BEGIN")
                    database.executemany(
                        "INSERT INTO line VALUES (?, ?, ?, ?, ?)",
                        [
                            (line.at or time.time(), line.service, line.level, line.request_id, line.text)
                            for line in lines
                        ],
                    )
                    database.execute(
                        "INSERT OR REPLACE INTO position VALUES (?, ?, ?)", (inode, first, offset)
                    )
                taken += len(lines)
        return taken


def run(store: LogStore, folder: Path, *, port: int, every_seconds: float = 2.0) -> None:
    """Take logs in until the process is ended, and answer /metrics on a port."""
    store.prepare()
    start_http_server(port)
    pruned = 0.0
    while True:
        store.collect(folder)
        if time.time() - pruned > 3600:
            store.prune(pruned := time.time())
        time.sleep(every_seconds)


def find_in(folder: Path, request_id: str) -> list[Line]:
    """The same without a store: reads every log of a folder."""
    found = [line for path in log_files(folder) for line in _of_request(path, request_id)]
    return sorted(found, key=lambda line: line.at)


def _of_request(path: Path, request_id: str) -> Iterator[Line]:
    with path.open(errors="replace") as stream:
        for raw in stream:
            # Most lines are of others: these are not even read as JSON.
            if request_id in raw and (line := parse(raw, service_of(path))).request_id == request_id:
                yield line


def log_files(folder: Path) -> list[Path]:
    """Logs of a folder and of the containers' folders in it, also rotated ones (but for compressed)."""
    found = [path for pattern in ("*.log*", "*/*.log*") for path in folder.glob(pattern)]
    return sorted(path for path in found if path.is_file() and path.suffix != ".gz")


def service_of(path: Path) -> str:
    """Who writes this log: what Compose calls the container, else the file's name."""
    try:
        described = json.loads((path.parent / "config.v2.json").read_text())
        return str(described["Config"]["Labels"]["com.docker.compose.service"])
    except (OSError, ValueError, KeyError, TypeError):
        return path.name.partition(".log")[0]


def _size(database: sqlite3.Connection) -> int:
    used = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
    return int(database.execute(used).fetchone()[0])


def _count(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT count(*) FROM line").fetchone()[0])
