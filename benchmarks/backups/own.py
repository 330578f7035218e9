"""One step of Leitstand's own, in a process of its own: `python -m benchmarks.backups.own STEP ARGUMENT…` prints its figures."""

import json
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from leitstand.backups import dumps
from leitstand.backups.operations import run_backup
from leitstand.backups.restore import choose, restore_postgres
from leitstand.db.engine import make_engine
from leitstand.settings import load_settings
from leitstand.storage.objects import ObjectStorage

Figures = dict[str, Any]


def backup(level: str) -> Figures:
    """A backup of PostgreSQL of this level, or a dump."""
    settings = load_settings()
    kind = "dump" if level == "dump" else "postgres"
    taken = run_backup(make_engine(settings), settings, kind, level="" if kind == "dump" else level)
    if taken.level not in (level, None):
        raise SystemExit(f"a {taken.level} backup was taken: {taken.manifest['level_reason']}")
    return {"bytes": taken.bytes, "id": str(taken.id)}


def restore(backup_id: str, target: str, to_time: str = "") -> Figures:
    """A restore into a folder; recovery is measured by who starts the server."""
    settings = load_settings()
    manifest = choose(ObjectStorage(settings), settings.bucket_backups, backup_id=backup_id)
    instant = datetime.fromisoformat(to_time) if to_time else None
    restore_postgres(settings, target=Path(target), manifest=manifest, to_time=instant)
    return {"id": backup_id}


def restore_dump(database: str) -> Figures:
    """The newest dump into an empty database."""
    settings = load_settings()
    manifest = choose(ObjectStorage(settings), settings.bucket_backups, kind="dump")
    dumps.restore(settings, manifest=manifest, database=database)
    return {"id": manifest["id"]}


STEPS: dict[str, Callable[..., Figures]] = {
    "backup": backup,
    "restore": restore,
    "restore_dump": restore_dump,
}

if __name__ == "__main__":
    began = time.monotonic()
    figures = STEPS[sys.argv[1]](*sys.argv[2:])
    sys.stdout.write(json.dumps({**figures, "seconds": time.monotonic() - began}) + "\n")
