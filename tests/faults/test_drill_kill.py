"""A drill killed at any moment leaves the live service untouched, and the next one succeeds.

Killed with SIGKILL, which nothing can catch: everything at once, its command alone, the notebook's kernel, and the
restored server.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from leitstand.backups.catalogue import list_drills
from leitstand.backups.operations import run_backup
from leitstand.db.engine import transaction
from leitstand.runbooks import documents
from leitstand.runbooks.drills import run_drill
from leitstand.settings import REPOSITORY, Settings
from tests.source import Source
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
WAIT_SECONDS = 240
DATA_CHECKS = "drill.check_data()"


@pytest.fixture(scope="module")
def quick(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The drill without the data checks, whose engine alone takes a quarter of a minute; it restores an increment."""
    run_backup(source.engine, source.settings, "postgres")
    assert run_backup(source.engine, source.settings, "postgres").level == "incremental"
    original = source.settings.notebooks_dir / "restore-drills" / "dr010-postgres-latest.ipynb"
    notebook = documents.read(original)
    notebook.cells = [cell for cell in notebook.cells if cell.source != DATA_CHECKS]
    folder = tmp_path_factory.mktemp("notebooks") / "restore-drills"
    folder.mkdir()
    (folder / original.name).write_text(documents.dumps(notebook))
    return source.settings.model_copy(update={"notebooks_dir": folder.parent})


class Running:
    """`leitstand drill run` as a process group of its own."""

    def __init__(self, source: Source, settings: Settings, log: Path, name: str = "postgres-latest") -> None:
        self.log = log
        environment = source.environment() | {"LEITSTAND_NOTEBOOKS_DIR": str(settings.notebooks_dir)}
        argv = [sys.executable, "-m", "leitstand", "drill", "run", name, "--json"]
        with log.open("w") as said:
            self.process = subprocess.Popen(
                argv,
                cwd=REPOSITORY,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                start_new_session=True,
            )

    def wait_for_step(self, title: str) -> None:
        wait_until(
            lambda: title in self.log.read_text() or self.process.poll() is not None, limit=WAIT_SECONDS
        )
        assert title in self.log.read_text(), self.log.read_text()

    def find(self, word: str) -> psutil.Process:
        """The process of this drill whose command line has `word`."""

        def found() -> list[psutil.Process]:
            return [process for process in self.family() if any(word in part for part in words_of(process))]

        return wait_until(found)[0]

    def family(self) -> list[psutil.Process]:
        """The drill, first: it must not see the end of what it started, which follows."""
        drill = psutil.Process(self.process.pid)
        return [drill, *drill.children(recursive=True)]

    def kill(self, spared: Collection[psutil.Process] = ()) -> None:
        """End all of it at once; a tool that ended of its own accord a moment before is dead too."""
        for process in (one for one in self.family() if one not in spared):
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def close(self) -> None:
        """Leave nothing of it, whatever the test came to."""
        if self.process.poll() is None:
            self.kill()
        self.process.wait()

    def document(self) -> Any:
        output, _ = self.process.communicate(timeout=WAIT_SECONDS)
        return json.loads(output)


def words_of(process: psutil.Process) -> list[str]:
    """Its command line; none of a process that has just ended."""
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


@pytest.fixture
def running(source: Source, quick: Settings, tmp_path: Path) -> Iterator[Running]:
    drill = Running(source, quick, tmp_path / "said.log")
    yield drill
    drill.close()


@pytest.fixture(autouse=True)
def live_service_stays(source: Source) -> Iterator[None]:
    """The same server, with the same rows, before and after."""
    before = (source.one("SELECT pg_postmaster_start_time()"), source.one("SELECT count(*) FROM workspace"))
    yield
    assert (
        source.one("SELECT pg_postmaster_start_time()"),
        source.one("SELECT count(*) FROM workspace"),
    ) == before
    assert source.one("SELECT count(*) FROM pg_replication_slots") == 0


def assert_the_next_succeeds(source: Source, quick: Settings, killed: int = 1) -> None:
    result = run_drill(source.engine, quick, "postgres-latest")
    assert result.ok, result.error
    with transaction(source.engine) as session:
        statuses = [drill.status for drill in list_drills(session, limit=killed + 1)]
    assert statuses == ["passed"] + ["failed"] * killed
    assert list((source.settings.data_dir / "scratch").iterdir()) == []
    assert not [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(source.settings.data_dir / "scratch") in word for word in process.info["cmdline"] or [])
    ]


# One moment in every run of the suite, the others in `./run test long`.
STEPS = (
    "Restore",
    *(
        pytest.param(step, marks=pytest.mark.long)
        for step in (
            "Identity of source and target",
            "Start and recovery",
            "Known rows and counts",
            "Clean-up",
            "archiving the evidence",
        )
    ),
)


@pytest.mark.fault(20)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.long
def test_everything_killed_at_once(source: Source, quick: Settings, running: Running, step: str) -> None:
    running.wait_for_step(step)
    running.kill()
    assert running.process.wait(30) == -signal.SIGKILL
    assert_the_next_succeeds(source, quick)


@pytest.mark.long
@pytest.mark.parametrize("step", ["Restore", "Known rows and counts"])
def test_the_command_alone_killed(source: Source, quick: Settings, running: Running, step: str) -> None:
    """What it started ends by itself or is ended by the next drill; it never works on beside that."""
    running.wait_for_step(step)
    kernel = running.find("ipykernel_launcher")
    os.kill(running.process.pid, signal.SIGKILL)
    running.process.wait()
    assert_the_next_succeeds(source, quick)
    assert psutil.wait_procs([kernel], timeout=30)[1] == []


@pytest.mark.fault(20, 26)
@pytest.mark.long
def test_the_kernel_killed(source: Source, quick: Settings, running: Running) -> None:
    """The failure is noticed, and what there is of the notebook is archived."""
    running.wait_for_step("Start and recovery")
    running.find("ipykernel_launcher").kill()
    document = running.document()
    assert document["ok"] is False and document["error"]
    assert document["notebook"].startswith("s3://")
    assert_the_next_succeeds(source, quick)


@pytest.mark.fault(20)
@pytest.mark.long
def test_the_restored_server_killed(source: Source, quick: Settings, running: Running) -> None:
    running.wait_for_step("Start and recovery")
    server = wait_until(
        lambda: [
            process
            for process in running.family()
            if Path((words_of(process) or ["-"])[0]).name == "postgres"
        ]
    )[0]
    server.kill()
    document = running.document()
    assert document["ok"] is False and document["error"]
    assert_the_next_succeeds(source, quick)


@pytest.mark.long
def test_interrupted_from_the_keyboard(source: Source, quick: Settings, running: Running) -> None:
    running.wait_for_step("Restore")
    os.killpg(running.process.pid, signal.SIGINT)
    assert running.process.wait(60) != 0
    assert_the_next_succeeds(source, quick)


@pytest.mark.long
def test_the_whole_drill_succeeds_after_all_that(source: Source, quick: Settings) -> None:
    result = run_drill(source.engine, source.settings, "postgres-latest")
    assert result.ok, result.error
