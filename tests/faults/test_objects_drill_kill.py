"""A drill of objects killed at any moment leaves nothing that the next does not clear away, and no object changed."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from leitstand.backups.catalogue import list_drills
from leitstand.backups.operations import run_backup
from leitstand.db.engine import transaction
from leitstand.runbooks.drills import run_drill
from tests.faults.test_drill_kill import Running
from tests.source import Source

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
NAME = "objects-sample"
CONTENTS = {f"documents/{number}": f"text {number}".encode() for number in range(20)}


@pytest.fixture
def running(source: Source, tmp_path: Path) -> Iterator[Running]:
    """A drill of twenty objects."""
    for key, content in CONTENTS.items():
        source.storage.put_bytes(source.settings.bucket_media, key, content)
    run_backup(source.engine, source.settings, "objects")
    drill = Running(source, source.settings, tmp_path / "said.log", NAME)
    yield drill
    drill.close()


@pytest.mark.long
@pytest.mark.parametrize("step", ["RPO and RTO", "Restore", "Clean-up"])
def test_everything_killed_at_once(source: Source, running: Running, step: str) -> None:
    running.wait_for_step(step)
    running.kill()
    assert running.process.wait(30) == -signal.SIGKILL
    scratch = source.settings.data_dir / "scratch"
    assert list(scratch.iterdir()), "it was killed with its folder"
    result = run_drill(source.engine, source.settings, NAME)
    assert result.ok, result.error
    with transaction(source.engine) as session:
        assert [drill.status for drill in list_drills(session, limit=2)] == ["passed", "failed"]
    assert list(scratch.iterdir()) == []
    bucket = source.settings.bucket_media
    assert {
        info.key: source.storage.get_bytes(bucket, info.key) for info in source.storage.list(bucket)
    } == CONTENTS
