"""The steps of runbook rb010: PostgreSQL as it was at an instant, in an empty folder, tried out before it is used."""

import atexit
import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, make_url, text

from leitstand.backups import fingerprint
from leitstand.backups.restore import choose, refuse_occupied, restore_postgres
from leitstand.errors import InvalidInput
from leitstand.runbooks import scratch
from leitstand.runbooks.ending import Evidenced
from leitstand.runbooks.evidence import Evidence, facts
from leitstand.runbooks.taking_up import EVIDENCE, SANDBOX, TakenUp, ensure_backup, take_up
from leitstand.storage.objects import ObjectStorage

if TYPE_CHECKING:
    import pandas as pd


class PointInTimeRestore(Evidenced):
    """One restore. The live database is never written to; the folder given is filled, never emptied."""

    def __init__(self, work: TakenUp, target: Path, to_time: datetime | None, backup_id: str) -> None:
        self.work, self.target, self.to_time, self.backup_id = work, target, to_time, backup_id
        self.keeps_target = work.folder not in target.parents
        self.evidence = Evidence(work.folder / EVIDENCE)
        self.manifest: dict[str, Any] = {}
        self.server = scratch.ScratchServer(work.folder, target)

    @classmethod
    def begin(
        cls, *, run_id: str = SANDBOX, target: str = "", to_time: str = "", backup_id: str = ""
    ) -> "PointInTimeRestore":
        """Take up the work.

        Args:
            target: empty folder, absolute; without one the restore is a trial in a scratch folder that goes again.
            to_time: instant with its offset; empty: as new as the archive goes.
            backup_id: backup to start from; empty: the newest that fits.

        Raises:
            InvalidInput: a relative target, or an instant without an offset.
            PreconditionFailed: the target is not empty.
        """
        instant, folder = instant_of(to_time), _folder(target)
        work = take_up(run_id)
        restore = cls(work, folder or work.folder / "postgres", instant, backup_id)
        atexit.register(restore.close)
        if folder is None:
            ensure_backup(work.engine, work.settings)
        return restore

    def choose(self) -> "pd.DataFrame":
        """The backup to start from, as the store itself knows it."""
        refuse_occupied(self.target)
        settings = self.work.settings
        self.manifest = choose(
            ObjectStorage(settings), settings.bucket_backups, to_time=self.to_time, backup_id=self.backup_id
        )
        self.evidence.check("a backup that fits", True, self.manifest["id"])
        return facts(
            {
                "backup": self.manifest["id"],
                "finished": self.manifest["finished_at"],
                "bytes": f"{self.manifest['content']['bytes']:,}",
                "restored to": self.to_time.isoformat() if self.to_time else "the end of the archived log",
                "target": self.target if self.keeps_target else "a scratch folder",
            }
        )

    def restore(self) -> "pd.DataFrame":
        """Unpack it; PostgreSQL's own tool compares every file."""
        with self.evidence.step("restore"):
            restore_postgres(
                self.work.settings, target=self.target, manifest=self.manifest, to_time=self.to_time
            )
        self.evidence.check("pg_verifybackup", True, "every file is what PostgreSQL's manifest says")
        return facts({"seconds": self.evidence.steps["restore"]})

    def recover(self) -> "pd.DataFrame":
        """Start it on a private socket without an archive, let it recover, look at it, and stop it properly."""
        url = make_url(self.work.settings.database_url)
        with self.evidence.step("recovery"):
            self.server.start()
        engine = create_engine(self.server.url(str(url.database), str(url.username)), pool_size=1)
        with engine.begin() as connection:
            newest = connection.scalar(text("SELECT pg_last_xact_replay_timestamp()"))
            counts = fingerprint.counts(connection)
        engine.dispose()
        self.server.stop(graceful=True)
        in_time = newest is None or self.to_time is None or newest <= self.to_time
        self.evidence.check("nothing newer than the instant", in_time, f"newest recovered commit {newest}")
        self.evidence.figures |= {"newest_commit": str(newest), "counts": counts}
        self.evidence.save()
        return facts(
            {
                "newest recovered commit": newest,
                **{f"rows of {table}": count for table, count in counts.items()},
            }
        )

    def next_steps(self) -> "pd.DataFrame":
        """What is left to a person."""
        if not self.keeps_target:
            self.close()
            return facts({"now": "nothing: this was a trial, its folder is removed"})
        return facts(
            {
                "1": "stop every service that writes: ./run down, or the rollout's stop",
                "2": f"move the live data folder aside and {self.target} into its place",
                "3": "start again; the log goes on under a new timeline",
                "4": "take a new backup at once: leitstand backup run postgres",
            }
        )

    def finish(self) -> "pd.DataFrame":
        """Every check; gives back the lock."""
        self.close()
        return self.end()

    def close(self) -> None:
        """Stop the server; a trial's data goes, a target that was given stays."""
        self.server.stop()
        if not self.keeps_target:
            shutil.rmtree(self.target, ignore_errors=True)


def _folder(target: str) -> Path | None:
    if not target:
        return None
    path = Path(target)
    if not path.is_absolute():
        raise InvalidInput(f"{target!r} is a relative path.", hint="Give the folder with its whole path.")
    refuse_occupied(path)
    return path


def instant_of(to_time: str) -> datetime | None:
    """The instant that a parameter names, None where it names none; InvalidInput for one without an offset."""
    if not to_time:
        return None
    try:
        instant = datetime.fromisoformat(to_time)
    except ValueError as error:
        raise InvalidInput(
            f"{to_time!r} is no instant.", hint="Write it as 2026-11-23T21:30:00+01:00."
        ) from error
    if instant.tzinfo is None:
        raise InvalidInput(f"{to_time!r} has no offset.", hint="Write it as 2026-11-23T21:30:00+01:00.")
    return instant
