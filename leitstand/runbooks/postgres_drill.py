"""What every drill that restores PostgreSQL does: the steps that its notebook calls one by one."""

import hashlib
import json
import shutil
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import Engine, create_engine, make_url, text

from leitstand.backups import fingerprint
from leitstand.backups.archived_log import missing_log
from leitstand.backups.engines.chain import chain_of
from leitstand.backups.engines.interface import Chain
from leitstand.backups.engines.registry import engine_of
from leitstand.backups.entries import document
from leitstand.backups.restore import check_space, restore_postgres
from leitstand.db import migrate
from leitstand.db.models import Backup
from leitstand.db.structure import check_structure
from leitstand.errors import Conflict
from leitstand.runbooks import scratch
from leitstand.runbooks.ending import Rehearsal
from leitstand.runbooks.evidence import Evidence, facts, rows
from leitstand.runbooks.source_point import Point, measure, measure_on
from leitstand.runbooks.taking_up import EVIDENCE, POINT, TakenUp
from leitstand.storage.objects import ObjectStorage
from leitstand.words import N_, msg

if TYPE_CHECKING:
    import pandas as pd


class PostgresDrill(Rehearsal):
    """One drill. Its steps are called in order; each gives a table of what it found."""

    PLAN: ClassVar[tuple[str, ...]]

    def __init__(self, work: TakenUp, backup: Backup, source: Point, to_time: datetime | None = None) -> None:
        self.work, self.settings, self.engine, self.folder = work, work.settings, work.engine, work.folder
        self.backup, self.source, self.to_time = backup, source, to_time
        self.manifest = document(backup)
        self.target = work.folder / "postgres"
        self.storage = ObjectStorage(work.settings)
        self.evidence = Evidence(work.folder / EVIDENCE)
        self.server: scratch.ScratchServer | None = None
        self._restore_began = 0.0

    def _check_recovered(self, lsn: str) -> None:
        """Whether recovery went as far as it should, no less and no more."""
        raise NotImplementedError

    # --- the steps ---

    def identity(self) -> "pd.DataFrame":
        """Who is restored from and where to; refuses the live data as a target."""
        url = make_url(self.settings.database_url)
        with self.engine.connect() as connection:
            live = fingerprint.server(connection)
            live_data = str(connection.scalar(text("SELECT current_setting('data_directory')")))
        scratch.refuse_live_target(self.target, root=scratch.scratch_root(self.settings), live_data=live_data)
        same = self.backup.manifest["system_identifier"] == live["system_identifier"]
        self.evidence.check(
            "the backup is of this cluster",
            same,
            msg("system identifier {system_identifier}", system_identifier=live["system_identifier"]),
        )
        self.evidence.check(
            "the target is not the live data",
            True,
            msg("scratch folder {name}, no TCP port", name=self.target.parent.name),
        )
        return facts(
            {
                "environment": self.settings.environment,
                "source": f"{url.host}:{url.port}/{url.database}",
                "PostgreSQL": live["postgres_version"],
                "source at the start": f"{self.source.at:%Y-%m-%d %H:%M:%S %Z}, log position {self.source.lsn}",
                "backup": f"{self.backup.id}, finished {self.backup.finished_at:%Y-%m-%d %H:%M:%S %Z}",
                "target": f"private socket, folder {self.target.parent.name}",
            }
        )

    def preconditions(self) -> "pd.DataFrame":
        """Space on the disk, every part in the store, a key that opens it, a log without a gap."""
        first, manifest = len(self.evidence.checks), self.manifest
        chain = chain_of(self.storage, self.settings.bucket_backups, manifest)
        space = check_space(self.target, chain)
        self.evidence.check(
            "disk space",
            True,
            msg(
                "{free:.1f} GB free, {needed:.1f} GB needed",
                free=space["free"] / 1e9,
                needed=space["needed"] / 1e9,
            ),
        )
        bucket = self.settings.bucket_backups
        engine = engine_of(manifest)
        missing = [name for one in chain for name in engine.not_stored(self.settings, one)]
        self.evidence.check(
            "every part is stored",
            not missing,
            msg("{chain}, {count} parts missing", chain=_builds_on(chain), count=len(missing)),
        )
        self.evidence.check(
            "a key of this machine opens it",
            all(engine.opens(self.settings, one) for one in chain),
            msg("{count} recipients", count=len(manifest["recipients"])),
        )
        gap = missing_log(self.storage, bucket, manifest)
        self.evidence.check(
            "archived log without a gap",
            not gap,
            msg("{gap} is missing", gap=gap) if gap else N_("every segment follows the one before"),
        )
        return self.evidence.table(first)

    def plan(self) -> "pd.DataFrame":
        """What will be done, and the hash of that."""
        to_time = {"to_time": self.to_time.isoformat()} if self.to_time else {}
        plan = {
            "backup": str(self.backup.id),
            "backup_sha256": self.backup.sha256,
            **to_time,
            "steps": self.PLAN,
        }
        self.evidence.figures["plan_sha256"] = hashlib.sha256(json.dumps(plan).encode()).hexdigest()
        return rows(
            [{"step": number, "what": step} for number, step in enumerate(self.PLAN, 1)], ["step", "what"]
        )

    def restore(self) -> "pd.DataFrame":
        """Unpack the backup and have PostgreSQL's own tool compare every file."""
        self._restore_began = time.monotonic()
        with self.evidence.step("restore"):
            restored = restore_postgres(
                self.settings, target=self.target, manifest=self.manifest, to_time=self.to_time
            )
        self.evidence.check("pg_verifybackup", True, "every file is what PostgreSQL's manifest says")
        content = restored.manifest["content"]
        return facts(
            {
                "bytes unpacked": f"{content['bytes']:,}",
                "SHA-256": content.get("sha256", ""),
                "seconds": self.evidence.steps["restore"],
            }
        )

    def start(self) -> "pd.DataFrame":
        """Start the restored server; it recovers as far as the plan says."""
        self.server = scratch.ScratchServer(self.folder, self.target)
        with self.evidence.step("recovery"):
            self.server.start()
        self.evidence.figures["rto_seconds"] = round(time.monotonic() - self._restore_began, 3)
        with self._restored().connect() as connection:
            recovered_at, lsn = connection.execute(
                text(
                    "SELECT pg_last_xact_replay_timestamp(), coalesce(pg_last_wal_replay_lsn(), pg_current_wal_lsn())::text"
                )
            ).one()
            self._found = measure_on(connection)
        self.recovered_at: datetime = recovered_at or datetime.fromisoformat(
            self.backup.manifest["counted_at"]
        )
        self.evidence.figures |= {"recovered_at": self.recovered_at.isoformat(), "recovered_lsn": lsn}
        self._check_recovered(lsn)
        return facts(
            {
                "newest recovered commit": f"{self.recovered_at:%Y-%m-%d %H:%M:%S.%f %Z}",
                "log position": lsn,
                "seconds": self.evidence.steps["recovery"],
            }
        )

    def check_structure(self) -> "pd.DataFrame":
        """pg_amcheck on every table and index, collations, and the migrations."""
        first = len(self.evidence.checks)
        server = self._server()
        with self.evidence.step("pg_amcheck"):
            check_structure(server.environment())
        self.evidence.check("pg_amcheck", True, "no table and no index is damaged")
        restored = self._restored()
        with restored.connect() as connection:
            changed = connection.scalar(
                text(
                    "SELECT count(*) FROM pg_database WHERE datcollversion <> pg_database_collation_actual_version(oid)"
                )
            )
        self.evidence.check(
            "collations",
            changed == 0,
            msg("{changed} databases with another version of their collation", changed=changed),
        )
        revision = migrate.current(restored)
        migrate.upgrade(restored)
        head = migrate.current(restored)
        self.evidence.check(
            "migrations",
            head == migrate.head(),
            msg("restored at {revision}, now at {head}", revision=revision, head=head),
        )
        return self.evidence.table(first)

    def check_content(self) -> "pd.DataFrame":
        """Known rows, and the counts of the key tables between those of the backup and those of the source."""
        with self._restored().begin() as connection:
            known = connection.scalar(
                text("SELECT count(*) FROM backup WHERE id = :id"), {"id": self.backup.id}
            )
            found = fingerprint.counts(connection)
        with self.engine.begin() as connection:
            live = fingerprint.counts(connection)
        self.evidence.check("the backup's own entry is there", known == 1, msg("{known} rows", known=known))
        expected = self.backup.manifest["counts"]
        table = [compared(name, expected[name], found[name], live[name]) for name in sorted(expected)]
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
        self.evidence.figures["counts"] = found
        return rows(table, ["table", "backup", "restored", "live", "plausible"])

    def check_data(self) -> "pd.DataFrame":
        """The data checks on the restored database."""
        from leitstand.checks.result import restored
        from leitstand.checks.run import check_restored

        url = make_url(self.settings.database_url)
        with self.evidence.step("data checks"):
            result = check_restored(
                self.engine,
                self.settings,
                database_url=self._server().url(str(url.database), str(url.username)),
                target=restored(self.backup.id),
                keep=not self.work.sandbox,
            )
        skipped = f", {len(result.skipped)} skipped" if result.skipped else ""
        self.evidence.check(
            "data checks",
            result.success,
            msg(
                "{evaluated} checks, {failed} failed{skipped}",
                evaluated=result.evaluated,
                failed=result.failed,
                skipped=skipped,
            ),
        )
        shown = [
            {
                "check": check["name"],
                "holds": "skipped" if check["skipped"] else check["success"],
                "says": check["says"],
            }
            for check in result.results
        ]
        return rows(shown, ["check", "holds", "says"])

    def clean_up(self) -> "pd.DataFrame":
        """Stop the restored server and remove its data."""
        self.close()
        left = [
            path.name for path in (self.target, self.target.with_name("postgres.access")) if path.exists()
        ]
        self.evidence.check(
            "clean-up", not left, msg("left: {names}", names=", ".join(left) or msg("nothing"))
        )
        return self.evidence.table(len(self.evidence.checks) - 1)

    # --- inside ---

    def close(self) -> None:
        """Stop the server and remove what was restored; also when the kernel ends in the middle."""
        if self.server is not None:
            self.server.stop()
        for path in (self.target, self.target.with_name("postgres.access")):
            shutil.rmtree(path, ignore_errors=True)

    def _server(self) -> scratch.ScratchServer:
        if self.server is None:
            raise Conflict("The restored server is not running.", hint="Run the steps in order.")
        return self.server

    def _restored(self) -> Engine:
        url = make_url(self.settings.database_url)
        return create_engine(self._server().url(str(url.database), str(url.username)), pool_size=1)


def _builds_on(chain: Chain) -> str:
    """How many backups a restore takes, in words."""
    return "a full backup" if len(chain) == 1 else f"a full backup and {len(chain) - 1} increments"


def source_of(work: TakenUp) -> Point:
    """Where the source stood when the drill was prepared; by itself, where it stands now."""
    if work.sandbox:
        return measure(work.engine)
    return Point.of(json.loads((work.folder / POINT).read_text()))


def compared(table: str, before: int, found: int, now: int) -> dict[str, Any]:
    """Rows of a table: the restored state lies between the backup and now; so do its counts, but for rows that came and went between."""
    return {
        "table": table,
        "backup": before,
        "restored": found,
        "live": now,
        "plausible": min(before, now) <= found <= max(before, now),
    }
