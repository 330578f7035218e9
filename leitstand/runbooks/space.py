"""What takes the space under the data folder, and what of it may go: nothing that is in use, and never the log of PostgreSQL."""

import os
import re
import shutil
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from leitstand.backups.places import FOLDERS
from leitstand.backups.tidying import work_folder
from leitstand.runbooks import scratch
from leitstand.settings import Settings

IDLE_SECONDS = 600
ROTATED = re.compile(r".+\.log\.\d+")
ASIDE = re.compile(r"postgres\.(?:before|restored|undone)-.+")
LARGEST = 15
SLOTS = """
SELECT slot_name AS name, slot_type AS kind, active, coalesce(wal_status, '') AS state, temporary,
       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint AS bytes
FROM pg_replication_slots ORDER BY bytes DESC
"""
ARCHIVER = """
SELECT archived_count, failed_count, last_archived_wal, last_archived_time, last_failed_wal, last_failed_time,
       coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) AS failing,
       (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready') AS waiting,
       (SELECT coalesce(sum(size), 0)::bigint FROM pg_ls_waldir()) AS bytes
FROM pg_stat_archiver
"""
RELATIONS = """
SELECT format('%I.%I', n.nspname, c.relname) AS name, pg_total_relation_size(c.oid) AS bytes, s.n_dead_tup AS dead
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY 2 DESC LIMIT :shown
"""


@dataclass(frozen=True)
class Candidate:
    """Something that may go.

    Args:
        path: below the data folder.
        why: what it is.
        proposed: safe without a second thought; else only when it is chosen by name.
    """

    path: str
    bytes: int
    why: str
    proposed: bool


def size_of(path: Path) -> int:
    """Bytes on disk of a file, or of a folder with all that is in it; links are not followed."""
    return sum(found.st_blocks * 512 for found in _all(path))


def _all(path: Path) -> Iterator[os.stat_result]:
    try:
        yield path.lstat()
        if path.is_dir() and not path.is_symlink():
            for member in path.iterdir():
                yield from _all(member)
    except (FileNotFoundError, PermissionError):
        return


def by_folder(settings: Settings) -> list[dict[str, Any]]:
    """Every entry of the data folder with its bytes and what it is, the largest first."""
    found = [
        {"entry": path.name, "bytes": size_of(path), "what": FOLDERS.get(path.name, _told(path.name))}
        for path in settings.data_dir.iterdir()
    ]
    return sorted(found, key=lambda one: -int(str(one["bytes"])))


def _told(name: str) -> str:
    return "a database that a restore moved aside or made" if ASIDE.fullmatch(name) else "not ours"


def inside_postgres(settings: Settings) -> dict[str, int]:
    """Bytes of the parts of the database's folder; empty where it is elsewhere."""
    data = settings.data_dir / "postgres"
    if not data.is_dir():
        return {}
    temporary = [path for path in (data / "base").glob("pgsql_tmp*") if path.is_dir()]
    parts = {"tables and indexes": data / "base", "the log (pg_wal)": data / "pg_wal"}
    sizes = {name: size_of(path) for name, path in parts.items()}
    return {**sizes, "temporary files of statements": sum(map(size_of, temporary))}


def candidates(settings: Settings, own: Path, at_work: Collection[str] | None = ()) -> list[Candidate]:
    """What may go, safest first.

    Args:
        own: the folder of this run, which stays.
        at_work: kinds of which a backup runs, whose folders stay however long nothing comes; None: nobody knows.
    """
    root = settings.data_dir
    found = [
        *(
            (path, "the rest of a restore that was tried out", True)
            for path in _idle(scratch.scratch_root(settings), own)
        ),
        *(
            (path, "the rest of a backup that was killed", at_work is not None)
            for path in _idle(work_folder(settings), own)
            if path.name.partition("-")[0] not in (at_work or ())
        ),
        *(
            (path, "an older log", True)
            for path in sorted((root / "logs").glob("*.log.*"))
            if ROTATED.fullmatch(path.name)
        ),
        *(
            (path, "a database that a restore moved aside: the way back from it", False)
            for path in _aside(root)
        ),
    ]
    return [
        Candidate(str(path.relative_to(root)), size_of(path), why, proposed) for path, why, proposed in found
    ]


def _idle(folder: Path, own: Path) -> list[Path]:
    """The entries in which nothing was written for a while and no process of ours works."""
    entries = sorted(folder.glob("*")) if folder.is_dir() else []
    return [path for path in entries if path.resolve() != own.resolve() and not _in_use(path)]


def _in_use(path: Path) -> bool:
    newest = max((found.st_mtime for found in _all(path)), default=0.0)
    return time.time() - newest < IDLE_SECONDS or bool(scratch.processes_in(path))


def _aside(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("postgres.*") if path.is_dir() and ASIDE.fullmatch(path.name))


def remove(settings: Settings, path: str) -> str:
    """Remove one candidate; what is gone already stays so."""
    target = settings.data_dir / path
    if not target.exists():
        return "was gone already"
    if target.is_dir():
        shutil.rmtree(target)
    else:
        target.unlink()
    return "done"


def slots(connection: Connection) -> list[dict[str, Any]]:
    """Replication slots and how much log each keeps, in bytes."""
    return [dict(row._mapping) for row in connection.execute(text(SLOTS))]


def archiver(connection: Connection) -> dict[str, Any]:
    """How the archiving of the log goes: `failing`, how many segments are `waiting`, `bytes` of log on the disk."""
    return dict(connection.execute(text(ARCHIVER)).one()._mapping)


def largest_relations(connection: Connection) -> list[dict[str, Any]]:
    """The largest tables with their indexes, partitions each by itself."""
    return [dict(row._mapping) for row in connection.execute(text(RELATIONS), {"shown": LARGEST})]
