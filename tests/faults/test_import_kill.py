"""An import that is killed goes on where it was, and the figures are those of an import that was not."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.identity.workspaces import ensure_workspace
from leitstand.insights import report
from leitstand.insights.scope import resolve
from tests.integration.events.support import count, event, facts_of, imported, write_csv

LINES = 60_000
KILLS = 3
pytestmark = pytest.mark.slow


def command(path: Path, workspace: str) -> list[str]:
    arguments = [
        "events",
        "import",
        str(path),
        "--workspace",
        workspace,
        "--complete",
        "done",
        "--step",
        "ask",
        "done",
        "--json",
    ]
    return [sys.executable, "-m", "leitstand", *arguments]


def kill_in_the_middle(path: Path, engine: Engine, at_least: int) -> None:
    """Start the import and kill it once more than so many lines are written."""
    process = subprocess.Popen(command(path, "killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None and lines_done(engine) <= at_least:
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.2))
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def lines_done(engine: Engine) -> int:
    with Session(engine) as session:
        return session.execute(text("SELECT coalesce(max(lines_done), 0) FROM event_import")).scalar_one()


@pytest.mark.long
def test_a_killed_import_goes_on_and_ends_with_the_same_figures(engine: Engine, tmp_path: Path) -> None:
    chance = random.Random(5)
    rows = [
        event(
            f"run {place // 4}",
            ("open", "ask", "tell", "done")[place % 4],
            f"2026-0{1 + place % 3}-{1 + place % 27:02}T{place % 24:02}:{place % 60:02}:{chance.randint(0, 59):02}Z",
            actor_id=chance.choice(["", *(f"actor {number}" for number in range(500))]),
            flow_id=f"flow {place // 4 % 9}",
            seq=str(place % 4),
        )
        for place in range(LINES)
    ]
    rows += rows[:100]
    path = write_csv(tmp_path / "events.csv.gz", rows)
    for kill in range(KILLS):
        kill_in_the_middle(path, engine, kill * 10_000)
    resumed_from = lines_done(engine)
    done = subprocess.run(command(path, "killed"), capture_output=True, text=True, check=True)
    document = json.loads(done.stdout)
    assert 0 < resumed_from == document["resumed_from_line"] < LINES
    assert (document["accepted"], document["identical_lines"], document["duplicates"]) == (LINES, 100, 0)
    with Session(engine) as session, session.begin():
        whole = ensure_workspace(session, slug="whole").id
        killed = ensure_workspace(session, slug="killed").id
    imported(engine, whole, path, complete=["done"], steps=["ask", "done"])
    assert count(engine, "event", killed) == count(engine, "event", whole) == LINES
    assert facts_of(engine, killed) == facts_of(engine, whole)
    with Session(engine) as session:
        reports = [
            report.build(session, resolve(session, workspace_id=workspace)) for workspace in (killed, whole)
        ]
    assert reports[0] | {"as_of": ""} == reports[1] | {"as_of": ""}
