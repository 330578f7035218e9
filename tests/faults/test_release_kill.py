"""A release killed at every step: the service goes on, and the next run finishes it, or takes it back.

The process kills itself with SIGKILL before a line of its journal is written: before and after whatever a step does, and
between any two steps.
"""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leitstand.errors import Conflict
from leitstand.releases import journal as journals
from leitstand.releases import lease, rollout, steps
from leitstand.releases.current import current
from leitstand.releases.journal import BEGAN, DONE, FINISHED, ROLLED_BACK, TURNED
from leitstand.settings import REPOSITORY
from tests.local_host import BROKEN, NEW, OLD, LocalHost, site_of
from tests.releasing import Load, forking, machine

__all__ = ["forking", "machine"]
pytestmark = pytest.mark.fault(20)

KILLED = """
import json, os, signal, sys
from pathlib import Path
from leitstand.releases import rollout
from leitstand.releases.journal import Journal
from tests.local_host import LocalHost, site_of

folder, more, work, arguments, what, step, when = json.loads(sys.argv[1])
original = Journal.write

def write(self, kind, /, **values):
    meant = kind == what and step in ("", values.get("step"))
    if meant and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    original(self, kind, **values)
    if meant:
        os.kill(os.getpid(), signal.SIGKILL)

Journal.write = write
host = LocalHost.at(Path(folder))
getattr(rollout, work)(site_of(host, **more), host, *arguments, by="a pipeline", tell=lambda _: None)
"""
FORWARD = [(what, step) for step in steps.RELEASE for what in (BEGAN, DONE)]
# Before and after what people could notice; the whole chain is long.
SOME = [(DONE, "start"), (BEGAN, "switch"), (DONE, "drain"), (DONE, "finish")]
BACK = [(TURNED, ""), *((what, step) for step in steps.BACK for what in (BEGAN, DONE)), ("ended", "")]
QUICK = {"observe_seconds": 0.1, "drain_seconds": 0.1, "ready_seconds": 1.0}


def killed(
    host: LocalHost, work: str, arguments: list[str], what: str, step: str, when: str = "before"
) -> None:
    """Begin, or go on, and die at that line of the journal."""
    argv = json.dumps([str(host.folder), QUICK, work, arguments, what, step, when])
    done = subprocess.run(
        [sys.executable, "-P", "-c", KILLED, argv],
        cwd=REPOSITORY,
        env=host.variables(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, f"not at {what} {step}: {done.stderr[-800:]}"


def resumed(host: LocalHost) -> journals.Journal:
    found = rollout.resume(site_of(host, **QUICK), host, by="anna", tell=lambda _: None)
    assert found is not None
    return found


def serving(host: LocalHost) -> str:
    found = current(host.folder / "releases")
    return found.image if found else ""


def begun(host: LocalHost) -> None:
    rollout.start(site_of(host, **QUICK), host, OLD, by="anna", tell=lambda _: None)


@pytest.mark.parametrize("places", [SOME, pytest.param(FORWARD, marks=pytest.mark.long)], ids=["some", "all"])
def test_killed_at_step_after_step_it_is_finished_in_the_end(
    machine: LocalHost, places: list[tuple[str, str]]
) -> None:
    """Each run goes on where the one before was killed, and is killed at the next place; nobody notices."""
    begun(machine)
    with Load(machine.port) as load:
        killed(machine, "start", [NEW], *places[0])
        with pytest.raises(Conflict, match="unfinished"):
            rollout.start(site_of(machine), machine, NEW, by="bert", tell=lambda _: None)
        for what, step in places[1:]:
            killed(machine, "resume", [], what, step)
        assert resumed(machine).outcome == FINISHED
    assert load.failed == [] and load.answered > 100
    assert serving(machine) == NEW and machine.colours() == {"green"} and machine.single_image() == NEW


def test_killed_on_its_way_back_it_is_taken_back_in_the_end(machine: LocalHost) -> None:
    begun(machine)
    with Load(machine.port) as load:
        killed(machine, "start", [BROKEN], *BACK[0])
        killed(machine, "resume", [], DONE, "bring-back")
        killed(machine, "resume", [], BEGAN, "stop-new")
        assert resumed(machine).outcome == ROLLED_BACK
    assert load.failed == [] and load.answered > 50
    assert serving(machine) == OLD and machine.colours() == {"blue"} and machine.single_image() == OLD


@pytest.mark.long
@pytest.mark.parametrize(("what", "step"), FORWARD)
@pytest.mark.parametrize("then", ["resume", "rollback"])
def test_killed_at_a_step_it_is_finished_or_taken_back(
    machine: LocalHost, what: str, step: str, then: str
) -> None:
    begun(machine)
    with Load(machine.port) as load:
        killed(machine, "start", [NEW], what, step)
        began = time.monotonic()
        if then == "resume":
            assert resumed(machine).outcome == FINISHED
        else:
            found = rollout.rollback(site_of(machine, **QUICK), machine, by="anna", tell=lambda _: None)
            assert found.outcome in {ROLLED_BACK, journals.REFUSED}
        assert time.monotonic() - began < 60
    assert load.failed == [] and load.answered > 10
    wanted, colour = (NEW, "green") if then == "resume" else (OLD, "blue")
    assert serving(machine) == wanted and machine.colours() == {colour} and machine.single_image() == wanted
    assert lease.look(machine.folder / "releases") is None


@pytest.mark.long
@pytest.mark.parametrize(("what", "step"), BACK[:-1])
def test_killed_at_a_step_of_its_way_back_it_is_taken_back(machine: LocalHost, what: str, step: str) -> None:
    begun(machine)
    with Load(machine.port) as load:
        killed(machine, "start", [BROKEN], what, step)
        assert resumed(machine).outcome == ROLLED_BACK
    assert load.failed == []
    assert serving(machine) == OLD and machine.colours() == {"blue"} and machine.single_image() == OLD


@pytest.mark.fault(25)
def test_a_cancelled_release_does_not_keep_the_next_one_from_its_lock(machine: LocalHost) -> None:
    """Its pipeline is gone and its process was killed: the lock is free, and what was begun is taken back."""
    begun(machine)
    killed(machine, "start", [NEW], BEGAN, "drain", "after")
    held = lease.look(machine.folder / "releases")
    assert held and held.owner == "a pipeline" and held.over()
    found = rollout.rollback(site_of(machine, **QUICK), machine, by="anna", tell=lambda _: None)
    assert found.outcome == ROLLED_BACK and "rolled back by anna" in found.why
    assert machine.served_by() == "blue"
    again = rollout.start(site_of(machine, **QUICK), machine, NEW, by="anna", tell=lambda _: None)
    assert again.outcome == FINISHED and Path(again.path).exists()
