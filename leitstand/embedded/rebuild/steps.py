"""Make an environment anew in an empty folder, from the store that has the backups and one key.

Each step looks at what is there already, so that one that was cut short is simply done again: a secret that is in its
file, a database that has recovered, an object that is in its bucket stay. None needs a database to begin with.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import create_engine, select, text

from leitstand.backups import fingerprint, keys, secret_copies, secret_files, secret_opening, secret_restore
from leitstand.backups.object_history import inventory_at
from leitstand.backups.object_restore import (
    Plan,
    RestoredObjects,
    Selection,
    execute_restore,
    plan_restore,
)
from leitstand.backups.places import COPIED
from leitstand.backups.restore import choose, restore_postgres
from leitstand.backups.work import Progress
from leitstand.db.cluster import set_passwords
from leitstand.db.models import Backup
from leitstand.embedded import content, credentials, programs
from leitstand.embedded.environment import REPOSITORY, Environment
from leitstand.embedded.stop import clear_leftovers
from leitstand.embedded.supervisor import Supervisor
from leitstand.errors import NotFound, Unavailable
from leitstand.runbooks.scratch import TO_BE_USED, ScratchServer
from leitstand.runbooks.source_point import Point, measure_on
from leitstand.services import MARK
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.words import msg

POSITION = """
    SELECT coalesce(pg_last_xact_replay_timestamp(), (pg_last_committed_xact()).timestamp),
           coalesce(pg_last_wal_replay_lsn(), pg_current_wal_lsn())::text
"""
START_SECONDS, STOP_SECONDS = 1800, 600
OUTPUT_SHOWN = 800
# What runs goes on and the next attempt waits for the rest, as a busy machine needs.
ATTEMPTS = 3
# Of the environment, or of the notebook, that this process belongs to.
FOREIGN = ("LEITSTAND_", "PREFECT_", "JUPYTER_", "IPYTHON", "JPY_", "FORCE_COLOR", "CLICOLOR")
# What a restored copy must not share with its original: its own database and stores, and no way to the outside.
OWN = {
    "environment": "test",
    "database_url_override": "",
    "public_url": "",
    "s3_endpoint": "",
    "copies_s3_endpoint": "",
    "smtp_host": "",
    "otlp_endpoint": "",
    "insights_engine": "auto",
    "insights_distributed_url": "",
    "secrets_copy_dir": "",
    "offline_key_file": "",
    "backup_recipients": "",
    "backup_engine": "postgres-tools",
}


@dataclass(frozen=True)
class Recovered:
    """A database that came back.

    Args:
        manifest: of the backup that it was recovered from; empty where it was there already.
        at: the newest commit in it.
        lsn: where its log ended.
        point: its transactions, to be compared with what was lost.
        counts: rows of the key tables, before anything was written to it.
        backups: ids of the backups that its catalogue has.
    """

    manifest: dict[str, Any]
    at: datetime
    lsn: str
    point: Point
    counts: dict[str, int]
    backups: frozenset[str]


class Quiet:
    """Tells nobody: what is done stands in the evidence."""

    @contextmanager
    def step(self, doing: str, done: str) -> Iterator[None]:
        """Nothing is told."""
        yield

    def note(self, text: str, seconds: float | None = None) -> None:
        """Nothing is told."""


@dataclass
class Rebuild:
    """One environment that is made anew.

    Args:
        environment: its folder and first port.
        origin: settings with which the store of the backups is read; their data folder is the new environment's.
        key_file: of the private key that opens the backups.
        target: settings of the new environment, but for its secrets, folder and port.
        rehearsal: it is tried out and goes again; else it will be used.
    """

    environment: Environment
    origin: Settings
    target: Settings
    key_file: Path
    rehearsal: bool = False

    # --- what there is ---

    @property
    def settings(self) -> Settings:
        """The new environment's own settings, with the secrets that have been restored so far."""
        place = {"data_dir": self.environment.data_dir, "port": self.environment.port}
        return _with_files(self.target.model_copy(update={**place, "rehearsal": self.rehearsal}))

    @property
    def own_store(self) -> bool:
        """Whether objects go into a store of the new environment's own, and not into one that is elsewhere."""
        return not self.settings.s3_endpoint

    @property
    def is_running(self) -> bool:
        """Whether its supervisor answers."""
        return Supervisor(self.environment).running()

    # --- the steps ---

    def open_secrets(self, copy: Path | None = None) -> secret_opening.Opened:
        """Decrypt the newest backup of the secrets: a sealed copy, which needs no store, or the one in the store.

        Raises:
            PreconditionFailed: the key does not open it; NotFound: there is none; IntegrityFailed: it is damaged.
        """
        own = secret_opening.identities(self.origin, self.key_file)
        if copy:
            return secret_opening.open_copy(copy, own)
        return secret_opening.open_stored(self.origin, secret_opening.choose(self.origin), own)

    def restore_secrets(self, opened: secret_opening.Opened) -> list[str]:
        """Write every secret into its file, put the key where recovery finds it, and read the store with what came back.

        Raises:
            Conflict: a file is there that was changed after the backup.
        """
        folder = keys.keys_dir(self.origin)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = keys.OPERATIONAL if self.key_file.name == keys.OPERATIONAL else keys.OFFLINE
        if not (folder / name).exists():
            keys.write_private(folder / name, self.key_file.read_text())
        agreed = secret_restore.plan(self.origin, opened)
        secret_restore.restore(self.origin, opened, agreed)
        self.origin = _with_files(self.origin)
        return agreed.written

    def read_with(self, opened: secret_opening.Opened) -> None:
        """Read the store with the credential of an opened backup, before anything is written."""
        names = {f"{secret_files.PREFIX}{name}": name for name in Settings.model_fields}
        held = {
            names[file]: SecretStr(value.decode().strip())
            for file, value in opened.secrets.items()
            if file in names
        }
        self.origin = self.origin.model_copy(update=held)

    def backup_of_postgres(self, backup_id: str = "") -> dict[str, Any]:
        """The manifest of the newest backup, or of the one asked for, as the store's own catalogue has it.

        Raises:
            NotFound: there is none.
        """
        own = secret_opening.identities(self.origin, self.key_file)
        storage = ObjectStorage(self.origin)
        return choose(storage, self.origin.bucket_backups, backup_id=backup_id, own=own)

    def database_is_back(self) -> bool:
        """Whether a database has been recovered into the folder."""
        data = self.environment.postgres_dir
        return (data / "PG_VERSION").exists() and not (data / "recovery.signal").exists()

    def restore_postgres(self, manifest: dict[str, Any], *, say: Progress | None = None) -> bool:
        """Unpack the backup, unless it is there; False where it was."""
        data = self.environment.postgres_dir
        if (data / "PG_VERSION").exists():
            return False
        self.end_leftovers()
        for name in (f"{data.name}.restoring", f"{data.name}.restoring.chain", f"{data.name}.access"):
            shutil.rmtree(data.with_name(name), ignore_errors=True)
        restore_postgres(self.origin, target=data, manifest=manifest, progress=say)
        return True

    def recover_postgres(self, manifest: dict[str, Any], folder: Path) -> Recovered:
        """Recover to the end of the archived log, reachable by nobody else; give both roles the restored password.

        Nothing of it is archived: what would be waits for the environment's own server, which has its own archive.

        Args:
            folder: for the server's own files, while it runs.

        Raises:
            PreconditionFailed: recovery failed; the message holds what the server said.
        """
        import psycopg

        self.end_leftovers()
        data, marks = self.environment.postgres_dir, {MARK: str(self.environment.data_dir)}
        server = ScratchServer(folder, data, options=TO_BE_USED, marks=marks)
        try:
            server.start()
            found = _look(server, manifest)
            with psycopg.connect(server.conninfo("postgres")) as connection:
                set_passwords(connection, self.environment.secret("database_password"))
        finally:
            server.stop(graceful=True)
        return found

    @contextmanager
    def store(self) -> Iterator[None]:
        """The new environment's own store, running, with its buckets; where it is elsewhere, or runs, that one."""
        if not self.own_store or self.is_running:
            ObjectStorage(self.settings).ensure_buckets()
            yield
            return
        self.end_leftovers()
        process = programs.store(self.environment).start(marks={MARK: str(self.environment.data_dir)})
        try:
            ObjectStorage(self.settings).ensure_buckets()
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            finally:
                process.kill()

    def inventory(self) -> dict[str, Any] | None:
        """The manifest of the newest copy of the objects; None where there is none."""
        try:
            return inventory_at(self.origin, datetime.now(UTC))
        except NotFound:
            return None

    def plan_objects(self, at: datetime, *, copies_only: bool) -> list[Plan]:
        """What each bucket lacks of what was in it at an instant; the buckets must be there (`store`).

        Args:
            copies_only: from the copies alone, as if the original's buckets were gone.
        """
        found = []
        same = self.settings.s3_url == self.origin.s3_url
        for place in COPIED:
            try:
                found.append(
                    plan_restore(
                        self.origin,
                        selection=Selection(everything=True),
                        to_time=at,
                        target=place.bucket(self.settings),
                        role=place.role,
                        copies_only=copies_only,
                        into=None if same else self.settings,
                    )
                )
            except NotFound:  # nothing was ever in it
                continue
        return found

    def restore_objects(self, plans: list[Plan], *, say: Progress | None = None) -> RestoredObjects:
        """Write what the plans say; what is there stays."""
        done = [execute_restore(self.origin, plan, progress=say) for plan in plans]
        return RestoredObjects(
            sum(one.written for one in done),
            sum(one.verified for one in done),
            sum(one.bytes for one in done),
            round(sum(one.seconds for one in done), 3),
            {key: why for one in done for key, why in one.failed.items()},
        )

    def start(self) -> dict[str, Any]:
        """Start every service as `./run up` does, without demo and without a first owner; gives what it says of them.

        Raises:
            Unavailable: it did not get ready; the message ends with what was said.
        """
        self.end_leftovers()
        credentials.ensure_secrets(self.environment)
        self.environment.remember(demo=content.fingerprint(self.settings.demo_dir))
        for _ in range(ATTEMPTS):
            done = self._command("up", "--detach", "--json", timeout=START_SECONDS)
            if done.returncode == 0:
                said: dict[str, Any] = json.loads(done.stdout)
                return said
        why = done.stderr.rpartition("error: ")[2].strip()
        raise Unavailable(
            msg("The environment does not start: {why}", why=why[:OUTPUT_SHOWN]),
            hint=msg(
                "See the logs in {logs_dir}, then go on: what is there stays.",
                logs_dir=self.environment.logs_dir,
            ),
        )

    def stop(self) -> None:
        """Stop everything of it, and wait until it has ended."""
        if self.environment.data_dir.exists():
            self._command("down", timeout=STOP_SECONDS)

    def end_leftovers(self) -> None:
        """End what an attempt that was cut short has left running, unless a supervisor looks after it."""
        if self.environment.data_dir.exists() and not self.is_running:
            clear_leftovers(self.environment, Quiet())

    # --- inside ---

    def variables(self) -> dict[str, str]:
        """The environment of its processes: nothing of the one that this process belongs to, and no secret."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        settings, own = self.settings, dict[str, str]()
        for name, known in Settings.model_fields.items():
            value = getattr(settings, name)
            if not isinstance(value, SecretStr) and value != known.default:
                own[known.alias or f"LEITSTAND_{name.upper()}"] = str(value)
        return {**clean, **own, **self.environment.variables()}

    def _command(self, *arguments: str, timeout: float) -> "subprocess.CompletedProcess[str]":
        try:
            return subprocess.run(
                [sys.executable, "-P", "-m", "leitstand", *arguments],
                env=self.variables(),
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(
                msg(
                    "`leitstand {arguments}` did not end within {timeout:.0f} s.",
                    arguments=arguments[0],
                    timeout=timeout,
                )
            ) from error


def _look(server: ScratchServer, manifest: dict[str, Any]) -> Recovered:
    """What the recovered database says of itself."""
    engine = create_engine(server.url("leitstand", "postgres"), pool_size=1)
    try:
        with engine.begin() as connection:
            newest, lsn = connection.execute(text(POSITION)).one()
            at = newest or datetime.fromisoformat(manifest["counted_at"])
            point, counts = measure_on(connection), fingerprint.counts(connection)
            backups = frozenset(str(one) for one in connection.scalars(select(Backup.id)))
    finally:
        engine.dispose()
    return Recovered(manifest, at, lsn, point, counts, backups)


def _with_files(settings: Settings) -> Settings:
    """The settings with every secret that lies in their own data folder."""
    names = [name for name in Settings.model_fields if isinstance(getattr(settings, name), SecretStr)]
    return secret_files.reread(settings, names)


def newest_copy(settings: Settings) -> Path | None:
    """The newest sealed copy of the secrets in the second place of an environment."""
    return next(iter(secret_copies.copies(settings)), None)


def apart(settings: Settings) -> Settings:
    """Settings of a copy that shares nothing with its original but the names of its buckets."""
    return settings.model_copy(update=OWN)


def read_by(environment: Environment, settings: Settings, *, endpoint: str = "") -> Settings:
    """Settings with which a new environment reads the backups of another.

    Args:
        endpoint: address of the store that has them; empty: the store of `settings`.
    """
    return settings.model_copy(
        update={"data_dir": environment.data_dir, "s3_endpoint": endpoint or settings.s3_url}
    )
