"""The worker as a process: ready, measured, stopped in the middle of a job, killed in the middle of a job."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, text

from leitstand.db.engine import transaction
from leitstand.jobs.listing import JobRow, list_jobs
from leitstand.jobs.queue import enqueue
from leitstand.services import WORKER
from leitstand.settings import REPOSITORY, Settings
from tests.integration.jobs import work  # noqa: F401 - registers the jobs
from tests.services import free_base_port
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

LIMIT = 60.0


class Process:
    """One worker process."""

    def __init__(self, settings: Settings, folder: Path, grace: float) -> None:
        self.port = free_base_port()
        self.url = f"http://127.0.0.1:{self.port + WORKER.offset}"
        self.log = folder / f"worker-{self.port}.log"
        environment = {**os.environ, "LEITSTAND_PORT": str(self.port), "PYTHONPATH": str(REPOSITORY)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.jobs.run_worker", str(grace)],
                env=environment,
                stderr=log,
                cwd=folder,
            )
        wait_until(self.ready)

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.HTTPError:
            assert self.process.poll() is None, self.log.read_text()
            return False


@pytest.fixture
def start(settings: Settings, tmp_path: Path) -> Iterator[Callable[[float], Process]]:
    started: list[Process] = []

    def run(grace: float = 10) -> Process:
        started.append(Process(settings, tmp_path, grace))
        return started[-1]

    yield run
    for process in started:
        process.process.kill()
        process.process.wait()


def put(engine: Engine, name: str, /, **arguments: object) -> int:
    with transaction(engine) as session:
        return enqueue(session, name, **arguments)


def job(engine: Engine, number: int) -> JobRow:
    with transaction(engine) as session:
        return next(row for row in list_jobs(session) if row.id == number)


def test_answers_health_and_metrics_on_its_port(
    engine: Engine, start: Callable[..., Process], tmp_path: Path
) -> None:
    process = start()
    number = put(engine, "test.note", path=str(tmp_path / "out"))
    wait_until(lambda: job(engine, number).status == "succeeded")
    assert httpx.get(f"{process.url}/livez").json()["serviceId"] == "worker"
    assert set(httpx.get(f"{process.url}/readyz").json()["checks"]) == {"database", "queue"}
    metrics = httpx.get(f"{process.url}/metrics").text
    assert 'leitstand_job_attempts_total{job="test.note",outcome="succeeded"} 1.0' in metrics
    assert 'leitstand_jobs{state="failed"} 0.0' in metrics
    for figure in (
        "leitstand_conditions ",
        "leitstand_flow_running_seconds",
        'leitstand_backups_missing{kind="postgres"}',
    ):
        assert figure in metrics
    process.process.send_signal(signal.SIGTERM)
    assert process.process.wait(LIMIT) in {0, -signal.SIGTERM}
    assert '"worker stopped"' in process.log.read_text()


def test_a_job_that_outlives_the_grace_goes_back_to_the_queue_and_another_worker_ends_it(
    engine: Engine, start: Callable[..., Process], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    number = put(engine, "test.slow", path=str(out), seconds=3)
    first = start(0.2)
    wait_until(out.exists)
    first.process.send_signal(signal.SIGTERM)
    assert first.process.wait(LIMIT) == 0
    assert job(engine, number).status == "todo"
    assert "unfinished" in first.log.read_text()
    start()
    wait_until(lambda: job(engine, number).status == "succeeded")
    assert out.read_text().split() == ["began", "began", "ended"]


def test_a_job_of_a_killed_worker_is_taken_up_by_another(
    engine: Engine, start: Callable[..., Process], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    number = put(engine, "test.slow", path=str(out), seconds=3)
    first = start()
    wait_until(out.exists)
    first.process.kill()
    first.process.wait()
    assert job(engine, number).status == "doing"
    with engine.begin() as connection:  # half a minute passes
        connection.execute(
            text("UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - interval '40 seconds'")
        )
    start()
    wait_until(lambda: job(engine, number).status == "succeeded")
    assert out.read_text().split() == ["began", "began", "ended"]
    assert job(engine, number).reason == "The worker that ran it died."


def test_the_worker_outlives_a_database_that_cuts_its_connections(
    engine: Engine, start: Callable[..., Process], tmp_path: Path
) -> None:
    start()
    with engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    number = put(engine, "test.note", path=str(tmp_path / "out"))
    wait_until(lambda: job(engine, number).status == "succeeded")
