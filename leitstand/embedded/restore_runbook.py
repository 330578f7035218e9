"""The steps of runbook rb010: PostgreSQL as it was at an instant, tried out, and then in the place of the live one."""

import atexit
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leitstand.backups import fingerprint
from leitstand.backups.engines.chain import chain_of
from leitstand.backups.engines.interface import FULL
from leitstand.backups.engines.registry import engine_of
from leitstand.backups.operations import run_backup
from leitstand.backups.restore import (
    begin_new_timeline,
    check_space,
    choose,
    occupied,
    refuse_removed_log,
    restore_postgres,
)
from leitstand.db import migrate, row_security
from leitstand.db.engine import make_engine
from leitstand.embedded import programs, restore_history, switching
from leitstand.embedded.environment import locate
from leitstand.embedded.switching import BETWEEN, NOT_BEGUN, ODD, SWITCHED, Switch
from leitstand.errors import InvalidInput, LeitstandError, NotFound
from leitstand.runbooks import scratch
from leitstand.runbooks.confirming import NOT_DONE, Confirmed, Plan, Step, digest
from leitstand.runbooks.evidence import Evidence, facts, rows
from leitstand.runbooks.point_in_time import Found, instant_of, try_out
from leitstand.runbooks.taking_up import EVIDENCE, SANDBOX, TakenUp, ensure_backup, take_up
from leitstand.storage.objects import ObjectStorage
from leitstand.words import msg

if TYPE_CHECKING:
    import pandas as pd

LIVE, TRIAL = "live", "trial"
KEY_LENGTH = 10
# What the environment remembers, so that a run that goes on starts what the one before it had stopped.
STOPPED = "stopped_for_a_restore"
WHERE = {
    LIVE: "in the place of the live database, which is moved aside",
    TRIAL: "a scratch folder that goes again",
}


class PointInTimeRestore(Confirmed):
    """One restore. The live database is only ever moved aside, whole, and moved back the same way."""

    NAME = "postgres-point-in-time"

    def __init__(
        self, work: TakenUp, target: str, to_time: datetime | None, *, dry_run: bool, given: dict[str, Any]
    ) -> None:
        super().__init__(work, Evidence(work.folder / EVIDENCE), dry_run=dry_run, given=given)
        self.settings, self.to_time, self.into = work.settings, to_time, target
        self.undo, self.backup_id = str(given["undo"]), str(given["backup_id"])
        self.environment = locate(work.settings.data_dir, work.settings.port)
        self.storage = ObjectStorage(work.settings)
        self.manifest: dict[str, Any] = {}
        self.switch: Switch | None = None
        self.found: Found | None = None
        self.server: scratch.ScratchServer | None = None

    @classmethod
    def begin(
        cls,
        *,
        run_id: str = SANDBOX,
        target: str = TRIAL,
        to_time: str = "",
        backup_id: str = "",
        undo: str = "",
        dry_run: bool = True,
    ) -> "PointInTimeRestore":
        """Take up the work.

        Args:
            target: live; a folder with its whole path, which is filled; or trial, which goes again.
            to_time: instant with its offset; empty: as new as the archived log goes.
            backup_id: backup to start from; empty: the newest that fits.
            undo: name of the folder that an earlier restore moved aside; it is put back.

        Raises:
            InvalidInput: another target, or an instant without an offset.
        """
        instant = instant_of(to_time)
        if target not in WHERE and not Path(target).is_absolute():
            raise InvalidInput(
                msg("{target!r} is no target.", target=target),
                hint="Give live, trial, or a folder with its whole path.",
            )
        given = {"target": target, "to_time": to_time, "backup_id": backup_id, "undo": undo}
        restore = cls(take_up(run_id), LIVE if undo else target, instant, dry_run=dry_run, given=given)
        atexit.register(restore.close)
        if restore.into == TRIAL and restore.work.sandbox:
            ensure_backup(restore.work.engine, restore.settings)
        return restore

    # --- the steps ---

    def situation(self) -> "pd.DataFrame":
        """Where this runs, whether the database answers, and how far an earlier run came."""
        said = restore_history.database_now(self.settings)
        beside = sorted(path.name for path in self.environment.postgres_dir.parent.glob("postgres.*"))
        return facts(
            {
                "environment": self.settings.environment,
                "database": said,
                "target": WHERE.get(self.into, f"the folder {self.into}"),
                "instant": self.to_time.isoformat() if self.to_time else "as new as the archived log goes",
                "beside the live folder": ", ".join(beside) or "nothing",
                "mode": "dry run" if self.dry_run else "REAL RUN",
            }
        )

    def changes(self) -> "pd.DataFrame":
        """What was done last, and from which tables rows went: the instant to restore to is before that."""
        return rows(restore_history.last_changes(self.settings), ["when", "what", "on"])

    def backups(self) -> "pd.DataFrame":
        """What can be restored: the newest backups, and how far the archived log goes."""
        return rows(restore_history.newest_backups(self.settings, self.storage), ["what", "at", "is"])

    def preconditions(self) -> "pd.DataFrame":
        """A backup that fits, a key that opens it, the log up to the instant, space, and somebody who can stop services."""
        first = len(self.evidence.checks)
        if not self.undo:
            self._check_backup()
        if self.into == LIVE:
            self._check_switch()
        elif self.into != TRIAL:
            self.evidence.check("the folder is empty", not occupied(Path(self.into)), self.into)
        return self.evidence.table(first)

    def plan(self) -> "pd.DataFrame":
        """What will be done, and the hash of that."""
        if self.failures:
            return facts({"plan": "none: something that is needed is not there, see above"})
        basis = {
            "backup": str(self.manifest.get("id", "")),
            "to_time": self.to_time.isoformat() if self.to_time else "",
            "data_dir": str(self.settings.data_dir),
            "undo": self.undo,
        }
        name = self.settings.environment if self.into == LIVE else Path(self.into).name
        return self.show_plan(Plan(name, self._steps(basis), basis))

    def confirm(self, *, plan_sha256: str, decided_by: str) -> "pd.DataFrame":
        """As every runbook; a trial changes nothing and asks nobody."""
        if self.into == TRIAL:
            return facts({"this is": "a trial", "next": "give target=live or a folder, and to_time"})
        return super().confirm(plan_sha256=plan_sha256, decided_by=decided_by)

    def restore(self) -> "pd.DataFrame":
        """Unpack the backup, let it recover on a private socket, and look at it. One that is there already is looked at."""
        if not self.for_real and self.into != TRIAL:
            return facts(NOT_DONE)
        if self.switch and self.switch.stage() in {BETWEEN, SWITCHED}:
            self.evidence.skip("restored", "an earlier run did, and has begun to switch")
            return self.last_check()
        data = self._data()
        with self.evidence.step("restore"):
            if self.undo:
                begin_new_timeline(self.settings, data)
            elif not occupied(data):
                restore_history.push_log(self.settings)
                restore_postgres(self.settings, target=data, manifest=self.manifest, to_time=self.to_time)
                self.evidence.check("pg_verifybackup", True, "every file is what PostgreSQL's manifest says")
        self.server = scratch.ScratchServer(self.work.folder, data)
        with self.evidence.step("recovery"):
            self.found = try_out(self.server, self.settings)
        self._judge(self.found)
        said = self.found.to_dict()
        counts = {f"rows of {table}": count for table, count in self.found.counts.items()}
        return facts({"newest commit": said["newest_commit"], "schema": said["revision"], **counts})

    def put_in_place(self) -> "pd.DataFrame":
        """Services stop, the live folder is moved aside, the restored one is put in its place, services start."""
        if not self.for_real or self.switch is None:
            return facts(NOT_DONE if self.into == LIVE else {"done": "nothing: the live database stays"})
        told: list[str] = []
        with self.evidence.step("switch"), self.environment.exclusive():
            stopped = self.environment.recall().get(STOPPED, [])
            names = sorted({*switching.running(self.environment), *stopped} & programs.BY_NAME.keys())
            if self.switch.stage() != SWITCHED:
                self.environment.remember(**{STOPPED: names})
                switching.stop(self.environment, names, told.append)
                switching.swap(self.switch)
                told.append(
                    f"moved: {self.switch.live.name} to {self.switch.aside.name}, {self.switch.waiting.name} to {self.switch.live.name}"
                )
            self.evidence.figures["way_back"] = self._way_back()
            switching.start(self.environment, names, told.append)
            self.environment.remember(**{STOPPED: []})
        self.evidence.check(
            "switched", self.switch.stage() == SWITCHED, msg("{name} stays", name=self.switch.aside.name)
        )
        told.append(f"the way back: {self._way_back()}")
        return rows(
            [{"step": str(number), "done": line} for number, line in enumerate(told, 1)], ["step", "done"]
        )

    def check(self) -> "pd.DataFrame":
        """Is everything there, is the schema at head, and a backup of what is now live, without which the log alone is left."""
        if not self.for_real or self.into != LIVE:
            return facts({"checked": "nothing more: the live database was not touched"})
        first, engine = len(self.evidence.checks), make_engine(self.settings, statement_timeout_ms=0)
        before = migrate.current(engine)
        # What the release needs of the server, such as the role of requests, may be younger than the backup.
        programs.cluster(self.environment).prepare(str(engine.url.database))
        migrate.upgrade(engine)
        with engine.begin() as connection:
            row_security.build(connection)
        now = migrate.current(engine)
        self.evidence.check(
            "migrations are at head",
            now == migrate.head(),
            msg("restored at {before}, now at {now}", before=before, now=now),
        )
        with engine.begin() as connection:
            counts = fingerprint.counts(connection)
        expected = self.found.counts if self.found else {}
        fewer = [name for name, count in expected.items() if counts[name] < count]
        self.evidence.check(
            "no row is missing",
            not fewer,
            ", ".join(fewer) or msg("{count} tables counted", count=len(counts)),
        )
        self.evidence.figures["counts"] = counts
        with self.evidence.step("backup"):
            backup = run_backup(engine, self.settings, "postgres", level=FULL)
        self.evidence.check("a backup of it", True, str(backup.id))
        engine.dispose()
        return self.evidence.table(first)

    def finish(self) -> "pd.DataFrame":
        """Every check; gives back the lock."""
        self.close()
        return self.end()

    def close(self) -> None:
        """Stop the server that looks; a trial's data goes, every other folder stays."""
        if self.server is not None:
            self.server.stop()
        for path in (self.work.folder / "postgres", self.work.folder / "postgres.access"):
            shutil.rmtree(path, ignore_errors=True)

    # --- inside ---

    def _check_backup(self) -> None:
        try:
            self.manifest = choose(
                self.storage, self.settings.bucket_backups, to_time=self.to_time, backup_id=self.backup_id
            )
        except NotFound as error:
            self.evidence.check("a backup that fits", False, error.said)
            return
        finished = str(self.manifest["finished_at"])[:19]
        self.evidence.check(
            "a backup that fits",
            True,
            msg("{id}, finished {finished}", id=self.manifest["id"], finished=finished),
        )
        opens = engine_of(self.manifest).opens(self.settings, self.manifest)
        self.evidence.check(
            "a key of this machine opens it",
            opens,
            msg("{count} recipients", count=len(self.manifest["recipients"])),
        )
        self._try("the log reaches the instant", self._check_log)
        self._try("space on the disk", self._check_space)

    def _check_log(self) -> str:
        if self.to_time is None:
            return "as far as it goes"
        if self.to_time > datetime.now(UTC):
            raise InvalidInput("The instant lies in the future.")
        refuse_removed_log(self.storage, self.manifest, self.to_time)
        return restore_history.reached(self.settings, self.storage, self.manifest, self.to_time)

    def _check_space(self) -> str:
        chain = chain_of(self.storage, self.settings.bucket_backups, self.manifest)
        space = check_space(self.settings.data_dir if self.into in WHERE else Path(self.into), chain)
        return f"{space['free'] / 1e9:.1f} GB free, {space['needed'] / 1e9:.1f} GB needed"

    def _check_switch(self) -> None:
        live = self.environment.postgres_dir
        if self.undo:
            self.switch = Switch.backward(live, self.undo)
        elif self.manifest:
            told = [str(self.manifest["id"]), self.to_time.isoformat() if self.to_time else ""]
            self.switch = Switch.forward(live, digest(told)[:KEY_LENGTH])
        if self.switch is not None:
            stage = self.switch.stage()
            ready = stage != ODD and not (self.undo and stage == NOT_BEGUN)
            if self.dry_run and not self.undo and stage == SWITCHED:  # a real run goes on to its end
                ready = False
                stage = f"this very restore is in place; to make it again, rename {self.switch.aside.name}"
            self.evidence.check("the folders are as a restore leaves them", ready, stage)
        self._try("services can be stopped and started", self._stoppable)

    def _stoppable(self) -> str:
        return ", ".join(switching.running(self.environment)) or "none runs but the object store"

    def _try(self, name: str, work: Any) -> None:
        """A check that says by an error why not."""
        try:
            self.evidence.check(name, True, work())
        except LeitstandError as error:
            self.evidence.check(name, False, error.said)

    def _steps(self, basis: dict[str, str]) -> tuple[Step, ...]:
        backup, instant = basis["backup"], basis["to_time"] or "the end of the archived log"
        look = (
            Step("restore", f"backup {backup} to {instant}", "nobody notices"),
            Step("try out", "on a private socket", "nobody notices"),
        )
        if self.switch is None:
            return look
        swap = (
            Step("stop", "every service but the object store", "nothing answers from here on"),
            Step("move aside", f"{self.switch.live.name} to {self.switch.aside.name}", "nothing is deleted"),
            Step("put in place", f"{self.switch.waiting.name} to {self.switch.live.name}", ""),
            Step(
                "start", "what was stopped", "what was written after the instant is only in the folder aside"
            ),
            Step("back up", "the database that is live then", "nobody notices"),
        )
        again = Step("try out", f"{self.switch.waiting.name} on a private socket, as a new timeline", "")
        return (again, *swap) if self.undo else (*look, *swap)

    def _data(self) -> Path:
        if self.switch is not None:
            return self.switch.waiting
        return self.work.folder / "postgres" if self.into == TRIAL else Path(self.into)

    def _judge(self, found: Found) -> None:
        self.evidence.figures |= found.to_dict()
        if found.newest is None:
            self.evidence.skip(
                "nothing newer than the instant", "an earlier run looked, or nothing was replayed"
            )
            return
        in_time = self.to_time is None or found.newest <= self.to_time
        self.evidence.check(
            "nothing newer than the instant", in_time, msg("newest commit {newest}", newest=found.newest)
        )

    def _way_back(self) -> str:
        name = self.switch.aside.name if self.switch else ""
        if self.undo:
            return f"none is needed: what was undone is in {name}"
        return f"leitstand runbook run {self.NAME} -p undo={name}"
