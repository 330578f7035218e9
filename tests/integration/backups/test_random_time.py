"""The drill postgres-random-time: right on both sides of any instant, at a commit, in a gap, past a switch of timelines."""

import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from leitstand.backups import wal
from leitstand.backups.log_contents import on_newest_timeline
from leitstand.backups.operations import run_backup
from leitstand.db.models import Workspace
from leitstand.errors import PreconditionFailed
from leitstand.runbooks import random_time, scratch
from leitstand.runbooks.drills import DrillResult, run_drill
from leitstand.runbooks.source_point import measure
from leitstand.runbooks.taking_up import TakenUp
from tests.source import Source

pytestmark = [pytest.mark.long, pytest.mark.slow, pytest.mark.timeout(900)]
NAME = "postgres-random-time"


@pytest.fixture(scope="module")
def result(source: Source) -> DrillResult:
    """The first drill of an environment that has no backup yet."""
    return run_drill(source.engine, source.settings, NAME)


def test_it_proves_an_instant_of_its_own_choice(source: Source, result: DrillResult) -> None:
    assert result.ok, result.error
    verdicts = {check["name"]: check["verdict"] for check in result.checks}
    assert set(verdicts.values()) <= {"passed", "skipped"}
    assert {
        "every transaction until the instant is there", "no transaction after the instant is there",
        "every row until the instant is there", "no row after the instant is there",
        "the instant lies in the window", "recovered to the instant", "pg_amcheck", "data checks", "clean-up",
    } <= set(verdicts)  # fmt: skip
    figures = result.figures
    assert figures["window_since"] <= figures["to_time"] < figures["window_until"]
    assert figures["last_commit_before"] <= figures["to_time"] < figures["first_commit_after"]


@pytest.fixture(scope="module")
def prepared(source: Source, result: DrillResult) -> dict[str, datetime]:
    """Three rows of workspaces apart in time, a backup between the first and the second; their times of commit."""
    return {
        "first": committed(source, "one"),
        "backup": backed_up(source),
        "second": committed(source, "two"),
        "third": committed(source, "three"),
        "end": archived(source, committed(source, "four")),
    }


def committed(source: Source, slug: str) -> datetime:
    """Add a workspace in a transaction of its own, and a while after the one before; gives when it was committed."""
    time.sleep(0.3)
    source.add_workspace(slug)
    at = source.one(f"SELECT pg_xact_commit_timestamp(xmin) FROM workspace WHERE slug = '{slug}'")
    assert isinstance(at, datetime)
    return at


def backed_up(source: Source) -> datetime:
    finished = run_backup(source.engine, source.settings, "postgres").finished_at
    assert finished
    return finished


def archived(source: Source, at: datetime) -> datetime:
    source.archive_now()
    return at


class Rehearsed:
    """The drill's own steps in this process, to a given instant, without the notebook around them."""

    def __init__(self, source: Source, folder: Path, instant: datetime) -> None:
        reach = random_time.reachable(source.engine, source.settings)
        assert reach
        backup = random_time.starting_from(source.engine, source.settings, instant)
        drawn = random_time.Drawn(1, instant, backup, reach)
        own = scratch.make_folder(source.settings, folder.name)
        work = TakenUp(source.settings, source.engine, own, False, ExitStack())
        self.drill = random_time.RandomTimeDrill(work, drawn, measure(source.engine))
        self.drill.window()

    def restored(self, to_time: datetime | None = None) -> set[str]:
        """Restore (to another instant than the drill's own, where one is given), compare; gives the workspaces there."""
        self.drill.to_time = to_time or self.drill.to_time
        self.drill.restore()
        self.drill.start()
        self.drill.check_sides()
        with self.drill._restored().connect() as connection:
            found = set(connection.scalars(select(Workspace.slug)))
        self.drill.close()
        scratch.remove(self.drill.folder)
        return found

    @property
    def failures(self) -> str:
        return "; ".join(self.drill.failures)


def test_exactly_at_a_commit_and_before_the_newest_backup(
    source: Source, prepared: dict[str, datetime], tmp_path: Path
) -> None:
    rehearsed = Rehearsed(source, tmp_path, prepared["first"])
    assert rehearsed.drill.backup.finished_at < prepared["first"] < prepared["backup"]
    assert {"one", "two"} & rehearsed.restored() == {"one"}
    assert not rehearsed.failures


def test_a_microsecond_before_a_commit_and_in_a_gap(
    source: Source, prepared: dict[str, datetime], tmp_path: Path
) -> None:
    rehearsed = Rehearsed(source, tmp_path, prepared["third"] - timedelta(microseconds=1))
    assert rehearsed.drill.backup.finished_at == prepared["backup"]
    assert {"two", "three"} & rehearsed.restored() == {"two"}
    assert not rehearsed.failures


def test_a_restore_that_stopped_early_is_not_proven(
    source: Source, prepared: dict[str, datetime], tmp_path: Path
) -> None:
    rehearsed = Rehearsed(source, tmp_path, prepared["third"])
    assert "three" not in rehearsed.restored(prepared["second"])
    for name in ("recovered to the instant", "every transaction until", "every row until"):
        assert name in rehearsed.failures
    assert "workspace" in rehearsed.failures


def test_a_restore_that_went_too_far_is_not_proven(
    source: Source, prepared: dict[str, datetime], tmp_path: Path
) -> None:
    rehearsed = Rehearsed(source, tmp_path, prepared["second"])
    assert "three" in rehearsed.restored(prepared["third"])
    for name in ("recovered to the instant", "no transaction after", "no row after"):
        assert name in rehearsed.failures


def test_the_same_seed_draws_the_same_instant(prepared: dict[str, datetime]) -> None:
    reach = random_time.Reach(prepared["first"], prepared["end"])
    drawn = {reach.draw(seed) for seed in range(1, 60)}
    assert drawn == {reach.draw(seed) for seed in range(1, 60)} and len(drawn) == 59
    assert all(reach.since <= instant < reach.until for instant in drawn)


def test_a_missing_segment_is_not_proven(
    source: Source, prepared: dict[str, datetime], tmp_path: Path
) -> None:
    """A gap in the log between the backup and the instant."""
    bucket = source.settings.bucket_backups
    system = str(source.one("SELECT system_identifier FROM pg_control_system()"))
    committed(source, "five")
    lost = wal.key(system, source.archive_now())
    at = committed(source, "six")
    archived(source, committed(source, "seven"))
    kept, content = source.storage.head(bucket, lost).metadata, source.storage.get_bytes(bucket, lost)
    source.storage.delete(bucket, lost)
    rehearsed = Rehearsed(source, tmp_path, at)
    try:
        rehearsed.drill.preconditions()
        assert "archived log without a gap" in rehearsed.failures
        with pytest.raises(PreconditionFailed, match="lacks"):
            rehearsed.restored()
    finally:
        source.storage.put_bytes(bucket, lost, content, metadata=kept)
        scratch.remove(rehearsed.drill.folder)


def test_past_a_switch_of_timelines(source: Source, prepared: dict[str, datetime], tmp_path: Path) -> None:
    """The source is recovered in place and goes on under a new timeline; the backups are of the one before."""
    source.cluster.stop()
    (source.cluster.data / "recovery.signal").touch()
    with (source.cluster.data / "postgresql.auto.conf").open("a") as configuration:
        configuration.write("restore_command = 'false'\n")
    source.cluster.start()
    at = committed(source, "beyond")
    archived(source, committed(source, "later"))
    rehearsed = Rehearsed(source, tmp_path, at)
    assert {"beyond", "later", "three"} & rehearsed.restored() == {"beyond", "three"}
    assert not rehearsed.failures
    manifest = rehearsed.drill.backup.manifest
    beyond = {**manifest, "stop_lsn": str(source.one("SELECT pg_current_wal_lsn()"))}
    assert on_newest_timeline(source.storage, source.settings.bucket_backups, [manifest, beyond]) == [
        manifest
    ]
