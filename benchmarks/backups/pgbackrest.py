"""pgBackRest by hand: Debian's, with Debian's PostgreSQL, into a repository on a local disk, encrypted, compressed as ours.

It does not know the PostgreSQL that the other figures are of, so it backs up a database of the same rows in its own.
"""

import shutil
import subprocess
import time
from datetime import datetime
from pathlib import Path

import psycopg

from benchmarks.backups import database
from benchmarks.backups.measuring import Took, run
from leitstand.db.cluster import Cluster
from tests.pgbackrest import MISSING, DebianCluster

PASSWORD = "benchmark"
CONFIGURATION = """\
[global]
repo1-path={folder}/repository
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=benchmark-benchmark-benchmark
repo1-bundle=y
repo1-retention-full=9
compress-type=zst
compress-level=3
process-max=2
start-fast=y
lock-path={folder}/lock
log-level-file=off
[bench]
pg1-path={data}
pg1-port={port}
pg1-user=postgres
"""
SETTINGS = """
unix_socket_directories = ''
shared_buffers = 128MB
max_wal_size = 4GB
archive_mode = on
archive_command = 'pgbackrest --config={configuration} --stanza=bench archive-push %p'
"""


def missing() -> str:
    """What is not installed, in words; empty when it can be measured."""
    return MISSING


def measure(folder: Path, gigabytes: float, port: int) -> tuple[str, dict[str, Took]]:
    """Full, increment of 1 % change, restores and point-in-time recovery; gives PostgreSQL's version and the figures.

    Args:
        folder: empty; it takes the database, its backups and one restored copy.
        gigabytes: size of the table.
        port: of the server; the next one is the restored server's.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    cluster = DebianCluster(folder / "postgres", port, PASSWORD)
    cluster.create()
    configuration = folder / "pgbackrest.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, data=cluster.data, port=port))
    configuration.chmod(0o600)
    with (cluster.data / "postgresql.conf").open("a") as server:
        server.write(SETTINGS.format(configuration=configuration))
    cluster.start()
    try:
        return _measured(_ByHand(cluster, configuration, folder), gigabytes)
    finally:
        cluster.stop("immediate")


def _measured(by_hand: "_ByHand", gigabytes: float) -> tuple[str, dict[str, Took]]:
    cluster, figures = by_hand.cluster, {}
    with psycopg.connect(cluster.conninfo("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE leitstand")
        version = connection.info.parameter_status("server_version") or ""
    by_hand.pgbackrest("stanza-create")
    rows = database.fill(cluster, gigabytes)
    database.wait_archived(cluster)
    figures["full"] = by_hand.backup("full")
    database.change(cluster, rows, begin=0.3)
    figures["incremental"] = by_hand.backup("incr")
    full, increment = by_hand.labels()
    database.change(cluster, rows, begin=0.5)
    instant = database.mark(cluster, "wanted")
    time.sleep(1)
    database.mark(cluster, "too late")
    database.change(cluster, rows, begin=0.7)
    database.wait_archived(cluster)
    figures["restore of the full one"] = by_hand.restore(f"--set={full}", "--type=immediate")
    figures["restore of the increment"] = by_hand.restore(f"--set={increment}", "--type=immediate")
    figures["point in time"] = by_hand.recover(instant)
    return version, figures


class _ByHand:
    """What an operator would type."""

    def __init__(self, cluster: Cluster, configuration: Path, folder: Path) -> None:
        self.cluster, self.configuration, self.folder = cluster, configuration, folder

    def pgbackrest(self, command: str, *options: str) -> Took:
        argv = ["pgbackrest", f"--config={self.configuration}", "--stanza=bench", *options, command]
        return run(argv, environment=self.cluster.environment())

    def backup(self, kind: str) -> Took:
        """A backup, and what it added to the repository."""
        before = self._stored()
        took = self.pgbackrest("backup", f"--type={kind}")
        return took + Took(bytes=self._stored() - before)

    def labels(self) -> list[str]:
        """Names of the backups, oldest first."""
        found = (self.folder / "repository" / "backup" / "bench").glob("2*")
        return sorted(path.name for path in found if path.is_dir())

    def restore(self, *options: str) -> Took:
        """Into an empty folder."""
        target = self.folder / "restored"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(mode=0o700)
        return self.pgbackrest("restore", f"--pg1-path={target}", "--archive-mode=off", *options)

    def recover(self, instant: datetime) -> Took:
        """The newest backup, and recovery to an instant; refuses figures of a recovery that went elsewhere."""
        took = self.restore(
            "--type=time", f"--target={instant.isoformat(sep=' ')}", "--target-action=promote"
        )
        with (self.folder / "restored" / "postgresql.auto.conf").open("a") as configuration:
            configuration.write("hot_standby = off\n")
        restored = DebianCluster(self.folder / "restored", self.cluster.port + 1, PASSWORD)
        began = time.monotonic()
        restored.start(timeout=3600)
        try:
            restored.wait_ready(3600)
            seconds = time.monotonic() - began
            found = subprocess.run(
                restored.command("psql", "-At", "-c", "SELECT name FROM mark", "leitstand"),
                env=restored.environment(), capture_output=True, text=True, check=True,
            ).stdout.split("\n")[:-1]  # fmt: skip
        finally:
            restored.stop("immediate")
        if found != ["wanted"]:
            raise SystemExit(f"pgBackRest's recovery went elsewhere: {found}")
        return took + Took(seconds)

    def _stored(self) -> int:
        repository = self.folder / "repository" / "backup"
        return sum(path.stat().st_size for path in repository.rglob("*") if path.is_file())
