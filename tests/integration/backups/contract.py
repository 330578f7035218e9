"""What every backup engine of PostgreSQL has to pass, whatever it is made of.

An engine's own test module derives a class from `EngineContract` and gives it a `rig`: a server with an archive, and a
database with the catalogue, which may be the same server. The tables here are the contract's own, so that a server may
be of any version that its engine knows.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest
from sqlalchemy import Engine

from leitstand.backups import entries, wal
from leitstand.backups.archived_log import archived_files, missing_log
from leitstand.backups.catalogue import list_backups
from leitstand.backups.engines.interface import MANIFEST
from leitstand.backups.engines.registry import chosen
from leitstand.backups.operations import run_backup, verify_backup
from leitstand.backups.pruning import propose
from leitstand.backups.removing import remove_backup
from leitstand.backups.restore import choose, restore_postgres
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from leitstand.errors import IntegrityFailed
from leitstand.runbooks.kernels import setting_variables
from leitstand.settings import REPOSITORY, Settings
from leitstand.storage.objects import ObjectStorage

WAIT_SECONDS = 120
MARKER = "plain-words-that-nobody-may-read-in-the-store"
TAKEN_AND_KILLED = """
import os, signal, sys
from leitstand.backups import operations
from leitstand.db.engine import make_engine
from leitstand.settings import load_settings

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

settings = load_settings()
catalogue = settings.model_copy(update={"database_url_override": os.environ["CATALOGUE"]})
if sys.argv[1] == "before its manifest":
    operations._complete = die
operations.run_backup(make_engine(catalogue), settings, "postgres", level="full", source=make_engine(settings))
"""


@dataclass
class Rig:
    """A server that is backed up by one engine.

    Args:
        settings: `database_url` is that of the server, `backup_engine` that of the engine.
        catalogue: the migrated database that has the catalogue.
        source: the server.
        conninfo: of a superuser of the server, in the database that `settings` names.
        started: runs the engine's PostgreSQL on a restored folder, without an archive, and gives a superuser's
            conninfo to the same database once recovery has ended.
        store_down: meanwhile the server's archive command does not reach the store.
    """

    settings: Settings
    catalogue: Engine
    source: Engine
    conninfo: str
    started: Callable[[Path], AbstractContextManager[str]]
    store_down: Callable[[], AbstractContextManager[None]]
    backups: dict[str, Backup] = field(default_factory=dict)

    @property
    def storage(self) -> ObjectStorage:
        return ObjectStorage(self.settings)

    @property
    def bucket(self) -> str:
        return self.settings.bucket_backups

    def one(self, statement: str, *values: object) -> Any:
        """The first value that a statement gives, committed; None where it gives nothing."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            cursor = connection.execute(statement, values or None)  # type: ignore[arg-type]
            row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def add(self, name: str) -> datetime:
        """Commit a row; gives the instant of its commit, to the microsecond, as recovery will judge it."""
        xid = self.one("INSERT INTO contract (name) VALUES (%s) RETURNING xmin", name)
        at: datetime = self.one(f"SELECT pg_xact_commit_timestamp('{xid}'::xid)")
        return at

    def back_up(self, level: str = "") -> Backup:
        return run_backup(
            self.catalogue,
            self.settings,
            "postgres",
            level=level,
            source=self.source,
            progress=lambda _: None,
        )

    def archive_now(self) -> str:
        """Close the current segment, which has something, and wait until it is archived; gives its name."""
        self.one("SELECT pg_logical_emit_message(false, 'contract', 'x')")
        name = str(self.one("SELECT pg_walfile_name(pg_current_wal_insert_lsn())"))
        self.one("SELECT pg_switch_wal()")
        deadline = time.monotonic() + WAIT_SECONDS
        while str(self.one("SELECT coalesce(max(last_archived_wal), '') FROM pg_stat_archiver")) < name:
            assert time.monotonic() < deadline, self.one("SELECT last_failed_wal FROM pg_stat_archiver")
            time.sleep(0.1)
        return name

    def restored(self, target: Path, backup: Backup, to_time: datetime | None = None) -> set[str]:
        """Names of the rows that a restore brings back, chosen by the store's own catalogue."""
        manifest = choose(self.storage, self.bucket, backup_id=str(backup.id))
        result = restore_postgres(self.settings, target=target, manifest=manifest, to_time=to_time)
        with self.started(result.target) as conninfo, psycopg.connect(conninfo) as connection:
            names = {row[0] for row in connection.execute("SELECT name FROM contract")}
        assert not result.access.exists(), "the keys of the recovery were left behind"
        return names

    def stored(self) -> dict[str, int]:
        """Every object of the bucket with its size, without both catalogues."""
        found = self.storage.list(self.bucket)
        return {info.key: info.bytes for info in found if not info.key.endswith(".json")}

    def made_by(self, level: str) -> tuple[Backup, list[str]]:
        """A new backup, and the objects that it added, the log apart."""
        before = self.stored()
        backup = self.back_up(level)
        added = {
            key
            for key in self.stored()
            if key not in before and "/wal/" not in key and "/archive/" not in key
        }
        return backup, sorted(added)

    def environment(self) -> dict[str, str]:
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LEITSTAND_", "PYTEST_"))
        }
        catalogue = self.catalogue.url.render_as_string(hide_password=False)
        return {
            **clean, **setting_variables(self.settings), "PYTHONPATH": str(REPOSITORY), "CATALOGUE": catalogue,
        }  # fmt: skip


class EngineContract:
    """Derive from it, give it a `rig` of class scope, and run it. The first three tests make what the others use."""

    name: ClassVar[str]

    @pytest.fixture(scope="class")
    def rig(self) -> Iterator[Rig]:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    def chain(self, rig: Rig) -> dict[str, Any]:
        """A full backup, an increment of it and one of that, with a row before each and two after the last."""
        rig.one("CREATE TABLE contract (name text PRIMARY KEY)")
        rig.one(
            "CREATE TABLE marked AS SELECT i, %s || '-' || i AS words FROM generate_series(1, 20000) AS i",
            MARKER,
        )
        made: dict[str, Any] = {"rows": {}, "added": {}}
        for number, level in enumerate(("full", "incremental", "incremental")):
            rig.add(f"before-{number}")
            made[f"backup-{number}"], made["added"][number] = rig.made_by(level)
        for name in ("early", "exact", "late"):
            made["rows"][name] = rig.add(name)
            time.sleep(0.05)
        rig.archive_now()
        return made

    def test_the_setting_chooses_it(self, rig: Rig) -> None:
        assert rig.settings.backup_engine == self.name

    def test_a_full_backup_and_increments_are_complete(self, rig: Rig, chain: dict[str, Any]) -> None:
        full, first, second = (chain[f"backup-{number}"] for number in range(3))
        for backup in (full, first, second):
            assert (backup.status, backup.error) == ("complete", "")
            assert backup.engine == chosen(rig.settings).recorded
            assert set(MANIFEST) <= set(backup.manifest), set(MANIFEST) - set(backup.manifest)
            assert wal.lsn_number(backup.manifest["stop_lsn"]) > wal.lsn_number(backup.manifest["start_lsn"])
        assert [one.manifest["level"] for one in (full, first, second)] == [
            "full",
            "incremental",
            "incremental",
        ]
        assert [one.parent_id for one in (full, first, second)] == [None, full.id, first.id]
        assert first.bytes < full.bytes / 2
        assert missing_log(rig.storage, rig.bucket, full.manifest) == ""

    def test_nothing_can_be_read_in_the_store(self, rig: Rig, chain: dict[str, Any]) -> None:
        for key in rig.stored():
            body = rig.storage.get_bytes(rig.bucket, key)
            assert MARKER.encode() not in body and b"contract" not in body, key
            assert body[:4] not in (b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"\x1f\x8b\x08\x00"), (
                f"{key} is not encrypted"
            )

    def test_it_verifies(self, rig: Rig, chain: dict[str, Any]) -> None:
        verified = verify_backup(rig.catalogue, rig.settings, chain["backup-2"].id)
        assert verified.manifest["verification"]["ok"], verified.manifest["verification"]
        assert list((rig.settings.data_dir / "scratch").iterdir()) == []

    def test_the_newest_state_comes_back(self, rig: Rig, chain: dict[str, Any], tmp_path: Path) -> None:
        rig.add("not-archived")
        names = rig.restored(tmp_path / "latest", chain["backup-2"])
        assert names >= {"before-0", "before-1", "before-2", "early", "exact", "late"}
        assert "not-archived" not in names

    @pytest.mark.long
    def test_an_instant_is_right_on_both_sides(self, rig: Rig, chain: dict[str, Any], tmp_path: Path) -> None:
        """At the very microsecond of a commit it is there; one microsecond before it is not."""
        exact = chain["rows"]["exact"]
        names = rig.restored(tmp_path / "at", chain["backup-1"], exact)
        assert {"early", "exact"} <= names and "late" not in names
        names = rig.restored(tmp_path / "before", chain["backup-0"], exact - timedelta(microseconds=1))
        assert {"before-2", "early"} <= names and not names & {"exact", "late"}

    def test_retention_and_removal_leave_a_parent(self, rig: Rig, chain: dict[str, Any]) -> None:
        with transaction(rig.catalogue) as session:
            verdicts = {one.id: one for one in propose(session, rig.settings).plan.verdicts}
        full, last = chain["backup-0"], chain["backup-2"]
        assert "parent" in verdicts[str(full.id)].classes and verdicts[str(last.id)].keep
        removal = remove_backup(
            rig.catalogue, rig.storage, rig.bucket, full.id, kind="postgres", reason="tried out"
        )
        assert str(chain["backup-1"].id) in removal.left

    def test_a_file_is_archived_when_it_is_durable_and_not_before(
        self, rig: Rig, chain: dict[str, Any]
    ) -> None:
        manifest = chain["backup-2"].manifest
        with rig.store_down():
            rig.add("while-the-store-is-down")
            name = str(rig.one("SELECT pg_walfile_name(pg_current_wal_insert_lsn())"))
            failed = rig.one("SELECT failed_count FROM pg_stat_archiver")
            rig.one("SELECT pg_switch_wal()")
            deadline = time.monotonic() + WAIT_SECONDS
            while rig.one("SELECT failed_count FROM pg_stat_archiver") <= failed:
                assert time.monotonic() < deadline
                time.sleep(0.2)
            assert rig.one("SELECT last_archived_wal < %s FROM pg_stat_archiver", name)
            assert rig.one("SELECT count(*) FROM contract WHERE name = 'while-the-store-is-down'") == 1
        rig.archive_now()
        assert name in {one.name for one in archived_files(rig.storage, manifest)}
        assert missing_log(rig.storage, rig.bucket, manifest) == ""

    @pytest.mark.long
    @pytest.mark.parametrize("moment", ["in the middle", "before its manifest"])
    def test_a_killed_one_is_none_and_the_next_clears_away(
        self, rig: Rig, chain: dict[str, Any], moment: str
    ) -> None:
        before = {row.id for row in self._rows(rig)}
        argv = [sys.executable, "-c", TAKEN_AND_KILLED, moment]
        process = subprocess.Popen(argv, cwd=REPOSITORY, env=rig.environment())
        if moment == "in the middle":
            work = rig.settings.data_dir / "tmp" / "backups"
            deadline = time.monotonic() + WAIT_SECONDS
            while not list(work.glob("postgres-*/*")):
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.01)
            process.kill()
        assert process.wait(WAIT_SECONDS) == -signal.SIGKILL
        (dead,) = [row for row in self._rows(rig) if row.id not in before]
        assert dead.status == "running"
        mended = rig.back_up()
        assert mended.status == "complete"
        assert {row.id: row.status for row in self._rows(rig)}[dead.id] == "failed"
        assert str(dead.id) not in entries.ids(rig.storage, rig.bucket, "postgres")
        assert not [key for key in rig.stored() if str(dead.id) in key]
        assert rig.one("SELECT count(*) FROM pg_replication_slots") == 0
        assert verify_backup(rig.catalogue, rig.settings, mended.id).manifest["verification"]["ok"]

    @pytest.mark.long
    def test_damage_is_found_and_named(self, rig: Rig, chain: dict[str, Any], tmp_path: Path) -> None:
        """The increment's own object first, then the parent's: the error names whose it is."""
        last = chain["backup-2"]
        for number in (2, 0):
            damaged = chain[f"backup-{number}"]
            sizes = rig.stored()
            key = max(chain["added"][number], key=lambda one: sizes[one])
            body = rig.storage.get_bytes(rig.bucket, key)
            middle = len(body) // 2
            rig.storage.put_bytes(
                rig.bucket, key, body[:middle] + bytes([body[middle] ^ 0xFF]) + body[middle + 1 :]
            )
            with pytest.raises(IntegrityFailed, match=str(damaged.id)):
                restore_postgres(
                    rig.settings, target=tmp_path / f"target-{number}", manifest=entries.document(last)
                )
            assert not list(tmp_path.iterdir()), "a failed restore leaves nothing"
            with pytest.raises(IntegrityFailed, match="not intact"):
                verify_backup(rig.catalogue, rig.settings, last.id)
            rig.storage.put_bytes(rig.bucket, key, body)
        assert verify_backup(rig.catalogue, rig.settings, last.id).manifest["verification"]["ok"]

    def test_an_increment_without_its_parent_is_refused(
        self, rig: Rig, chain: dict[str, Any], tmp_path: Path
    ) -> None:
        full, last = chain["backup-0"], chain["backup-2"]
        entries.take_away(rig.storage, rig.bucket, full)
        with pytest.raises(IntegrityFailed, match=f"{full.id}, which is gone"):
            restore_postgres(rig.settings, target=tmp_path / "target", manifest=entries.document(last))
        assert not list(tmp_path.iterdir())
        entries.store(rig.storage, rig.bucket, full)

    @staticmethod
    def _rows(rig: Rig) -> list[Backup]:
        with transaction(rig.catalogue) as session:
            return list_backups(session, kind="postgres")
