"""The steps of runbook rb040: the environment on a new server, from the repository, the backups and one key.

It runs on a machine that has no database yet. What is there already is recognised by looking at it, so that the runbook
is simply run again where it stopped.
"""

import hashlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leitstand.backups import keys, secret_restore, wal
from leitstand.backups.archived_log import archived_files
from leitstand.backups.engines.chain import chain_of
from leitstand.backups.object_history import listed_from, listed_until
from leitstand.backups.places import COPIED
from leitstand.backups.restore import check_space
from leitstand.backups.secret_opening import Opened
from leitstand.embedded import preflight
from leitstand.embedded.environment import locate
from leitstand.embedded.rebuild import smoke, steps
from leitstand.embedded.rebuild.steps import Rebuild
from leitstand.errors import InvalidInput, PreconditionFailed
from leitstand.runbooks.confirming import require_confirmed
from leitstand.runbooks.decrypting import key_of
from leitstand.runbooks.ending import Evidenced
from leitstand.runbooks.evidence import Evidence, facts, rows
from leitstand.runbooks.taking_up import EVIDENCE, SANDBOX, TakenUp, ensure_backup, take_up
from leitstand.storage.objects import ObjectStorage
from leitstand.words import msg, said

if TYPE_CHECKING:
    import pandas as pd

# A server that lives closes a segment of its log each minute.
SILENT_FOR = timedelta(minutes=3)
SILENT = "the old server is silent"
SHOWN = 5
NOTHING = "nothing: this is a dry run"


class RebuildEnvironment(Evidenced):
    """One rebuild. A dry run writes nothing; a real one needs the dry run's hash and the environment's name typed."""

    def __init__(self, work: TakenUp, rebuild: Rebuild, copy: Path | None, backup_id: str) -> None:
        self.work, self.rebuild, self.copy, self.backup_id = work, rebuild, copy, backup_id
        self.environment, self.name = rebuild.environment, work.settings.environment
        self.evidence = Evidence(work.folder / EVIDENCE)
        self.began = time.monotonic()
        self.for_real = False
        self.prevents: dict[str, PreconditionFailed] = {}
        self.manifest: dict[str, Any] = {}
        self._opened: Opened | None = None

    @classmethod
    def begin(
        cls,
        *,
        run_id: str = SANDBOX,
        copy: str = "",
        key_file: str = "",
        origin: str = "",
        backup_id: str = "",
    ) -> "RebuildEnvironment":
        """Take up the work on the environment of this machine's data folder.

        Args:
            copy: sealed copy of the secrets; empty: the newest of this machine's second place, else the store's.
            key_file: of the offline key; empty: the one that is plugged in or lies in the keys' folder.
            origin: address of the store that has the backups; empty: the store of the settings.
            backup_id: backup of PostgreSQL to recover from; empty: the newest.

        Raises:
            Conflict: a drill or another runbook is running.
            InvalidInput: a file that is named is not there.
        """
        for path in filter(None, (copy, key_file)):
            if not Path(path).is_file():
                raise InvalidInput(
                    msg("There is no file {path}.", path=path), hint="Name it with its whole path."
                )
        work = take_up(run_id)
        if work.sandbox and work.database_answers():
            for kind in ("secrets", "objects", "postgres"):
                ensure_backup(work.engine, work.settings, kind)
        environment = locate(work.settings.data_dir, work.settings.port)
        rebuild = Rebuild(
            environment,
            origin=steps.read_by(environment, work.settings, endpoint=origin),
            target=work.settings,
            key_file=_key_file(work, key_file),
        )
        return cls(work, rebuild, Path(copy) if copy else steps.newest_copy(work.settings), backup_id)

    # --- the steps ---

    def identity(self) -> "pd.DataFrame":
        """Which environment is made, where, and from what."""
        own = self.rebuild.own_store
        return facts(
            {
                "environment": self.name,
                "folder": self.environment.data_dir,
                "address": self.work.settings.base_url,
                "backups are read from": self.rebuild.origin.s3_url,
                "objects go into": "a store of its own" if own else self.work.settings.s3_url,
                "secrets come from": self.copy or "the store",
                "key": self.rebuild.key_file,
                "runs now": "YES" if self.rebuild.is_running else "no",
            }
        )

    def preconditions(self) -> "pd.DataFrame":
        """A key that opens all, room for it, and an old server that is silent."""
        first = len(self.evidence.checks)
        self._opened = self.rebuild.open_secrets(self.copy)
        self.evidence.check(
            "the key opens the secrets", True, msg("made {at}", at=self._opened.made_at.isoformat())
        )
        self.rebuild.read_with(self._opened)
        self.manifest = self.rebuild.backup_of_postgres(self.backup_id)
        inventory = self.rebuild.inventory()
        own = keys.identities_in(self.rebuild.key_file)
        for what, manifest in (("database", self.manifest), ("objects", inventory)):
            if manifest:
                opens = keys.is_recipient(own, manifest["recipients"])
                self.evidence.check(f"the key opens the {what}", opens, msg("backup {id}", id=manifest["id"]))
            else:
                self.evidence.skip(f"the key opens the {what}", "no backup of them is in the store")
        if self.rebuild.is_running:
            self.evidence.skip("room, ports and the old server", "the environment runs already")
        else:
            self._check_machine()
        return self.evidence.table(first)

    def _check_machine(self) -> None:
        """Room and ports for it. What is missing prevents a real run, and lets a dry run go on to show the plan."""
        origin = self.rebuild.origin
        chain = chain_of(ObjectStorage(origin), origin.bucket_backups, self.manifest)
        checks: dict[str, Callable[[], object]] = {
            "memory": preflight.check_memory,
            "ports": lambda: preflight.check_ports(self.environment),
            "disk": lambda: check_space(self.environment.postgres_dir, chain),
            SILENT: self._refuse_loud,
        }
        for name, check in checks.items():
            try:
                check()
            except PreconditionFailed as error:
                self.prevents[name] = error
                self.evidence.skip(
                    name,
                    msg(
                        "NO: {message} A real run is refused until that is mended.",
                        message=said(error.message),
                    ),
                )
            else:
                self.evidence.check(name, True, "as it should be")

    def _refuse_loud(self) -> None:
        newest = self._log_stored_at()
        if newest is not None and datetime.now(UTC) - newest <= SILENT_FOR:
            raise PreconditionFailed(
                msg(
                    "The old server still writes its log: the archive got a part of it at {value}.",
                    value=newest.isoformat()[:19],
                ),
                hint="Switch it off and wait three minutes, or give old_is_off=true where you see that it is off.",
            )

    def _log_stored_at(self) -> datetime | None:
        """When the newest piece of the log came into the archive."""
        origin = self.rebuild.origin
        stored = archived_files(ObjectStorage(origin), self.manifest)
        return max((one.modified for one in stored), default=None)

    def plan(self) -> "pd.DataFrame":
        """What is done already and what is left, and the hash of what there will be."""
        opened, inventory = self._have(), self.rebuild.inventory()
        agreed = secret_restore.plan(self.rebuild.origin, opened)
        said = {
            "environment": self.name,
            "folder": str(self.environment.data_dir),
            "secrets": opened.known["id"],
            "postgres": self.manifest["id"],
            "objects": inventory["id"] if inventory else "",
        }
        self.evidence.figures |= {"plan": said, "plan_sha256": _sha256(said)}
        self.evidence.save()
        running = self.rebuild.is_running
        size = (
            f"{self.manifest['content']['bytes'] / 1e6:,.0f} MB, finished {self.manifest['finished_at'][:19]}"
        )
        back = running or self.rebuild.database_is_back()
        as_of = f"as of {listed_until(inventory).isoformat()[:19]}" if inventory else "none are backed up"
        count = f"{inventory['objects']} objects, {as_of}" if inventory else as_of
        table = [
            ("secrets", f"{len(agreed.written)} files to write" if agreed.written else "there", opened.place),
            ("database", "there" if back else "to be recovered", f"backup {self.manifest['id']}, {size}"),
            ("objects", "what is missing is written", count),
            ("services", "up" if running else "to be started", f"ports from {self.environment.port} on"),
            ("plan_sha256", "", self.evidence.figures["plan_sha256"]),
        ]
        return rows(
            [{"what": what, "now": now, "is": words} for what, now, words in table], ["what", "now", "is"]
        )

    def confirm(
        self, *, dry_run: bool, plan_sha256: str, decided_by: str, old_is_off: bool = False
    ) -> "pd.DataFrame":
        """In a dry run what to run next; else refuses unless plan, decision, typed name and the old server's silence fit.

        Args:
            old_is_off: somebody has seen that the old server is off, whatever the archive says.

        Raises:
            PreconditionFailed: one of them does not.
        """
        found = self.evidence.figures["plan_sha256"]
        if dry_run:
            command = f"the same with -p dry_run=false -p plan_sha256={found} -p decided_by=NAME; then type {self.name}"
            return facts({"this is": "a dry run: nothing is written", "next": command})
        require_confirmed(
            self.work, target=self.name, sha256=found, plan_sha256=plan_sha256, decided_by=decided_by
        )
        for name, error in self.prevents.items():
            if name != SILENT or not old_is_off:
                raise error
        self.for_real = not self.evidence.failures
        seen = ", who sees that the old server is off," if SILENT in self.prevents else ""
        self.evidence.check(
            "confirmed",
            True,
            msg(
                "decided by {decided_by}{seen} and {name} typed",
                decided_by=decided_by,
                seen=seen,
                name=self.name,
            ),
        )
        return facts({"this is": "FOR REAL" if self.for_real else "refused: a precondition failed"})

    def restore_keys(self) -> "pd.DataFrame":
        """The secrets into their files; one that is newer here than the backup stops the run and stays."""
        if not self.for_real:
            return facts({"restored": NOTHING})
        with self.evidence.step("secrets"):
            written = self.rebuild.restore_secrets(self._have())
        self.evidence.check(
            "secrets restored", True, msg("{count} written, the others were there", count=len(written))
        )
        return rows([{"file": name} for name in written], ["file"])

    def restore_postgres(self) -> "pd.DataFrame":
        """The database, recovered to the end of the archived log, unless it is there."""
        if not self.for_real or self.rebuild.is_running:
            return facts({"restored": "nothing: it runs" if self.for_real else NOTHING})
        with self.evidence.step("database"):
            unpacked = self.rebuild.restore_postgres(self.manifest)
            recovered = self.rebuild.recover_postgres(self.manifest, self.work.folder)
        reached = wal.lsn_number(recovered.lsn) >= wal.lsn_number(self.manifest["stop_lsn"])
        self.evidence.check("recovered past the end of the backup", reached, recovered.lsn)
        self.evidence.figures |= {"newest_commit": recovered.at.isoformat(), "counts": recovered.counts}
        self.evidence.save()
        return facts(
            {
                "unpacked": "now" if unpacked else "it was there",
                "newest commit": recovered.at.isoformat(),
                **{f"rows of {table}": count for table, count in recovered.counts.items()},
            }
        )

    def restore_objects(self) -> "pd.DataFrame":
        """Every object that is not there as it was; each is compared with its SHA-256 and read back."""
        if not self.for_real:
            return facts({"restored": NOTHING})
        with self.evidence.step("objects"), self.rebuild.store():
            at = datetime.now(UTC)
            done = self.rebuild.restore_objects(self.rebuild.plan_objects(at, copies_only=False))
            left = [
                item.wanted.key
                for plan in self.rebuild.plan_objects(at, copies_only=False)
                for item in plan.of("write", "replace", "missing")
            ]
        wrong = "; ".join([f"{key}: {why}" for key, why in done.failed.items()][:SHOWN])
        self.evidence.check(
            "every object is back",
            not left,
            msg(
                "{written} written, {count} left {wrong}", written=done.written, count=len(left), wrong=wrong
            ),
        )
        return facts(
            {
                "buckets": ", ".join(place.role for place in COPIED),
                "written": done.written,
                "bytes": done.bytes,
            }
        )

    def start(self) -> "pd.DataFrame":
        """Start every service, and try out whether it works."""
        first = len(self.evidence.checks)
        if not self.for_real:
            return facts({"started": NOTHING})
        with self.evidence.step("services"):
            said = self.rebuild.start()
        down = [one["name"] for one in said["services"] if one["state"] != "up"]
        self.evidence.check("every service is up", not down, ", ".join(down) or str(len(said["services"])))
        inventory = self.rebuild.inventory()
        lost_since = listed_from(inventory) if inventory else None
        with self.evidence.step("smoke test"):
            smoke.note(
                self.evidence,
                smoke.Smoke(self.environment, self.rebuild.settings, lost_since=lost_since).run(),
            )
        self.evidence.figures["rto_seconds"] = round(time.monotonic() - self.began, 3)
        return self.evidence.table(first)

    def next_steps(self) -> "pd.DataFrame":
        """What is left to a person, and the way back."""
        if not self.for_real:
            return facts({"now": "read the plan, then run it for real as said above"})
        key = keys.keys_dir(self.work.settings) / keys.OFFLINE
        return facts(
            {
                "1": f"move the offline key away again: {key}"
                if key.exists()
                else "the offline key is not here",
                "2": "take new backups at once: leitstand backup run all",
                "3": "let name and certificate point here: runbook rb080",
                "4": "prove it: leitstand drill run postgres-latest",
                "5": "if somebody else may have the old server: runbook rb030, everything replaced",
                "6": "the old server must not start again beside this one",
                "to begin again": f"leitstand down, move {self.environment.data_dir} away, run this again",
            }
        )

    def finish(self) -> "pd.DataFrame":
        """Every check; gives back the lock."""
        self.evidence.figures |= {"for_real": self.for_real, "ended_at": datetime.now(UTC).isoformat()}
        return self.end()

    def _have(self) -> Opened:
        if self._opened is None:
            raise PreconditionFailed("The secrets are not open.", hint="Run the steps in order.")
        return self._opened


def _key_file(work: TakenUp, given: str) -> Path:
    if given:
        return Path(given)
    name, _ = key_of(work.settings)
    return Path(name) if name else keys.keys_dir(work.settings) / keys.OPERATIONAL


def _sha256(said: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
