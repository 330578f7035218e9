"""A rotation killed at any step: what runs goes on, and the next run, or the next start, finishes it.

The process kills itself with SIGKILL at a named place, so that every step is met exactly.
"""

import json
import signal

import pytest

from leitstand.backups.secret_backups import changed_since, newest_backup
from leitstand.embedded import programs, rotation, rotation_journal
from leitstand.embedded.rotation_units import pair_fits, password_fits
from tests.rotating import Rotating, monkeypatch_module, rotating

__all__ = ["monkeypatch_module", "rotating"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

KILLED = """
import os, signal, sys
from leitstand.embedded import environment, rotation, rotation_journal, rotation_record, rotation_units, restarting
from leitstand.embedded.environment import locate
from leitstand.db.cluster import Cluster
from leitstand.embedded.objects import ObjectStore

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def kill(owner, name, *, after=False, at=1):
    original, seen = getattr(owner, name), []
    def changed(*arguments, **named):
        seen.append(1)
        if len(seen) == at and not after:
            die()
        result = original(*arguments, **named)
        if len(seen) == at:
            die()
        return result
    setattr(owner, name, changed)

name, point = sys.argv[1:]
here = locate()
agreed = rotation.plan(here, [name])
POINTS = {
    "before the journal": lambda: kill(rotation_journal, "write"),
    "journal written": lambda: kill(rotation_journal, "write", after=True),
    "password changed": lambda: kill(Cluster, "change_password", after=True),
    "store told": lambda: kill(ObjectStore, "accept", after=True),
    "before the files": lambda: kill(rotation_journal, "adopt"),
    "first file": lambda: kill(rotation_journal, "write_private", after=True, at=2),
    "second file": lambda: kill(rotation_journal, "write_private", after=True, at=3),
    "files written": lambda: kill(rotation_journal, "adopt", after=True),
    "archiver told": lambda: kill(rotation, "refresh_archiver", after=True),
    "before the restart": lambda: kill(restarting, "restart"),
    "services restarted": lambda: kill(restarting, "restart", after=True),
    "before forgetting": lambda: kill(rotation_journal, "drop"),
    "journal forgotten": lambda: kill(rotation_journal, "drop", after=True),
    "before the audit": lambda: kill(rotation_record, "record"),
    "before the backup": lambda: kill(rotation_record, "back_up"),
}
POINTS[point]()
rotation.carry_out(here, agreed, actor="test", progress=lambda _: None)
"""

EVERY = (
    "before the journal",
    "journal written",
    "before the files",
    "first file",
    "files written",
    "archiver told",
    "before the restart",
    "services restarted",
    "before forgetting",
    "journal forgotten",
    "before the audit",
    "before the backup",
)
SHORT = {("database", "password changed"), ("objects", "first file"), ("session", "files written")}
OWN = {
    "database": ("password changed",),
    "objects": ("store told", "second file"),
    "backup-key": ("second file",),
}
CASES = [
    (name, point)
    for name in ("database", "objects", "session", "backup-key")
    for point in (*EVERY, *OWN.get(name, ()))
]
MARKED = [case if case in SHORT else pytest.param(*case, marks=pytest.mark.long) for case in CASES]


def die_at(rotating: Rotating, name: str, point: str) -> None:
    done = rotating.run("-c", KILLED, name, point)
    assert done.returncode == -signal.SIGKILL, done.stderr or f"{point} was never met"


def works(rotating: Rotating) -> bool:
    """Whether the files open both services, as a process that starts now would find it."""
    here = rotating.environment
    pair = here.secret("s3_access_key"), here.secret("s3_secret_key")
    return password_fits(here, here.secret("database_password")) and pair_fits(here, *pair)


@pytest.mark.parametrize(("name", "point"), MARKED)
def test_what_runs_goes_on_and_the_next_run_finishes(rotating: Rotating, name: str, point: str) -> None:
    here, engine = rotating.environment, rotating.engine()
    storage_before = here.secret("s3_access_key"), here.secret("s3_secret_key")
    with engine.connect() as connection:  # a service with its open connection
        die_at(rotating, name, point)
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
        begun = rotation_journal.pending(here)
        if name == "objects" and begun and point != "before forgetting":
            assert pair_fits(here, *storage_before), "who read the old pair at its start is still served"
        agreed = rotation.plan(here, [name])
        assert {step.what for step in agreed.steps} == {rotation.FINISH if begun else rotation.ROTATE}
        done = rotation.carry_out(here, agreed, actor="test", progress=lambda _: None)
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    engine.dispose()
    assert done.ok and works(rotating) and rotation_journal.pending(here) == {}
    for values in begun.values():
        for path, content in values.items():
            assert (here.data_dir / path).read_text() == content, "the very values that were begun"
    engine = rotating.engine()
    newest = newest_backup(engine)
    engine.dispose()
    assert newest is not None and changed_since(rotating.settings, newest) == []


@pytest.mark.parametrize(
    ("name", "point"),
    [("database", "password changed"), pytest.param("objects", "first file", marks=pytest.mark.long)],
)
def test_the_next_start_finishes_it_too(rotating: Rotating, name: str, point: str) -> None:
    """In the order in which `up` does it: the files before anything runs, the database's password when that does."""
    here = rotating.environment
    die_at(rotating, name, point)
    settled = rotation.settle(here, database=False) + rotation.settle(here, database=True)
    assert settled == [name] and rotation_journal.pending(here) == {}
    programs.cluster(here).prepare("leitstand")
    assert password_fits(here, here.secret("database_password"))
    # Whatever was accepted in between, the start gives the store its one credential.
    store = programs.store(here)
    store.create()
    assert store.accepted() == [(here.secret("s3_access_key"), here.secret("s3_secret_key"))]


def test_no_value_is_in_the_journal_after_the_end_or_in_a_message(rotating: Rotating) -> None:
    done = rotating.run("-m", "leitstand", "secrets", "rotate", "database", "--yes", "embedded", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"]
    assert list((rotating.environment.data_dir / rotation_journal.FOLDER).iterdir()) == []
    for value in rotating.secrets().values():
        assert not value or value not in done.stdout + done.stderr
