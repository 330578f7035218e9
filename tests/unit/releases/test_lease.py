"""One release at a time, and no lock outlives who holds it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leitstand.errors import Conflict, Unavailable
from leitstand.releases import lease
from leitstand.settings import REPOSITORY

HOLD = """
import sys, time
from pathlib import Path
from leitstand.releases import lease
lease.take(Path(sys.argv[1]), "a pipeline", seconds=float(sys.argv[2]))
print("held", flush=True)
time.sleep(60)
"""


def holding(folder: Path, seconds: float) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-c", HOLD, str(folder), str(seconds)]
    process = subprocess.Popen(argv, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "held\n"
    return process


def test_the_second_is_told_who_and_until_when(tmp_path: Path) -> None:
    first = lease.take(tmp_path, "anna")
    with pytest.raises(Conflict, match="anna is releasing since"):
        lease.take(tmp_path, "bert")
    first.give_back()
    lease.take(tmp_path, "bert").give_back()
    assert lease.look(tmp_path) is None


@pytest.mark.fault(25)
def test_a_killed_release_leaves_no_lock_and_a_hanging_one_loses_it_in_time(tmp_path: Path) -> None:
    killed = holding(tmp_path, 3600)
    with pytest.raises(Conflict, match="a pipeline"):
        lease.take(tmp_path, "anna")
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    lease.take(tmp_path, "anna").give_back()
    hanging = holding(tmp_path, 0.5)
    try:
        time.sleep(0.6)
        lease.take(tmp_path, "bert")
        assert hanging.poll() is None, "it lives and has lost the lock all the same"
    finally:
        hanging.kill()
        hanging.wait()


def test_who_comes_back_too_late_does_nothing_more(tmp_path: Path) -> None:
    late = lease.take(tmp_path, "anna", seconds=-1)
    lease.take(tmp_path, "bert")
    with pytest.raises(Unavailable, match="bert"):
        late.renew(60)
    late.give_back()
    held = lease.look(tmp_path)
    assert held and held.owner == "bert", "and takes nothing away"


def test_a_lock_of_another_machine_is_held_until_its_end(tmp_path: Path) -> None:
    """Its process can't be looked at from here."""
    lease.take(tmp_path, "anna")
    path = tmp_path / lease.FILE
    elsewhere = json.loads(path.read_text()) | {"machine": "another", "pid": 1, "born": "0"}
    path.write_text(json.dumps(elsewhere))
    with pytest.raises(Conflict):
        lease.take(tmp_path, "bert")


def test_a_file_that_is_no_lock_is_none(tmp_path: Path) -> None:
    (tmp_path / lease.FILE).write_text("{")
    lease.take(tmp_path, "anna")
