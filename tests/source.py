"""A source of its own for these tests: a durable cluster that archives its log, and buckets that nobody else uses."""

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.backups.conditions import conditions
from leitstand.backups.server_commands import archive_command
from leitstand.db import migrate
from leitstand.db.cluster import Cluster
from leitstand.db.engine import make_engine
from leitstand.db.models import Workspace
from leitstand.runbooks.kernels import setting_variables
from leitstand.services import OBJECTS, POSTGRES
from leitstand.settings import REPOSITORY, Settings
from leitstand.storage.objects import ObjectStorage
from tests.services import free_base_port

PASSWORD = "source-password-7f3a"
WAIT_SECONDS = 60


@dataclass
class Source:
    """A cluster with an archive, and what reaches it."""

    cluster: Cluster
    settings: Settings
    engine: Engine

    @property
    def storage(self) -> ObjectStorage:
        return ObjectStorage(self.settings)

    def execute(self, statement: str) -> None:
        """Run one statement as the superuser in the database `leitstand`."""
        with psycopg.connect(self.cluster.conninfo("leitstand"), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def one(self, query: str) -> object:
        """The first value that a query gives."""
        with psycopg.connect(self.cluster.conninfo("leitstand"), autocommit=True) as connection:
            row = connection.execute(query).fetchone()  # type: ignore[arg-type]
        return row[0] if row else None

    def add_workspace(self, slug: str) -> None:
        with Session(self.engine) as session, session.begin():
            session.add(Workspace(slug=slug, name=slug))

    def environment(self) -> dict[str, str]:
        """The environment of a command that belongs to this source and to nothing else."""
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LEITSTAND_", "PYTEST_"))
        }
        return {**clean, **setting_variables(self.settings), "PYTHONPATH": str(REPOSITORY)}

    def conditions(
        self, *, later: timedelta = timedelta(), settings: Settings | None = None
    ) -> dict[str, str]:
        """What an operator is told now, or would be told later: a sentence by name."""
        with Session(self.engine) as session:
            now = datetime.now(UTC) + later
            found = conditions(session, settings or self.settings, now=now, fresh=True)
        return {condition.name: condition.says for condition in found}

    def archive_now(self) -> str:
        """Close the current segment and wait until it is archived; gives its name."""
        # An empty segment would not be closed.
        name = str(self.one("SELECT pg_walfile_name(pg_logical_emit_message(false, 'test', 'x'))"))
        self.execute("SELECT pg_switch_wal()")
        deadline = time.monotonic() + WAIT_SECONDS
        while str(self.one("SELECT coalesce(max(last_archived_wal), '') FROM pg_stat_archiver")) < name:
            assert time.monotonic() < deadline, self.one("SELECT last_failed_wal FROM pg_stat_archiver")
            time.sleep(0.1)
        return name


@pytest.fixture(scope="module")
def source(services: dict[str, object]) -> Iterator[Source]:
    """A migrated environment with one workspace, whose log is archived."""
    folder = Path(tempfile.mkdtemp(prefix="leitstand-source-"))
    try:
        with made_source(folder, int(str(services["port"])) + OBJECTS.offset) as source:
            yield source
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def made_source(folder: Path, store_port: int, *, more: str = "") -> Iterator[Source]:
    """The same in a folder of your own, and perhaps with a store behind a proxy.

    Args:
        more: lines for postgresql.conf.
    """
    settings = _settings(folder, store_port)
    cluster = Cluster(folder / "postgres", settings.port_of(POSTGRES), PASSWORD)
    cluster.create()
    with (cluster.data / "postgresql.conf").open("a") as configuration:
        command = archive_command(settings).replace("'", "''")
        configuration.write(
            f"archive_mode = on\narchive_command = '{command}'\ntrack_commit_timestamp = on\nfsync = off\n{more}"
        )
    ObjectStorage(settings).ensure_buckets()
    cluster.start()
    try:
        cluster.prepare("leitstand")
        engine = make_engine(settings)
        migrate.upgrade(engine)
        source = Source(cluster, settings, engine)
        source.add_workspace("first")
        yield source
        engine.dispose()
    finally:
        cluster.stop("immediate")


def _settings(folder: Path, store_port: int) -> Settings:
    base, unique = free_base_port(), secrets.token_hex(4)
    return Settings(
        data_dir=folder,
        environment="test",
        port=base,
        LEITSTAND_DATABASE_URL=f"postgresql+psycopg://leitstand:{PASSWORD}@127.0.0.1:{base + POSTGRES.offset}/leitstand",
        database_password=SecretStr(PASSWORD),
        s3_endpoint=f"http://127.0.0.1:{store_port}",
        s3_access_key=SecretStr("test-access"),
        s3_secret_key=SecretStr("test-secret"),
        session_secret=SecretStr(f"session-{unique}-{unique}"),
        bucket_media=f"media-{unique}",
        bucket_backups=f"backups-{unique}",
        bucket_evidence=f"evidence-{unique}",
    )
