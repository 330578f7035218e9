"""Backups and restores of one database, ours beside the bare tools, in one run on one machine.

    ./run bench backups --folder /tmp/benchmark [--gigabytes 2] [--port 25000]

Makes a database of that size (a folder that has it already is used again), takes a full backup, changes one row in a
hundred, takes an increment, restores both, and recovers to an instant between two changes; then the same with
pg_basebackup, pg_combinebackup and pg_verifybackup on a local disk, compressed with the same method and level, and with
`pg_dump -Fd -j2` and `pg_restore -j2`, and with pgBackRest by hand where it is installed. Ours are encrypted as well, and lie in an object store on the same machine, which
takes its share of the processors. Memory is the highest sum over the command and all that it starts, without the server.
"""

import argparse
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psutil
import psycopg
from sqlalchemy import Engine

from benchmarks.backups import database, pgbackrest
from benchmarks.backups.bare import Bare
from benchmarks.backups.measuring import Took, own
from benchmarks.environment import started
from leitstand.db.cluster import Cluster
from leitstand.services import POSTGRES
from leitstand.settings import load_settings
from leitstand.storage.objects import ObjectStorage

MOST_TIMES, MOST_SHARE, MOST_MEMORY = 1.15, 0.10, 300e6
RESTORED_PORT = 40
BY_HAND_PORT = 50
ROWS = (
    "full",
    "incremental",
    "restore of the full one",
    "restore of the increment",
    "point in time",
    "dump",
    "restore of the dump",
)


class Benchmark:
    """One run: steps of ours and of the bare tools, by the name of a row."""

    def __init__(self, cluster: Cluster, folder: Path, rows: int) -> None:
        self.cluster, self.folder, self.rows = cluster, folder, rows
        self.bare = Bare(cluster, folder / "bare", folder / "log")
        self.ours: dict[str, Took] = {}
        self.theirs: dict[str, Took] = {}
        self.plain = Took()

    def back_up(self) -> datetime:
        """Both full backups, the change, both increments, more change around an instant; gives the instant."""
        self.ours["full"] = self._told("full", own("backup", "full"))
        self.theirs["full"] = self.bare.full()
        self.plain = self.bare.plain()
        shutil.rmtree(self.folder / "bare" / "plain")
        database.change(self.cluster, self.rows, begin=0.3)
        self.ours["incremental"] = self._told("incremental", own("backup", "incremental"))
        self.theirs["incremental"] = self.bare.incremental()
        database.change(self.cluster, self.rows, begin=0.5)
        instant = database.mark(self.cluster, "wanted")
        time.sleep(1)
        database.mark(self.cluster, "too late")
        database.change(self.cluster, self.rows, begin=0.7)
        database.wait_archived(self.cluster)
        return instant

    def restore(self, instant: datetime) -> None:
        """Each way back, ours first."""
        full, increment = (str(self.ours[name].figures["id"]) for name in ("full", "incremental"))
        for row, backup, names in (
            ("restore of the full one", full, ["full"]),
            ("restore of the increment", increment, ["full", "incremental"]),
        ):
            with self._target() as target:
                self.ours[row] = self._told(row, own("restore", backup, str(target)))
            with self._target() as target:
                self.theirs[row] = self.bare.restore(target, *names)
        with self._target() as target:
            took = own("restore", increment, str(target), instant.isoformat())
            self.ours["point in time"] = self._told("point in time", took + self._recovered(target))
        with self._target() as target:
            took = self.bare.restore(target, "full", "incremental")
            self.bare.recovery(target, instant)
            self.theirs["point in time"] = took + self._recovered(target)

    def dump(self) -> None:
        """A dump and its restore into an empty database."""
        self.ours["dump"] = self._told("dump", own("backup", "dump"))
        self.theirs["dump"] = self.bare.dump()
        with self._database("ours"):
            self.ours["restore of the dump"] = self._told("restore of the dump", own("restore_dump", "ours"))
        with self._database("theirs"):
            self.theirs["restore of the dump"] = self.bare.restore_dump("theirs")

    @contextmanager
    def _database(self, name: str) -> Iterator[None]:
        self.cluster.prepare(name)
        yield
        with psycopg.connect(self.cluster.conninfo("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    @contextmanager
    def _target(self) -> Iterator[Path]:
        target = self.folder / "restored"
        shutil.rmtree(target, ignore_errors=True)
        try:
            yield target
        finally:
            shutil.rmtree(target, ignore_errors=True)

    def _recovered(self, target: Path) -> Took:
        """Start a server on a restored folder; refuses figures of a recovery that went elsewhere."""
        with (target / "postgresql.auto.conf").open("a") as configuration:
            configuration.write("archive_mode = off\nhot_standby = off\n")
        restored = Cluster(target, self.cluster.port + RESTORED_PORT, self.cluster.password)
        began = time.monotonic()
        restored.start(timeout=3600)
        restored.wait_ready(3600)
        seconds = time.monotonic() - began
        try:
            with psycopg.connect(restored.conninfo("leitstand")) as connection:
                found = [row[0] for row in connection.execute("SELECT name FROM mark")]
        finally:
            restored.stop("immediate")
        if found != ["wanted"]:
            raise SystemExit(f"the recovery went elsewhere: {found}")
        return Took(seconds)

    @staticmethod
    def _told(row: str, took: Took) -> Took:
        sys.stderr.write(f"{row}: {took.seconds:.1f} s\n")
        return took

    def table(self) -> Iterator[str]:
        """What came out, as Markdown."""
        yield "| | ours, s | bare, s | times | ours, MB | bare, MB | memory, MB |"
        yield "|---|---|---|---|---|---|---|"
        for row in ROWS:
            ours, theirs = self.ours[row], self.theirs[row]
            sizes = f"{ours.bytes / 1e6:,.0f} | {theirs.bytes / 1e6:,.0f}" if ours.bytes else " | "
            times = ours.seconds / theirs.seconds
            yield f"| {row} | {ours.seconds:.1f} | {theirs.seconds:.1f} | {times:.2f} | {sizes} | {ours.memory / 1e6:,.0f} |"
        yield f"A plain copy by pg_basebackup takes {self.plain.seconds:.1f} s and {self.plain.bytes / 1e6:,.0f} MB."

    def verdicts(self) -> Iterator[tuple[str, bool]]:
        """Each target, and whether it is met."""
        for row in ROWS[:5]:
            times = self.ours[row].seconds / self.theirs[row].seconds
            yield f"{row}: {times:.2f} times the bare tool, at most {MOST_TIMES}", times <= MOST_TIMES
        share = self.ours["incremental"].bytes / self.ours["full"].bytes
        yield (
            f"an increment of 1 % change has {share:.1%} of a full one, under {MOST_SHARE:.0%}",
            share < MOST_SHARE,
        )
        memory = max(took.memory for took in self.ours.values())
        yield f"memory {memory / 1e6:.0f} MB, under {MOST_MEMORY / 1e6:.0f} MB", memory < MOST_MEMORY


def prepared(folder: Path, port: int) -> Cluster:
    """The cluster's folder, which archives when it is started."""
    cluster = Cluster(folder / "data" / "postgres", port + POSTGRES.offset, "benchmark")
    if not (cluster.data / "PG_VERSION").exists():
        cluster.create()
        with (cluster.data / "postgresql.conf").open("a") as configuration:
            configuration.write("archive_mode = on\narchive_command = '/bin/true'\nmax_wal_size = 4GB\n")
    return cluster


def run(engine: Engine, cluster: Cluster, folder: Path, gigabytes: float) -> bool:
    """Everything; prints the table, and gives whether every target is met."""
    ObjectStorage(load_settings()).ensure_buckets()
    database.not_archived(cluster)
    rows = database.fill(cluster, gigabytes)
    with psycopg.connect(cluster.conninfo("leitstand"), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS mark")
        size, version = connection.execute(
            "SELECT pg_database_size('leitstand'), current_setting('server_version')"
        ).fetchone() or (0, "")
    database.archived(cluster, folder / "log")
    database.wait_archived(cluster)
    print(
        f"{psutil.cpu_count()} processors ({platform.machine()}), {psutil.virtual_memory().total / 1e9:.0f} GB of memory"
    )
    print(f"PostgreSQL {version}, a database of {size / 1e9:.2f} GB, {rows:,} rows\n", flush=True)
    benchmark = Benchmark(cluster, folder, rows)
    benchmark.restore(benchmark.back_up())
    benchmark.dump()
    print("\n".join(benchmark.table()), "\n")
    print("\n".join(by_hand(folder, gigabytes, cluster.port)), "\n")
    verdicts = list(benchmark.verdicts())
    for says, met in verdicts:
        print(f"{says}: {'reached' if met else 'MISSED'}")
    return all(met for _, met in verdicts)


def by_hand(folder: Path, gigabytes: float, port: int) -> Iterator[str]:
    """What pgBackRest takes for the same, or why that is not known."""
    if lacking := pgbackrest.missing():
        yield f"pgBackRest by hand was not measured, for want of {lacking}."
        return
    version, took = pgbackrest.measure(folder / "pgbackrest", gigabytes, port + BY_HAND_PORT)
    shutil.rmtree(folder / "pgbackrest", ignore_errors=True)
    yield f"pgBackRest by hand, of the same rows in PostgreSQL {version}, which is the one that it knows here:\n"
    yield "| | s | MB | memory, MB |"
    yield "|---|---|---|---|"
    for row, one in took.items():
        size = f"{one.bytes / 1e6:,.0f}" if one.bytes else ""
        yield f"| {row} | {one.seconds:.1f} | {size} | {one.memory / 1e6:,.0f} |"


def options() -> argparse.Namespace:
    """What to do, from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="work folder; what is there is used again")
    parser.add_argument("--gigabytes", type=float, default=2.0, help="size of the table")
    parser.add_argument("--port", type=int, default=25_000, help="first of the ports that are used")
    return parser.parse_args()


def main() -> int:
    """Run it; 1 when a target is missed."""
    chosen = options()
    if shutil.which("zstd") is None:
        raise SystemExit("The bare tools need zstd: apt-get install zstd")
    folder = chosen.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    cluster = prepared(folder, chosen.port)
    with started(folder, chosen.port) as engine:
        return 0 if run(engine, cluster, folder, chosen.gigabytes) else 1


if __name__ == "__main__":
    sys.exit(main())
