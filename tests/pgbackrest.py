"""What pgBackRest is tried out on: Debian's PostgreSQL, which it knows, and an object store that answers over TLS."""

import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from leitstand.backups.engines.registry import chosen
from leitstand.backups.pgbackrest import repository
from leitstand.containers.certificates import write_certificates
from leitstand.db.cluster import BACKUP_RIGHTS, Cluster, unprivileged
from leitstand.db.engine import make_engine
from leitstand.embedded.objects import ObjectStore
from leitstand.services import POSTGRES
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from tests.integration.backups.contract import Rig
from tests.services import cloned_database, free_base_port

PASSWORD = "source-password-7f3a"
CIPHER_PASS = "the-key-of-the-repository-" + "7f3a" * 8
TLS_OFFSET = 15
DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
MISSING = " and ".join(
    name
    for name, there in (("pgBackRest", shutil.which("pgbackrest")), ("Debian's PostgreSQL", DEBIAN))
    if not there
)
needs_pgbackrest = pytest.mark.skipif(
    bool(MISSING), reason=f"did not run, for want of {MISSING}: apt-get install pgbackrest postgresql"
)


class DebianCluster(Cluster):
    """A cluster of Debian's PostgreSQL."""

    def command(self, program: str, *arguments: str) -> list[str]:
        return unprivileged([str(DEBIAN[-1].with_name(program)), *arguments], self.data)

    def create(self) -> None:
        password = self.data.with_name("password")
        password.write_text(self.password)
        argv = ["-D", str(self.data), "-U", "postgres", "--auth=scram-sha-256", f"--pwfile={password}", "-k"]
        subprocess.run(self.command("initdb", *argv), capture_output=True, check=True)
        password.unlink()


class TlsStore(ObjectStore):
    """A store that answers over TLS as well, with a certificate of an authority of its own."""

    @property
    def tls_endpoint(self) -> str:
        return f"https://localhost:{self.port + TLS_OFFSET}"

    @property
    def authority(self) -> Path:
        return self.data / "objects_authority.pem"

    def create(self) -> None:
        super().create()
        write_certificates(self.data, "localhost", days=2)

    def server_command(self) -> list[str]:
        tls = [
            f"-s3.port.https={self.port + TLS_OFFSET}",
            f"-s3.cert.file={self.data / 'objects_certificate.pem'}",
        ]
        return [*super().server_command(), *tls, f"-s3.key.file={self.data / 'objects_key.pem'}"]


@dataclass
class PgBackRestRig(Rig):
    """The rig of the contract; what pgBackRest keeps twice is no object whose damage could be found."""

    cluster: Cluster | None = None

    def made_by(self, level: str) -> tuple[Any, list[str]]:
        backup, added = super().made_by(level)
        return backup, [key for key in added if "/bundle/" in key or "/pg_data/" in key]

    def set_archive_command(self, command: str) -> None:
        """As a start of the server would."""
        self.one("ALTER SYSTEM SET archive_command = '" + command.replace("'", "''") + "'")
        self.one("SELECT pg_reload_conf()")


@contextmanager
def tls_store(folder: Path) -> Iterator[TlsStore]:
    """A running store."""
    store = TlsStore(folder, free_base_port(), "test-access", "test-secret", volumes=200)
    process = store.start()
    try:
        yield store
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        store.remove_sockets()


@contextmanager
def debian_cluster(data: Path, settings: Settings | None, port: int, *more: str) -> Iterator[Cluster]:
    """A running cluster with the database and the role `leitstand`; with settings it archives as they say.

    Args:
        more: lines of its configuration.
    """
    cluster = DebianCluster(data, port, PASSWORD)
    cluster.create()
    lines = ["unix_socket_directories = ''", "fsync = off", "track_commit_timestamp = on", *more]
    if settings:
        command = chosen(settings).archive_command(settings).replace("'", "''")
        lines += ["archive_mode = on", f"archive_command = '{command}'"]
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.write("\n".join([*lines, ""]))
    cluster.start()
    try:
        cluster.prepare()
        with psycopg.connect(cluster.conninfo("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE leitstand OWNER leitstand")
        with psycopg.connect(cluster.conninfo("leitstand"), autocommit=True) as connection:
            connection.execute(BACKUP_RIGHTS)
        yield cluster
    finally:
        cluster.stop("immediate")


@contextmanager
def recovered(target: Path) -> Iterator[str]:
    """Debian's PostgreSQL on a restored folder, once recovery has ended; gives a superuser's conninfo."""
    cluster = DebianCluster(target, free_base_port() + POSTGRES.offset, PASSWORD)
    with (target / "postgresql.auto.conf").open("a") as configuration:
        configuration.write("archive_mode = off\nhot_standby = off\n")
    cluster.start()
    try:
        cluster.wait_ready()
        yield cluster.conninfo("leitstand")
    finally:
        cluster.stop("immediate")


def settings_of(folder: Path, store: TlsStore, port: int) -> Settings:
    """Settings of an environment that pgBackRest backs up."""
    unique = secrets.token_hex(4)
    return Settings(
        data_dir=folder,
        environment="test",
        LEITSTAND_DATABASE_URL=f"postgresql+psycopg://leitstand:{PASSWORD}@127.0.0.1:{port}/leitstand",
        database_password=SecretStr(PASSWORD),
        s3_endpoint=store.tls_endpoint,
        s3_ca_file=str(store.authority),
        s3_access_key=SecretStr("test-access"),
        s3_secret_key=SecretStr("test-secret"),
        session_secret=SecretStr(f"session-{unique}-{unique}"),
        bucket_media=f"media-{unique}",
        bucket_backups=f"backups-{unique}",
        bucket_evidence=f"evidence-{unique}",
        bucket_insights=f"insights-{unique}",
        backup_engine="pgbackrest",
        pgbackrest_cipher_pass=SecretStr(CIPHER_PASS),
    )


@pytest.fixture(scope="module")
def pgbackrest_rig(services: dict[str, object], cluster: Cluster) -> Iterator[PgBackRestRig]:
    """Debian's PostgreSQL, archived by pgBackRest into a store over TLS; the catalogue is in the tests' own cluster."""
    folder, port = Path(tempfile.mkdtemp(prefix="leitstand-pgbackrest-")), free_base_port() + POSTGRES.offset
    retry_seconds, repository.RETRY_SECONDS = repository.RETRY_SECONDS, 0
    try:
        with tls_store(folder / "store") as store, cloned_database(cluster, services) as catalogue:
            settings = settings_of(folder, store, port)
            ObjectStorage(settings).ensure_buckets()
            with debian_cluster(folder / "postgres", settings, port) as server:
                yield _rig(settings, catalogue, server)
    finally:
        repository.RETRY_SECONDS = retry_seconds
        shutil.rmtree(folder, ignore_errors=True)


def _rig(settings: Settings, catalogue: Settings, server: Cluster) -> PgBackRestRig:
    engine, source = make_engine(catalogue), make_engine(settings)
    nowhere = settings.model_copy(update={"s3_endpoint": "https://localhost:9"})

    @contextmanager
    def store_down() -> Iterator[None]:
        """What the command reads names a store that does not answer."""
        io_seconds, repository.IO_SECONDS = repository.IO_SECONDS, 1
        chosen(nowhere).archive_command(nowhere)
        yield
        repository.IO_SECONDS = io_seconds
        chosen(settings).archive_command(settings)

    return PgBackRestRig(
        settings, engine, source, server.conninfo("leitstand"), recovered, store_down, cluster=server
    )
