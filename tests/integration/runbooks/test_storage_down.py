"""Runbook rb100, in front of a store that is really unreachable, and then back."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from leitstand.backups import wal
from leitstand.backups.operations import run_backup
from leitstand.errors import PreconditionFailed, Unavailable
from leitstand.runbooks import archive_queue, backends, storage_down
from leitstand.runbooks.storage_down import StorageDown
from leitstand.services import OBJECTS
from leitstand.storage.objects import ObjectStorage
from tests.gate import Gate
from tests.operating import OPERATOR, dry_run, page, real_run, taken_up, verdicts
from tests.source import Source, made_source
from tests.waiting import wait_until

NAME = "object-storage-down"
PATIENCE = 120
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def gate(services: dict[str, object]) -> Iterator[Gate]:
    """What stands between the store and everybody."""
    with Gate(int(str(services["port"])) + OBJECTS.offset) as gate:
        yield gate


@pytest.fixture(scope="module")
def source(gate: Gate) -> Iterator[Source]:
    """A source whose store is behind the gate, with a backup."""
    folder = Path(tempfile.mkdtemp(prefix="leitstand-gated-"))
    with made_source(folder, gate.port) as source:
        run_backup(source.engine, source.settings, "postgres")
        yield source
    shutil.rmtree(folder, ignore_errors=True)


def pile_up(source: Source, segments: int) -> None:
    """Work that goes on while nothing is archived."""
    for number in range(segments):
        source.add_workspace(f"meanwhile-{time.time_ns()}-{number}")
        source.execute("SELECT pg_switch_wal()")


def wait_until_it_fails(source: Source) -> None:
    wait_until(lambda: source.one("SELECT failed_count > 0 FROM pg_stat_archiver"))


def test_it_goes_on_without_the_store_and_catches_up_when_it_is_back(source: Source, gate: Gate) -> None:
    gate.close()
    pile_up(source, 3)
    wait_until_it_fails(source)
    dry = dry_run(source, NAME, sample_seconds=0.2)
    said = Path(dry.html).read_text()
    assert "DOES NOT ANSWER" in said and dry.waiting, "its evidence waits on this machine"
    queue = dry.figures["queue"]
    assert queue["failing"] and queue["waiting"] >= 3
    assert queue["seconds_left"] == pytest.approx(queue["free"] / queue["rate"])
    assert verdicts(dry)["PostgreSQL goes on"] == "passed"

    gate.open()
    done = real_run(source, dry)
    assert done.ok, done.error
    assert verdicts(done)["all log is archived"] == verdicts(done)["any second can be restored"] == "passed"
    assert done.figures["gap"] == "" and "backup_id" not in done.figures
    assert source.one("SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'") == 0
    assert NAME in page(source, done) or "piles up" in page(source, done)


def test_a_hole_in_the_log_is_found_and_answered_with_a_backup(
    source: Source, gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, bucket = ObjectStorage(source.settings), source.settings.bucket_backups
    pile_up(source, 3)
    engine, _ = backends.reserved_engine(source.settings)
    last = archive_queue.push(engine, within=PATIENCE)
    engine.dispose()
    logs = sorted(info.key for info in storage.list(bucket, "postgres/") if f"/wal/{last[:8]}/" in info.key)
    dropped = next(key for key in logs[-3:] if wal.SEGMENT.fullmatch(_name(key)))
    storage.delete(bucket, dropped)
    down = taken_up(source, tmp_path, monkeypatch, storage_down, StorageDown.begin, dry_run=False)
    (tmp_path / "confirmed").write_text(source.settings.environment)
    down.situation()
    down.plan()
    down.confirm(plan_sha256=down.sha256, decided_by=OPERATOR)
    for step in (down.drain, down.verify, down.back_up, down.check, down.finish):
        step()
    assert down.failures == []
    assert down.gap == _name(dropped) and down.evidence.figures["backup_id"]


def _name(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(wal.SUFFIX)


def test_nothing_is_done_while_the_store_is_down(
    source: Source, gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    down = taken_up(source, tmp_path, monkeypatch, storage_down, StorageDown.begin, dry_run=False)
    (tmp_path / "confirmed").write_text(source.settings.environment)
    gate.close()
    down.situation()
    down.plan()
    with pytest.raises(PreconditionFailed, match="object storage answers"):
        down.confirm(plan_sha256=down.sha256, decided_by=OPERATOR)
    with pytest.raises(Unavailable, match="still wait"):
        archive_queue.push(down.engine, within=1)
    down.finish()
    gate.open()
