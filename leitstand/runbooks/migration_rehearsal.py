"""The pending migrations on a restored copy of the newest backup: whether they run, how long each takes, and what they leave.

It reads the store and a key, and asks the live database nothing: so an image can try what it would do before it is let near.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url

from leitstand.backups.restore import choose, restore_postgres
from leitstand.backups.work import Progress
from leitstand.db import migrate
from leitstand.errors import Conflict, IntegrityFailed
from leitstand.machine_lock import alone
from leitstand.runbooks import scratch
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.words import N_, msg

# Another than a drill's: a drill removes whatever others like it left.
FOLDER, LOCK = "migration-rehearsal", "migration-rehearsal.lock"


@dataclass(frozen=True)
class Applied:
    """A migration that was applied to the copy."""

    revision: str
    contracts: bool
    seconds: float


@dataclass(frozen=True)
class Rehearsed:
    """How it went.

    Args:
        backup: its id. taken_at: when it was finished (ISO 8601).
        restore_seconds: until the copy took connections.
        revision: where the copy stood; `applied` led from there to the head of this code.
    """

    backup: str
    taken_at: str
    restore_seconds: float
    revision: str
    applied: tuple[Applied, ...]


def rehearse(settings: Settings, *, backup_id: str = "", progress: Progress | None = None) -> Rehearsed:
    """Restore a backup into a scratch folder, migrate it to the head of this code, and remove it.

    Args:
        backup_id: the beginning of its id; empty: the newest that is whole.

    Raises:
        NotFound: there is no such backup.
        PreconditionFailed: no key opens it, or the disk is too small.
        Conflict: another rehearsal is running here; or the backup is of a later release.
        IntegrityFailed: the schema is not what the models say afterwards.
        SQLAlchemyError: a migration fails.
    """
    say = progress or (lambda _: None)
    manifest = choose(ObjectStorage(settings), settings.bucket_backups, backup_id=backup_id)
    with _folder(settings) as folder:
        began = time.monotonic()
        restored = restore_postgres(
            settings, target=folder / "postgres", manifest=manifest, progress=progress
        )
        server = scratch.ScratchServer(folder, restored.target)
        try:
            server.start()
            seconds = round(time.monotonic() - began, 1)
            say(msg("the copy takes connections after {seconds} s", seconds=seconds))
            revision, applied = _migrated(settings, server, say)
        finally:
            server.stop()
    return Rehearsed(str(manifest["id"]), str(manifest["finished_at"]), seconds, revision, applied)


def _migrated(
    settings: Settings, server: scratch.ScratchServer, say: Progress
) -> tuple[str, tuple[Applied, ...]]:
    url = make_url(settings.database_url)
    engine = create_engine(server.url(str(url.database), str(url.username)), pool_size=1)
    applied = []
    try:
        revision = migrate.current(engine)
        for one in migrate.pending(engine):
            began = time.monotonic()
            migrate.upgrade(engine, one.revision)
            applied.append(Applied(one.revision, one.contracts, round(time.monotonic() - began, 1)))
            say(msg("{revision} took {seconds} s", revision=one.revision, seconds=applied[-1].seconds))
        _refuse_differences(migrate.differences(engine))
    finally:
        engine.dispose()
    return revision, tuple(applied)


def _refuse_differences(found: list[Any]) -> None:
    if found:
        raise IntegrityFailed(
            msg("The migrated copy is not what the models say: {difference}.", difference=found[0]),
            hint=N_(
                "Somebody has changed the schema by hand; runbook migration-stuck-or-failed compares it."
            ),
        )


@contextmanager
def _folder(settings: Settings) -> Iterator[Path]:
    """The scratch folder of the one rehearsal that runs; what a killed one left goes first, its server too."""
    root = scratch.scratch_root(settings).resolve()
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with alone(root / LOCK) as free:
        if not free:
            raise Conflict(
                N_("Another rehearsal of migrations is running on this machine."),
                hint="Wait until it has ended.",
            )
        folder = root / FOLDER
        if folder.exists():
            scratch.remove(folder)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
