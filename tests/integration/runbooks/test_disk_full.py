"""Runbook rb070, on a disk of its own that is really full."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from leitstand.db.exclusive import exclusive
from leitstand.errors import PreconditionFailed
from leitstand.runbooks import disk_full, reserve, space
from leitstand.runbooks.disk_full import DiskFull
from leitstand.services import OBJECTS
from tests.operating import OPERATOR, dry_run, page, real_run, taken_up, verdicts
from tests.source import Source, made_source

DISK_BYTES, BLOCK_BYTES = 480_000_000, 4096
NAME = "disk-full"
# By default PostgreSQL keeps five segments for the next ones to be written into.
SMALL_LOG = "max_wal_size = 64MB\nmin_wal_size = 32MB\n"
EARLIER = time.time() - 3600
LEFT, LOG, ASIDE = "scratch/verify-of-yesterday", "logs/web.log.1", "postgres.before-20260101T000000Z"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system of a few hundred megabytes."""
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "leitstand-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small disk of its own needs root and the right to mount")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def source(disk: Path, services: dict[str, object]) -> Iterator[Source]:
    """A source on the small disk; a slot that nobody reads keeps its log."""
    with made_source(disk, int(str(services["port"])) + OBJECTS.offset, more=SMALL_LOG) as source:
        make_reserve(disk)
        source.execute("SELECT pg_create_physical_replication_slot('orphan', true)")
        for _ in range(6):
            source.execute("CREATE TABLE filled AS SELECT 1; DROP TABLE filled; SELECT pg_switch_wal()")
        yield source


def make_reserve(disk: Path) -> None:
    """The reserve takes at most a tenth of what is free, and here that is too little: made as on a larger disk."""
    with (disk / reserve.NAME).open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, reserve.RESERVE_BYTES)


def fill(disk: Path) -> None:
    """Whatever filled it an hour ago, and a few megabytes more each second."""
    for name in (LEFT, ASIDE):
        (disk / name).mkdir(parents=True)
    (disk / "logs").mkdir(exist_ok=True)
    (disk / LOG).write_bytes(b"x" * 5_000_000)
    (disk / ASIDE / "PG_VERSION").write_text("18")
    descriptor = os.open(disk / LEFT / "base", os.O_WRONLY | os.O_CREAT)
    # A piece that does not fit any more, because the server writes as well, takes nothing at all: then a smaller one.
    piece = DISK_BYTES
    while piece >= BLOCK_BYTES:
        try:
            os.posix_fallocate(descriptor, os.fstat(descriptor).st_size, piece)
        except OSError:
            piece //= 2
    os.close(descriptor)
    for path in (disk / LEFT / "base", disk / LEFT, disk / LOG):
        os.utime(path, (EARLIER, EARLIER))


def test_a_full_disk_is_explained_and_freed(source: Source, disk: Path) -> None:
    fill(disk)
    assert shutil.disk_usage(disk).free <= BLOCK_BYTES
    with pytest.raises(psycopg.errors.DiskFull):
        source.execute("CREATE TABLE too_much AS SELECT repeat('x', 1000) FROM generate_series(1, 20000)")

    dry = dry_run(source, NAME)
    said = page(source, dry)
    assert not (disk / reserve.NAME).exists(), "it could run because the reserve was given up"
    assert "NOBODY READS IT" in said and ASIDE in said
    steps = {(step["what"], step["on"]) for step in dry.figures["plan"]["steps"]}
    assert steps == {("delete", LEFT), ("delete", LOG), ("drop replication slot", "orphan")}
    assert (disk / LEFT).exists(), "a dry run frees nothing"

    kept = space.size_of(disk / "postgres" / "pg_wal")
    done = real_run(source, dry)
    assert done.ok, done.error
    assert verdicts(done)["the database writes"] == verdicts(done)["enough is free"] == "passed"
    assert not (disk / LEFT).exists() and not (disk / LOG).exists() and (disk / ASIDE).exists()
    assert source.one("SELECT count(*) FROM pg_replication_slots") == 0
    assert space.size_of(disk / "postgres" / "pg_wal") < kept, "PostgreSQL itself removed the log"
    source.execute("CREATE TABLE enough AS SELECT repeat('x', 1000) FROM generate_series(1, 20000)")
    assert source.one("SELECT count(*) FROM workspace") == 1


@pytest.mark.parametrize("path", ["postgres/pg_wal", "secrets", "keys", "../etc", "scratch/in-use"])
def test_nothing_that_is_in_use_may_go(
    source: Source, disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    for name in ("scratch/in-use", "secrets", "keys"):
        (disk / name).mkdir(parents=True, exist_ok=True)
    full = taken_up(source, tmp_path, monkeypatch, disk_full, DiskFull.begin, delete=path, dry_run=False)
    full.may_go()
    (disk.parent / "etc").mkdir(exist_ok=True)
    with pytest.raises(PreconditionFailed, match="may not be deleted"):
        full.plan()
    full.finish()


def test_the_folder_of_a_backup_that_runs_stays(
    source: Source, disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process may wait for the store for longer than any pause tells."""
    folder = disk / "tmp" / "backups" / "objects-0190"
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder, (EARLIER, EARLIER))
    full = taken_up(source, tmp_path, monkeypatch, disk_full, DiskFull.begin)
    with exclusive(source.engine, "backup of objects"):
        full.may_go()
        assert "tmp/backups/objects-0190" not in {one.path for one in full.candidates}
    full.may_go()
    assert "tmp/backups/objects-0190" in {one.path for one in full.candidates if one.proposed}
    full.finish()


def test_what_was_moved_aside_goes_when_it_is_named(
    source: Source, disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (disk / ASIDE).mkdir(exist_ok=True)
    full = taken_up(source, tmp_path, monkeypatch, disk_full, DiskFull.begin, delete=ASIDE, dry_run=False)
    (tmp_path / "confirmed").write_text(source.settings.environment)
    full.may_go()
    full.plan()
    full.confirm(plan_sha256=full.sha256, decided_by=OPERATOR)
    full.free()
    assert not (disk / ASIDE).exists() and full.evidence.figures["done"][0]["went"] == "done"
    full.free()
    assert full.evidence.figures["done"][0]["went"] == "was gone already", "it may be repeated"
    full.finish()
