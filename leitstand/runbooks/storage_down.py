"""The steps of runbook rb100: the object storage is down and the log piles up; how long that goes well, and what comes after."""

from typing import TYPE_CHECKING

from sqlalchemy import text

from leitstand.backups.archived_log import missing_log
from leitstand.backups.engines.interface import FULL
from leitstand.backups.entries import usable_entries
from leitstand.backups.operations import run_backup
from leitstand.db.engine import make_engine
from leitstand.errors import LeitstandError
from leitstand.runbooks import archive_queue, backends
from leitstand.runbooks.archive_queue import Queue
from leitstand.runbooks.confirming import NOT_DONE, Confirmed, Plan, Step
from leitstand.runbooks.evidence import Evidence, facts
from leitstand.runbooks.taking_up import EVIDENCE, SANDBOX, TakenUp, take_up
from leitstand.storage.objects import ObjectStorage
from leitstand.words import msg

if TYPE_CHECKING:
    import pandas as pd

HOUR = 3600.0
COMMIT = "SELECT pg_logical_emit_message(true, 'leitstand', 'does it go on')"
STEPS = (
    Step("archive", "all log that waits", "nobody notices"),
    Step("verify", "the archived log since the newest backup", "nobody notices"),
    Step("back up", "PostgreSQL, when a segment of the log is missing", "nobody notices"),
)


class StorageDown(Confirmed):
    """One look at an archive that takes nothing and, when the store is back and it was confirmed, the catching up."""

    NAME = "object-storage-down"

    def __init__(self, work: TakenUp, *, sample: float, patience: float, dry_run: bool) -> None:
        super().__init__(work, Evidence(work.folder / EVIDENCE), dry_run=dry_run, given={})
        self.settings, self.sample, self.patience = work.settings, sample, patience
        self.engine, _ = backends.reserved_engine(work.settings)
        self.storage = ObjectStorage(work.settings)
        self.queue: Queue | None = None
        self.gap = ""

    @classmethod
    def begin(
        cls,
        *,
        run_id: str = SANDBOX,
        sample_seconds: float = 5.0,
        patience_seconds: float = 3600.0,
        dry_run: bool = True,
    ) -> "StorageDown":
        """Take up the work.

        Args:
            sample_seconds: how long the rate of the log is measured.
            patience_seconds: how long a real run waits for the archive to have taken everything.

        Raises:
            Unavailable: PostgreSQL takes no connection.
        """
        work = take_up(run_id)
        return cls(work, sample=sample_seconds, patience=patience_seconds, dry_run=dry_run)

    # --- the steps ---

    def situation(self) -> "pd.DataFrame":
        """Where this runs, and whether the store answers."""
        why = self._store_says()
        if self.dry_run and why:
            self.evidence.skip("the object storage answers", why)
        else:
            self.evidence.check("the object storage answers", not why, why or self.settings.s3_url)
        return facts(
            {
                "environment": self.settings.environment,
                "object storage": self.settings.s3_url,
                "it": f"DOES NOT ANSWER: {why}" if why else "answers",
                "mode": "dry run: nothing is done" if self.dry_run else "REAL RUN",
            }
        )

    def pile(self) -> "pd.DataFrame":
        """How much log waits, how fast it grows, and when the disk is full."""
        self.queue = archive_queue.look(self.engine, self.settings.data_dir, sample_seconds=self.sample)
        self.evidence.figures["queue"] = self.queue.to_dict()
        left = self.queue.seconds_left
        return facts(
            {
                "archive": f"FAILS, last at {self.queue.since}"
                if self.queue.failing
                else "takes what it is given",
                "segments that wait": self.queue.waiting,
                "last archived": self.queue.last or "none",
                "log on the disk": f"{self.queue.bytes / 1e6:,.0f} MB",
                "log that is written": f"{self.queue.rate * 60 / 1e6:,.1f} MB a minute",
                "free on the disk": f"{self.queue.free / 1e6:,.0f} MB",
                "the disk is full in": f"{left / HOUR:,.1f} hours" if left else "nothing is written now",
            }
        )

    def goes_on(self) -> "pd.DataFrame":
        """PostgreSQL goes on without its archive: tried by a commit that changes nothing."""
        with self.engine.connect() as connection:
            position = connection.scalar(text(COMMIT))
        self.evidence.check(
            "PostgreSQL goes on", True, msg("a commit is durable at {position}", position=position)
        )
        return self.last_check()

    def plan(self) -> "pd.DataFrame":
        """What is done as soon as the store answers."""
        return self.show_plan(Plan(self.settings.environment, STEPS))

    def drain(self) -> "pd.DataFrame":
        """Have everything archived that waits, now."""
        if not self.for_real:
            return facts(NOT_DONE)
        with self.evidence.step("archiving"):
            name = archive_queue.push(self.engine, within=self.patience)
        self.evidence.check("all log is archived", True, msg("up to {name}", name=name))
        return self.last_check()

    def verify(self) -> "pd.DataFrame":
        """Is the archived log whole since the newest backup."""
        if not self.for_real:
            return facts(NOT_DONE)
        entries = usable_entries(self.storage, self.settings.bucket_backups, "postgres")
        self.gap = (
            missing_log(self.storage, self.settings.bucket_backups, entries[0]) if entries else "every backup"
        )
        said = (
            f"{self.gap} is missing: a backup is taken now"
            if self.gap
            else "every segment follows the one before"
        )
        self.evidence.figures["gap"] = self.gap
        return facts({"archived log": said, "newest backup": entries[0]["id"] if entries else "none"})

    def back_up(self) -> "pd.DataFrame":
        """A full backup at once where log is missing: only what comes after it can be restored to any second again."""
        if not self.for_real:
            return facts(NOT_DONE)
        if not self.gap:
            self.evidence.check("any second can be restored", True, "the log has no gap")
            return self.last_check()
        engine = make_engine(self.settings, statement_timeout_ms=0)
        with self.evidence.step("backup"):
            backup = run_backup(engine, self.settings, "postgres", level=FULL)
        engine.dispose()
        self.evidence.figures["backup_id"] = str(backup.id)
        left = missing_log(self.storage, self.settings.bucket_backups, backup.manifest)
        self.evidence.check(
            "any second from now on can be restored", not left, left or msg("backup {id}", id=backup.id)
        )
        return self.last_check()

    def check(self) -> "pd.DataFrame":
        """Nothing waits any more."""
        if not self.for_real:
            return facts(NOT_DONE)
        queue = archive_queue.look(self.engine, self.settings.data_dir, sample_seconds=0.1)
        self.evidence.check(
            "the archive takes what it is given", not queue.failing, queue.since or queue.last
        )
        return self.last_check()

    def finish(self) -> "pd.DataFrame":
        """Every check; gives back the lock and the connection."""
        self.engine.dispose()
        return self.end()

    # --- inside ---

    def _store_says(self) -> str:
        """Why the store does not answer; empty when it does."""
        try:
            next(iter(self.storage.list(self.settings.bucket_backups)), None)
        except LeitstandError as error:
            return error.message
        return ""
