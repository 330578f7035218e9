"""The steps of the drill full-environment (notebook dr050): the whole environment made anew beside the running one."""

import atexit
import hashlib
import json
import random
import shutil
import time
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from sqlalchemy import text

from leitstand.backups import fingerprint, keys, secret_copies, wal
from leitstand.backups.inventory import Entry, read_inventory
from leitstand.backups.log_contents import newest_commit
from leitstand.backups.object_history import listed_from, listed_until
from leitstand.backups.places import copies_for
from leitstand.backups.secret_opening import Opened
from leitstand.db.engine import make_engine, transaction
from leitstand.db.models import Backup
from leitstand.embedded import preflight
from leitstand.embedded.environment import Environment
from leitstand.embedded.objects import ObjectStore
from leitstand.embedded.rebuild import smoke, steps
from leitstand.embedded.rebuild.steps import Rebuild, Recovered
from leitstand.embedded.supervisor import Supervisor
from leitstand.errors import Conflict, PreconditionFailed
from leitstand.runbooks import scratch
from leitstand.runbooks.decrypting import key_of
from leitstand.runbooks.ending import Rehearsal
from leitstand.runbooks.evidence import Evidence, facts, rows
from leitstand.runbooks.known_commits import AT_ONE_MOMENT
from leitstand.runbooks.objects_drill import not_copied
from leitstand.runbooks.postgres_drill import compared, source_of
from leitstand.runbooks.records import ALSO_PROVEN
from leitstand.runbooks.source_point import Point, bytes_behind, lost, rpo_seconds
from leitstand.runbooks.taking_up import EVIDENCE, SANDBOX, TakenUp, chosen_backup, ensure_backup, take_up
from leitstand.services import PORT_SPAN
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.words import N_, msg

if TYPE_CHECKING:
    import pandas as pd

PLAN = (
    "decrypt the secrets' second copy with one key, into an empty folder",
    "choose the newest backup of PostgreSQL from the store's own catalogue, without any database",
    "unpack it, compare every file (pg_verifybackup), recover to the end of the archived log on a private socket",
    "restore every object from the copies alone into a store of its own",
    "start every service on ports of its own: no job is taken, no flow starts, no mail is sent",
    "smoke test: health, sign-in, catalogue, figures, documents, an answer",
    "compare with the source: transactions, rows, objects; measure RPO and RTO of the whole",
    "stop and remove everything",
)
# Days that are this old do not change any more by events that come late.
SETTLED = timedelta(days=1)
# Where neither they nor the store's own, 10,000 above, are given to anybody's outgoing connections.
FIRST_PORT, LAST_PORT = 10_000, 20_000
ARCHIVED_WITHIN = 120
# What the original began before the copy was taken is in the copy too.
BEGUN = """
    SELECT (SELECT count(*) FROM flow_execution WHERE started_at > :at)
         + (SELECT count(*) FROM procrastinate_events WHERE type = 'started' AND at > :at)
"""


class FullEnvironmentDrill(Rehearsal):
    """One drill. Its steps are called in order; each gives a table of what it found."""

    def __init__(self, work: TakenUp, backups: dict[str, Backup], source: Point) -> None:
        self.work, self.settings, self.engine = work, work.settings, work.engine
        self.backups, self.source = backups, source
        self.evidence = Evidence(work.folder / EVIDENCE)
        self.key_file, self.offline = _key_of(work)
        self.environment = Environment(work.folder / "environment", _free_port())
        self.rebuild = Rebuild(
            self.environment,
            origin=steps.read_by(self.environment, work.settings),
            target=steps.apart(work.settings),
            key_file=self.key_file,
            rehearsal=True,
        )
        self.copy: Path | None = None
        self.opened: Opened | None = None
        self.recovered: Recovered | None = None
        self.entries: list[Entry] = []
        self._began = 0.0

    @classmethod
    def begin(cls, *, run_id: str = SANDBOX, backup_id: str = "") -> "FullEnvironmentDrill":
        """Take up the drill that was prepared under `run_id`, or, by itself, a sandbox that leaves no record.

        Raises:
            Conflict: another drill is running.
            InvalidInput: `run_id` is none.
            PreconditionFailed: no key, or no free ports.
        """
        work = take_up(run_id)
        backups = {kind: ensure_backup(work.engine, work.settings, kind) for kind in ("secrets", "objects")}
        backups["postgres"] = chosen_backup(work.engine, work.settings, backup_id)
        drill = cls(work, backups, source_of(work))
        scratch.note_sockets(work.folder, drill.sockets())
        atexit.register(drill.close)
        return drill

    # --- the steps ---

    def identity(self) -> "pd.DataFrame":
        """What is rebuilt, from what, and where; refuses everything that is in use."""
        new, origin = self.rebuild.settings, self.rebuild.origin
        with self.engine.connect() as connection:
            live = fingerprint.server(connection)
            live_data = str(connection.scalar(text("SELECT current_setting('data_directory')")))
        root = scratch.scratch_root(self.settings)
        scratch.refuse_live_target(self.environment.postgres_dir, root=root, live_data=live_data)
        first = len(self.evidence.checks)
        same = self.backups["postgres"].manifest["system_identifier"] == live["system_identifier"]
        self.evidence.check(
            "the backup is of this cluster",
            same,
            msg("system {system_identifier}", system_identifier=live["system_identifier"]),
        )
        empty = not self.environment.data_dir.exists()
        self.evidence.check("the target is an empty folder of the drill's own", empty, self.work.folder.name)
        alien = new.s3_url != origin.s3_url and new.database_url != self.settings.database_url
        self.evidence.check(
            "the target shares neither database nor store",
            alien,
            msg("ports from {port} on", port=self.environment.port),
        )
        self.evidence.check("nothing leaves the target", new.rehearsal and not new.smtp_host, "rehearsal")
        self.evidence.skip(
            "programs", "those of this installation; what fetching and installing them takes is not measured"
        )
        return self.evidence.table(first)

    def preconditions(self) -> "pd.DataFrame":
        """A machine that has room for a second environment, a copy of the secrets, a key that opens everything."""
        first = len(self.evidence.checks)
        preflight.check_memory()
        preflight.check_disk(self.work.folder)
        self.evidence.check("memory and disk for a second environment", True, "as ./run up asks for")
        self.copy = secret_copies.copy_of(self.settings, str(self.backups["secrets"].id))
        self.evidence.check(
            "the second place has the secrets",
            self.copy is not None,
            self.copy.name if self.copy else N_("no copy"),
        )
        own = keys.identities_in(self.key_file)
        for kind, backup in self.backups.items():
            opens = keys.is_recipient(own, backup.manifest["recipients"])
            self.evidence.check(f"the key opens the {kind}", opens, msg("backup {id}", id=backup.id))
        if not self.offline:
            self.evidence.skip(
                "the offline key opens it", "set LEITSTAND_OFFLINE_KEY_FILE while it is plugged in"
            )
        return self.evidence.table(first)

    def plan(self) -> "pd.DataFrame":
        """What will be done, and the hash of that."""
        hashes = {kind: [str(backup.id), backup.sha256] for kind, backup in self.backups.items()}
        plan = json.dumps({"backups": hashes, "steps": PLAN}, sort_keys=True)
        self.evidence.figures["plan_sha256"] = hashlib.sha256(plan.encode()).hexdigest()
        return rows([{"step": number, "what": step} for number, step in enumerate(PLAN, 1)], ["step", "what"])

    def restore_keys(self) -> "pd.DataFrame":
        """The secrets from their second copy with the one key, and the store opened with what came back."""
        self._began = time.monotonic()
        with self.evidence.step("secrets"):
            self.opened = self.rebuild.open_secrets(self.copy)
            written = self.rebuild.restore_secrets(self.opened)
        self.evidence.check(
            "secrets restored",
            bool(written),
            msg("{count} files, from {place}", count=len(written), place=self.opened.place),
        )
        return facts({"secrets": len(written), "seconds": self.evidence.steps["secrets"]})

    def restore_postgres(self) -> "pd.DataFrame":
        """The database: the newest backup of the store's own catalogue, recovered to the end of the archived log."""
        manifest = self.rebuild.backup_of_postgres(str(self.backups["postgres"].id))
        self.evidence.check("the store itself names the backup", True, manifest["id"])
        # Asked before recovery: what is archived while that goes on need not be in it.
        archived = None if "archive" in manifest else newest_commit(self.rebuild.origin, manifest)
        with self.evidence.step("database"):
            self.rebuild.restore_postgres(manifest)
        self.evidence.check("pg_verifybackup", True, "every file is what PostgreSQL's manifest says")
        with self.evidence.step("recovery"):
            self.recovered = self.rebuild.recover_postgres(manifest, self.work.folder)
        self._check_recovered(self.recovered, archived)
        return facts(
            {
                "newest recovered commit": self.recovered.at.isoformat(),
                "log position": self.recovered.lsn,
                "seconds": self.evidence.steps["database"] + self.evidence.steps["recovery"],
            }
        )

    def _check_recovered(self, recovered: Recovered, archived: datetime | None) -> None:
        """Recovery that stops early looks like success: it has to reach the newest commit that was archived before."""
        reached = wal.lsn_number(recovered.lsn) >= wal.lsn_number(recovered.manifest["stop_lsn"])
        self.evidence.check("recovered to the end of the backup", reached, recovered.lsn)
        early = archived is not None and archived - recovered.at > AT_ONE_MOMENT
        self.evidence.check(
            "recovered to the end of the archived log",
            not early,
            msg(
                "newest commit {at}, archived {archived}",
                at=recovered.at.isoformat(),
                archived=archived.isoformat() if archived else msg("none"),
            ),
        )

    def restore_objects(self) -> "pd.DataFrame":
        """Every object from the copies alone into the new store; each is compared with its SHA-256 and read back."""
        backup = self.backups["objects"].manifest
        self.entries = read_inventory(copies_for(self.rebuild.origin, backup), self.rebuild.origin, backup)
        at = listed_until(backup)
        self._keep_ports_free()
        with self.evidence.step("objects"), self.rebuild.store():
            done = self.rebuild.restore_objects(self.rebuild.plan_objects(at, copies_only=True))
            left = [item for plan in self.rebuild.plan_objects(at, copies_only=True) for item in plan.items]
        wrong = [item.wanted.key for item in left if item.action != "same"]
        failed = "; ".join([*done.failed.values(), *wrong][:5])
        whole = len(left) == len(self.entries) and not failed
        self.evidence.check(
            "every object is back",
            whole,
            msg(
                "{written} of {count} written {failed}",
                written=done.written,
                count=len(self.entries),
                failed=failed,
            ),
        )
        self.evidence.figures |= {"objects": done.written, "object_bytes": done.bytes}
        return facts({"objects": done.written, "bytes": f"{done.bytes:,}", "seconds": done.seconds})

    def start(self) -> "pd.DataFrame":
        """Every service, as `./run up` starts them."""
        self._keep_ports_free()
        with self.evidence.step("services"):
            said = self.rebuild.start()
        up = [one["name"] for one in said["services"] if one["state"] == "up"]
        self.evidence.check(
            "every service is up",
            said["ok"],
            msg("{count} of {whole}", count=len(up), whole=len(said["services"])),
        )
        shown = [
            {"service": one["name"], "state": one["state"], "MB": one["memory_bytes"] // 2**20}
            for one in said["services"]
        ]
        return rows(shown, ["service", "state", "MB"])

    def smoke(self) -> "pd.DataFrame":
        """Does it work? Asked as people ask it."""
        first, recovered = len(self.evidence.checks), self._have()
        settled = (recovered.at - SETTLED).date()
        with transaction(self.engine) as session:
            who = smoke.owner_of(session)
            expected = smoke.figures(session, who, before=settled) if who else None
        test = smoke.Smoke(
            self.environment,
            self.rebuild.settings,
            expected=expected,
            lost_since=listed_from(self.backups["objects"].manifest),
        )
        with self.evidence.step("smoke test"):
            smoke.note(self.evidence, test.run())
        self.evidence.figures["rto_seconds"] = round(time.monotonic() - self._began, 3)
        return self.evidence.table(first)

    def compare(self) -> "pd.DataFrame":
        """Rows of the key tables, as they were before anything was started, between those of the backup and of the source."""
        recovered = self._have()
        with self.engine.begin() as live:
            now = fingerprint.counts(live)
        before = recovered.manifest["counts"]
        table = [compared(name, before[name], recovered.counts[name], now[name]) for name in sorted(before)]
        wrong = [row["table"] for row in table if not row["plausible"]]
        self.evidence.check(
            "counts",
            not wrong,
            msg(
                "{count} tables, implausible: {names}",
                count=len(table),
                names=", ".join(wrong) or msg("none"),
            ),
        )
        known = str(self.backups["postgres"].id) in recovered.backups
        self.evidence.check("the backup's own entry is there", known, "in the restored catalogue")
        self.evidence.figures["counts"] = recovered.counts
        return rows(table, ["table", "backup", "restored", "live", "plausible"])

    def check_apart(self) -> "pd.DataFrame":
        """The copy lives by itself: its log goes into its own archive, and it does nothing of its original's work."""
        first, system = len(self.evidence.checks), self._have().manifest["system_identifier"]
        with self.engine.connect() as connection:
            live = str(connection.scalar(text("SELECT pg_walfile_name(pg_current_wal_lsn())")))[:8]
        foreign = [name for name in self._archived(self.settings, system) if name[:8] > live]
        self.evidence.check(
            "the original's archive has nothing of the copy",
            not foreign,
            msg("{count} files of a later timeline", count=len(foreign)),
        )
        deadline = time.monotonic() + ARCHIVED_WITHIN
        while not (own := self._archived(self.rebuild.settings, system)) and time.monotonic() < deadline:
            time.sleep(1)
        self.evidence.check(
            "its own archive has its log", bool(own), msg("{count} files in its own store", count=len(own))
        )
        engine = make_engine(self.rebuild.settings, application="leitstand-drill")
        with engine.connect() as connection:
            begun = connection.scalar(text(BEGUN), {"at": self._have().at})
        engine.dispose()
        self.evidence.check(
            "it has begun no flow and no job",
            begun == 0,
            msg("{begun} begun since it was recovered", begun=begun),
        )
        return self.evidence.table(first)

    def _archived(self, settings: Settings, system: str) -> list[str]:
        names = ObjectStorage(settings).list(settings.bucket_backups, wal.prefix(system))
        return [PurePosixPath(info.key).name for info in names]

    def measure(self) -> "pd.DataFrame":
        """RPO: the work that would be lost, of database and objects the worse. RTO: from the key to a passed smoke test."""
        figures, recovered = self.evidence.figures, self._have()
        missing = lost(self.source, recovered.point)
        database = rpo_seconds(self.source, missing, recovered.at)
        waiting = not_copied(self.settings, self.entries, self.source.at)
        objects = max(0.0, (self.source.at - min(waiting)).total_seconds()) if waiting else 0.0
        figures |= {
            "rpo_seconds": round(max(database, objects), 3),
            "rpo_database_seconds": round(database, 3),
            "rpo_objects_seconds": round(objects, 3),
            "transactions_behind": missing,
            "log_bytes_behind": bytes_behind(self.source, recovered.lsn),
            "objects_behind": len(waiting),
            ALSO_PROVEN: [str(self.backups[kind].id) for kind in ("secrets", "objects")],
        }
        self.evidence.save()
        shown = {
            "RPO of the whole, seconds": figures["rpo_seconds"],
            "RPO of the database, seconds": figures["rpo_database_seconds"],
            "RPO of the objects, seconds": figures["rpo_objects_seconds"],
            "RTO of the whole, seconds": figures.get("rto_seconds"),
            **{f"of which {name}": seconds for name, seconds in self.evidence.steps.items()},
        }
        return facts(shown)

    def clean_up(self) -> "pd.DataFrame":
        """Stop every service and remove everything."""
        first = len(self.evidence.checks)
        self.close()
        left = self.environment.data_dir.exists() or scratch.supervised_in(self.work.folder)
        self.evidence.check("clean-up", not left, "no process and no file is left")
        return self.evidence.table(first)

    # --- inside ---

    def _keep_ports_free(self) -> None:
        """Move to other ports where somebody else has taken one meanwhile."""
        if all(preflight.is_free(port) for port in preflight.ports_of(self.environment)):
            return
        self.environment = Environment(self.environment.data_dir, _free_port())
        self.rebuild.environment = self.environment
        scratch.note_sockets(self.work.folder, self.sockets())

    def close(self) -> None:
        """Stop everything and remove it; also when the kernel ends in the middle."""
        self.opened = None
        scratch.remove_environments(self.work.folder)
        shutil.rmtree(self.environment.data_dir, ignore_errors=True)
        for socket in self.sockets():
            socket.unlink(missing_ok=True)

    def sockets(self) -> list[Path]:
        """What the copy puts outside of its folder, so that it goes also after a kill."""
        store = ObjectStore(self.environment.objects_dir, self.environment.port, "", "")
        return [*store.sockets(), Supervisor(self.environment).socket]

    def _have(self) -> Recovered:
        if self.recovered is None:
            raise Conflict("Nothing is restored yet.", hint="Run the steps in order.")
        return self.recovered


def _free_port() -> int:
    """The first port of a span that is free now; any of many, so that two who look at once hardly choose the same.

    Raises:
        PreconditionFailed: there is none.
    """
    start = random.SystemRandom().randrange(FIRST_PORT, LAST_PORT, PORT_SPAN)
    port = preflight.free_port(start) or preflight.free_port(FIRST_PORT)
    if port is None:
        raise PreconditionFailed(
            "There are no free ports for a second environment.", hint="End other programs on this machine."
        )
    return port


def _key_of(work: TakenUp) -> tuple[Path, bool]:
    """The file of the one key to rebuild with, and whether it is the offline one."""
    name, offline = key_of(work.settings)
    return (Path(name) if name else keys.keys_dir(work.settings) / keys.OPERATIONAL), offline
