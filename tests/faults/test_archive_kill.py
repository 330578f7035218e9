"""An archiving that is killed at any step: every event is in the table or in the archive, in one of them, and counted once."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.db.models import Workspace
from leitstand.errors import Conflict
from leitstand.events.archive.moving import archive, restore
from leitstand.events.archive.parts import list_parts
from leitstand.settings import Settings
from tests.integration.events.archiving import LATER
from tests.integration.events.support import count, event, facts_of, imported, write_csv

MONTHS, EVENTS = 6, 12_000
STEPS = ("contents.write", "objects.upload", "_read_back", "_drop", "_record", "objects.tidy")
# Kills its own process when the archiving comes to a step for the n-th time, before or after it.
KILLER = """
import os, signal, sys
from datetime import datetime
from leitstand.db.engine import get_engine
from leitstand.events.archive import contents, moving, objects
from leitstand.settings import get_settings

step, turn, when = sys.argv[1], int(sys.argv[2]), sys.argv[3]
owner, name = (globals()[step.split(".")[0]], step.split(".")[1]) if "." in step else (moving, step)
really, turns = getattr(owner, name), 0

def die(*given, **named):
    global turns
    turns += 1
    if turns == turn and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    done = really(*given, **named)
    if turns == turn:
        os.kill(os.getpid(), signal.SIGKILL)
    return done

setattr(owner, name, die)
moving.archive(get_engine(), get_settings(), now=datetime.fromisoformat(sys.argv[4]))
"""


@pytest.fixture
def filled(engine: Engine, workspace: Workspace, tmp_path: Path) -> UUID:
    """Half a year of old events."""
    rows = [
        event(f"r{place % 900}", f"step {place % 7}", f"2023-0{1 + place % MONTHS}-05T{place % 24:02}:00:{place % 60:02}Z", seq=str(place))
        for place in range(EVENTS)
    ]  # fmt: skip
    imported(engine, workspace.id, write_csv(tmp_path / "events.csv", rows), complete=["step 3"])
    return workspace.id


def kept(engine: Engine, workspace_id: UUID) -> int:
    """The events of the table and of the archive together."""
    with Session(engine) as session:
        archived = sum(part.rows for part in list_parts(session) if not part.restored_at)
    return count(engine, "event", workspace_id) + archived


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", pytest.param("after", marks=pytest.mark.long)])
def test_killed_at_every_step_it_goes_on(engine: Engine, settings: Settings, filled: UUID, when: str) -> None:
    before = facts_of(engine, filled)
    for step in STEPS:
        turn = "1" if step == "objects.tidy" else "2"
        done = subprocess.run([sys.executable, "-c", KILLER, step, turn, when, LATER.isoformat()], check=False, capture_output=True)  # fmt: skip
        assert done.returncode in (-signal.SIGKILL, 0), done.stderr
        assert kept(engine, filled) == EVENTS
    finish(engine, settings)
    assert (count(engine, "event", filled), kept(engine, filled)) == (0, EVENTS)
    assert facts_of(engine, filled) == before
    for month in range(1, MONTHS + 1):
        restore(engine, settings, month=LATER.date().replace(year=2023, month=month, day=1))
    assert count(engine, "event", filled) == EVENTS
    with Session(engine) as session:
        assert session.scalar(text("SELECT count(DISTINCT event_id) FROM event")) == EVENTS


def finish(engine: Engine, settings: Settings) -> None:
    """Archive the rest, as soon as the server has noticed that the killed process is gone."""
    for _ in range(50):
        try:
            archive(engine, settings, now=LATER)
        except Conflict:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the lock of the killed process was never let go")


@pytest.mark.slow
@pytest.mark.long
def test_killed_at_any_moment_it_goes_on(engine: Engine, settings: Settings, filled: UUID) -> None:
    before = facts_of(engine, filled)
    for _ in range(10):
        argv = [sys.executable, "-c", KILLER, "objects.tidy", "99", "before", LATER.isoformat()]
        process = subprocess.Popen(argv, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(random.uniform(0.8, 3))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert kept(engine, filled) == EVENTS
    finish(engine, settings)
    assert (count(engine, "event", filled), kept(engine, filled)) == (0, EVENTS)
    assert facts_of(engine, filled) == before
