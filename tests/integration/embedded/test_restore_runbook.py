"""Runbook rb010 in a supervised environment: rows are really lost and come back, also when PostgreSQL does not start."""

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from leitstand.backups.catalogue import list_backups
from leitstand.backups.engines.interface import FULL
from leitstand.backups.operations import run_backup
from leitstand.db import migrate
from leitstand.db.engine import transaction
from leitstand.embedded import restore_history, restore_runbook, switching
from leitstand.embedded.restore_runbook import PointInTimeRestore
from leitstand.errors import Unavailable
from leitstand.runbooks.drills import DrillResult, run_runbook
from leitstand.runbooks.taking_up import CONFIRMED, TakenUp
from leitstand.services import POSTGRES
from leitstand.settings import REPOSITORY
from leitstand.storage.objects import ObjectStorage
from tests.operating import OPERATOR, parameters_of, verdicts
from tests.supervised import Supervised, monkeypatch_module, supervised
from tests.waiting import wait_until

__all__ = ["monkeypatch_module", "supervised"]
NAME = "postgres-point-in-time"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def run(here: Supervised, parameters: dict[str, object], confirmed: str = "") -> DrillResult:
    engine = here.engine()
    try:
        return run_runbook(engine, here.settings, NAME, parameters, confirmed=confirmed)
    finally:
        engine.dispose()


def command(here: Supervised, *arguments: str) -> dict[str, Any]:
    """`leitstand runbook run`, as in a terminal."""
    argv = [sys.executable, "-m", "leitstand", "runbook", "run", NAME, *arguments, "--json"]
    done = subprocess.run(
        argv, cwd=REPOSITORY, env=here.variables(), capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["ok"], found["error"]
    return found


def really(here: Supervised, dry: dict[str, Any]) -> dict[str, Any]:
    """What a dry run said to do."""
    said, _, target = str(dry["figures"]["real_run"]).partition("; then type ")
    words = [word for name, value in parameters_of(said).items() for word in ("-p", f"{name}={value}")]
    return command(here, *words, "--yes", target)


@pytest.fixture(scope="module")
def last_good(supervised: Supervised) -> datetime:
    """A backup, then work, then a mistake, then more work."""
    engine = supervised.engine()
    supervised.add("before-the-backup")
    run_backup(engine, supervised.settings, "postgres")
    engine.dispose()
    supervised.add("precious-1", "precious-2")
    time.sleep(0.3)
    instant = datetime.now(UTC)
    time.sleep(0.3)
    supervised.execute("DELETE FROM workspace WHERE slug LIKE 'precious%'")
    supervised.add("after-the-loss")
    return instant


ALL = {"before-the-backup", "precious-1", "precious-2"}
LOST = {"before-the-backup", "after-the-loss"}


@pytest.fixture(scope="module")
def done(supervised: Supervised, last_good: datetime) -> DrillResult:
    """The dry run and what it said to do."""
    given = {"target": "live", "to_time": last_good.isoformat()}
    dry = run(supervised, dict(given))
    assert dry.ok, dry.error
    assert supervised.slugs() == LOST, "a dry run changes nothing"
    parameters = parameters_of(str(dry.figures["real_run"]).partition(";")[0])
    refused = run(supervised, parameters, "production")
    assert not refused.ok and "not typed" in refused.error and supervised.slugs() == LOST
    return run(supervised, parameters, supervised.settings.environment)


def test_lost_rows_are_back_and_nothing_newer(supervised: Supervised, done: DrillResult) -> None:
    assert done.ok, done.error
    assert supervised.slugs() == ALL
    found = verdicts(done)
    assert found["nothing newer than the instant"] == found["migrations are at head"] == "passed"
    assert found["a backup of it"] == found["no row is missing"] == "passed"
    engine = supervised.engine()
    with transaction(engine) as session:
        newest = list_backups(session, kind="postgres")[0]
    assert newest.manifest["level"] == FULL and newest.manifest["timeline"] == 2
    assert migrate.current(engine) == migrate.head()
    engine.dispose()
    wait_until(lambda: (supervised.supervisor.states() or {})[POSTGRES.name].state == "RUNNING")


def test_what_was_live_is_kept_whole(supervised: Supervised, done: DrillResult) -> None:
    aside = list(supervised.environment.data_dir.glob("postgres.before-*"))
    assert len(aside) == 1 and (aside[0] / "PG_VERSION").exists()
    assert str(done.figures["way_back"]).endswith(f"undo={aside[0].name}")
    assert not list(supervised.environment.data_dir.glob("postgres.restored-*"))


def test_the_history_of_the_new_time_line_is_archived(supervised: Supervised, done: DrillResult) -> None:
    """Or a second restore would begin the same time line once more."""
    settings = supervised.settings
    keys = [info.key for info in ObjectStorage(settings).list(settings.bucket_backups, "postgres/")]
    assert any("00000002.history" in key for key in keys)


@pytest.mark.long
def test_the_same_restore_once_more_is_refused(
    supervised: Supervised, done: DrillResult, last_good: datetime
) -> None:
    """Or it would restore nothing and say that all is well."""
    backup = str(done.figures["plan"]["basis"]["backup"])
    given: dict[str, object] = {"target": "live", "to_time": last_good.isoformat(), "backup_id": backup}
    again = run(supervised, given)
    assert not again.ok and "this very restore is in place" in again.error


def _fails(_: object) -> None:
    raise Unavailable("cut short")


@pytest.mark.long
def test_the_way_back_brings_what_was_live(
    supervised: Supervised, done: DrillResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = supervised.engine()
    work = TakenUp(supervised.settings, engine, tmp_path, False, ExitStack())
    (tmp_path / CONFIRMED).write_text(work.settings.environment)
    monkeypatch.setattr(restore_runbook, "take_up", lambda _: work)
    name = str(done.figures["way_back"]).rpartition("=")[2]
    back = PointInTimeRestore.begin(undo=name, dry_run=False)
    back.preconditions()
    back.plan()
    back.confirm(plan_sha256=back.sha256, decided_by=OPERATOR)
    back.restore()
    names = switching.running(back.environment)
    with monkeypatch.context() as cut_short, pytest.raises(Unavailable):
        cut_short.setattr(switching, "swap", _fails)
        back.put_in_place()
    assert POSTGRES.name not in switching.running(back.environment)
    back.put_in_place()  # as a run that goes on where another stopped
    assert set(switching.running(back.environment)) == set(names)
    back.put_in_place()
    back.check()
    back.finish()
    engine.dispose()
    assert back.failures == [] and supervised.slugs() == LOST
    assert not list(supervised.environment.data_dir.glob("postgres.before-*"))


@pytest.mark.long
def test_it_comes_back_when_postgresql_does_not_start(supervised: Supervised, done: DrillResult) -> None:
    """The newest state, from a terminal, with a control file that is gone and a service that keeps ending."""
    supervised.add("the-newest")
    before = supervised.slugs()
    restore_history.push_log(supervised.settings)
    supervisor, environment = supervised.supervisor, supervised.environment
    supervisor.stop_services(POSTGRES.name)
    switching.wait_stopped(supervisor, [POSTGRES.name])
    (environment.postgres_dir / "global" / "pg_control").unlink()
    supervisor.launch(POSTGRES.name)
    dry = command(supervised, "-p", "target=live")
    assert dry["waiting"], "no catalogue can take it up yet"
    storage, place = ObjectStorage(supervised.settings), urlsplit(dry["html"])
    assert b"DOES NOT ANSWER" in storage.get_bytes(place.netloc, place.path.lstrip("/"))
    back = really(supervised, dry)
    assert back["ok"] and supervised.slugs() == before


@pytest.mark.long
def test_another_instant_needs_the_log_that_reaches_it(supervised: Supervised, done: DrillResult) -> None:
    refused = run(supervised, {"target": "live", "to_time": "2126-01-01T00:00:00Z"})
    assert not refused.ok and "future" in refused.error
    assert "no plan" in str(refused.figures["real_run"])
