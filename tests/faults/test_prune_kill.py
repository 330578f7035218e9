"""Retention killed at any step: nothing is half there and called usable, and the next run finishes.

The process kills itself with SIGKILL at a named place, so that every step is met exactly.
"""

import os
import random
import signal
import subprocess
import sys
import time
from uuid import UUID

import pytest
from sqlalchemy import select

from leitstand.backups import entries
from leitstand.backups.pruning import propose, prune
from leitstand.db.engine import transaction
from leitstand.db.models import Backup, PruneRun
from leitstand.runbooks.kernels import setting_variables
from leitstand.settings import REPOSITORY
from tests.backups import Shelf, nights, shelf

__all__ = ["shelf"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KILLED = """
import os, signal, sys
from leitstand.backups import entries, pins, pruning, removing, removing_log
from leitstand.db.engine import make_engine
from leitstand.settings import load_settings

def kill_before(owner, name, call=1):
    original, calls = getattr(owner, name), 0
    def changed(*arguments, **named):
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **named)
    setattr(owner, name, changed)

point, plan = sys.argv[1:]
if point == "row marked":
    kill_before(entries, "store")
elif point == "entry marked":
    kill_before(removing, "_delete_objects")
elif point == "manifest gone":
    kill_before(removing, "remove_version", 2)
elif point == "a part gone":
    kill_before(removing, "remove_version", 3)
elif point == "all objects gone":
    kill_before(entries, "bury")
elif point == "buried, entry still there":
    original = entries.bury
    def bury(storage, *arguments):
        kill_before(storage, "delete")
        return original(storage, *arguments)
    entries.bury = bury
elif point == "row not yet told":
    original = entries.bury
    def bury(*arguments):
        original(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)
    entries.bury = bury
elif point == "second backup":
    kill_before(entries, "bury", 2)
elif point == "log":
    kill_before(removing_log, "remove_version", 4)
elif point == "end":
    kill_before(pruning, "_end")
settings = load_settings()
pruning.prune(make_engine(settings), settings, confirmed=plan)
"""

POINTS = [
    pytest.param("row marked", marks=pytest.mark.long),
    pytest.param("entry marked", marks=pytest.mark.long),
    pytest.param("manifest gone", marks=pytest.mark.long),
    pytest.param("a part gone", marks=pytest.mark.long),
    pytest.param("all objects gone", marks=pytest.mark.long),
    pytest.param("buried, entry still there", marks=pytest.mark.long),
    "row not yet told",
    pytest.param("second backup", marks=pytest.mark.long),
    pytest.param("log", marks=pytest.mark.long),
    pytest.param("end", marks=pytest.mark.long),
]


def start(shelf: Shelf, program: str, *arguments: str) -> "subprocess.Popen[str]":
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("LEITSTAND_", "PYTEST_"))
    }
    environment = {**clean, **setting_variables(shelf.settings), "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def wanted(shelf: Shelf) -> tuple[str, set[str]]:
    """The plan's hash, and the backups that go."""
    with transaction(shelf.engine) as session:
        made = propose(session, shelf.settings).plan
    return made.sha256, {verdict.id for verdict in made.removed}


def assert_usable_is_whole(shelf: Shelf, ids: list[UUID]) -> None:
    """What either catalogue calls complete has all its objects."""
    listed = {entry["id"] for entry in entries.usable_entries(shelf.storage, shelf.bucket, "postgres")}
    for one in ids:
        if shelf.row(one).status == "complete" or str(one) in listed:
            assert len(shelf.keys(one)) == 4, one


def assert_finished(shelf: Shelf, ids: list[UUID], gone: set[str], log: list[str]) -> None:
    for one in ids:
        removed = str(one) in gone
        assert shelf.row(one).status == ("removed" if removed else "complete")
        assert len(shelf.keys(one)) == (0 if removed else 4)
    listed = {entry["id"] for entry in entries.stored_entries(shelf.storage, shelf.bucket, "postgres")}
    assert listed == {str(one) for one in ids} - gone
    assert entries.buried_ids(shelf.storage, shelf.bucket, "postgres") == gone
    assert shelf.log() == log


def log_that_stays(shelf: Shelf) -> list[str]:
    with transaction(shelf.engine) as session:
        (need,) = propose(session, shelf.settings).plan.logs
    return [name for name in shelf.log() if need.needs(name)]


@pytest.mark.fault(20)
@pytest.mark.parametrize("point", POINTS)
def test_the_next_run_finishes(shelf: Shelf, point: str) -> None:
    ids = nights(shelf, 19)
    shelf.put_log(19)
    plan, gone = wanted(shelf)
    log = log_that_stays(shelf)
    process = start(shelf, KILLED, point, plan)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, said
    assert_usable_is_whole(shelf, ids)
    prune(shelf.engine, shelf.settings, confirmed=plan)
    assert_finished(shelf, ids, gone, log)
    with transaction(shelf.engine) as session:
        runs = session.scalars(select(PruneRun).order_by(PruneRun.started_at)).all()
    assert [run.status for run in runs] == ["failed", "complete"]
    assert "ended before" in runs[0].error


def test_killed_it_leaves_nothing_in_the_way_of_a_restored_database(shelf: Shelf) -> None:
    """The database is set back to before the run: it learns from the store what was removed."""
    ids = nights(shelf, 19)
    plan, gone = wanted(shelf)
    prune(shelf.engine, shelf.settings, confirmed=plan)
    with transaction(shelf.engine) as session:
        for one in ids:
            session.get_one(Backup, one).status = "complete"
        session.delete(session.get_one(Backup, ids[0]))
    prune(shelf.engine, shelf.settings)
    assert_finished(shelf, ids, gone, [])


PLAIN = """
import sys
from leitstand.backups.pruning import prune
from leitstand.db.engine import make_engine
from leitstand.settings import load_settings
settings = load_settings()
print("ready", flush=True)
prune(make_engine(settings), settings, confirmed=sys.argv[1])
"""


@pytest.mark.fault(20)
@pytest.mark.parametrize("kills", [2, pytest.param(25, marks=pytest.mark.long)])
def test_killed_at_any_moment(shelf: Shelf, kills: int) -> None:
    """At random moments, again and again, until it comes to its end."""
    ids = nights(shelf, 24)
    shelf.put_log(24)
    plan, gone = wanted(shelf)
    log, chance = log_that_stays(shelf), random.Random(kills)
    for _ in range(kills):
        process = start(shelf, PLAIN, plan)
        assert process.stdout and process.stdout.readline().strip() == "ready"
        time.sleep(chance.uniform(0, 2.5))
        process.kill()
        process.communicate(timeout=60)
        assert_usable_is_whole(shelf, ids)
    prune(shelf.engine, shelf.settings, confirmed=plan)
    assert_finished(shelf, ids, gone, log)
