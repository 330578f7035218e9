"""Runbook rb090 on a queue that is really stuck: a killed worker, and jobs that hang and hold every place."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from leitstand.db.engine import transaction
from leitstand.embedded.environment import Environment
from leitstand.embedded.queue_runbook import numbers_of
from leitstand.embedded.stop import wait_stopped
from leitstand.embedded.supervisor import Supervisor
from leitstand.errors import Conflict, InvalidInput
from leitstand.events.imports import digest
from leitstand.events.stuck import stopped_imports
from leitstand.jobs import mending
from leitstand.jobs.queue import enqueue
from leitstand.runbooks.drills import run_runbook
from leitstand.runbooks.results import DrillResult
from leitstand.services import WORKER
from leitstand.settings import REPOSITORY
from tests.integration.storage.proxy import CuttingProxy
from tests.source import Source, source
from tests.waiting import wait_until

__all__ = ["source"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
NAME = "queue-or-ingestion-stuck"


class StallingProxy(CuttingProxy):
    """A store that takes every question and, while it stalls, answers none."""

    def __init__(self, target: int) -> None:
        super().__init__(target, after=1 << 60, cuts=0)
        self.answering = threading.Event()

    def _downstream(self, source: socket.socket, target: socket.socket) -> None:
        self.answering.wait()
        super()._downstream(source, target)


@pytest.fixture(scope="module")
def store(source: Source) -> Iterator[StallingProxy]:
    port = int(source.settings.s3_url.rpartition(":")[2])
    with StallingProxy(port) as proxy:
        yield proxy
        proxy.answering.set()


@pytest.fixture(scope="module")
def variables(source: Source, store: StallingProxy) -> dict[str, str]:
    """What a worker sees: this source, and the store behind the proxy."""
    return {**source.environment(), "LEITSTAND_S3_ENDPOINT": f"http://127.0.0.1:{store.port}"}


@pytest.fixture(scope="module")
def supervisor(source: Source, variables: dict[str, str]) -> Iterator[Supervisor]:
    """A supervisor whose worker does not run yet."""
    supervisor = Supervisor(Environment(source.settings.data_dir, source.settings.port))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        supervisor.start()
    yield supervisor
    for known in (supervisor.states() or {}).values():
        if known.pid:
            os.kill(known.pid, signal.SIGKILL)
    supervisor.stop_services(WORKER.name)
    wait_stopped(supervisor, [WORKER.name])
    supervisor.shut_down()


def run(source: Source, parameters: dict[str, object], confirmed: str = "") -> DrillResult:
    return run_runbook(source.engine, source.settings, NAME, parameters, confirmed=confirmed)


def dry_and_real(source: Source, **parameters: object) -> tuple[DrillResult, DrillResult]:
    """What an operator does: a dry run, then what it prints."""
    dry = run(source, parameters)
    assert dry.ok, dry.error
    chosen = {name: value for name, value in dry.figures["given"].items() if value not in ("", False)}
    decision = {"dry_run": False, "plan_sha256": dry.figures["plan_sha256"], "decided_by": "Olga"}
    return dry, run(source, {**chosen, **decision}, confirmed=source.settings.environment)


def put(source: Source, name: str, /, **arguments: object) -> int:
    with transaction(source.engine) as session:
        return enqueue(session, name, **arguments)


def state(source: Source, number: int) -> mending.JobState:
    with transaction(source.engine) as session:
        return mending.find_job(session, number)


def test_a_job_of_a_killed_worker_is_released_and_run_once(
    source: Source, store: StallingProxy, variables: dict[str, str], supervisor: Supervisor
) -> None:
    number = put(source, "knowledge.forget", key="documents/of-a-killed-worker")
    with (source.settings.data_dir / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "serving.worker"], env=variables, cwd=REPOSITORY, stderr=log
        )
    wait_until(lambda: state(source, number).status == "doing")
    worker.kill()
    worker.wait()
    with transaction(source.engine) as session:  # half a minute passes
        session.execute(
            text("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '40 seconds'")
        )
        assert [one.orphaned for one in mending.running_jobs(session)] == [True]
    store.answering.set()

    dry, done = dry_and_real(source, restart_worker=True)
    assert [step["what"] for step in dry.figures["plan"]["steps"]] == ["start again", "release"]
    page = source.storage.get_bytes(*dry.html.removeprefix("s3://").split("/", 1)).decode()
    assert "its worker is dead" in page
    assert done.ok, done.error
    assert state(source, number).status == "succeeded"
    with transaction(source.engine) as session:
        events = session.scalars(
            text("SELECT type::text FROM procrastinate_events WHERE job_id = :id ORDER BY id"), {"id": number}
        ).all()
    assert (events.count("started"), events.count("succeeded")) == (2, 1)


@pytest.mark.long
def test_jobs_that_hang_are_cancelled_and_the_others_run(
    source: Source, store: StallingProxy, supervisor: Supervisor
) -> None:
    store.answering.clear()
    poison = [put(source, "knowledge.forget", key=f"documents/poison-{number}") for number in range(3)]
    wait_until(lambda: all(state(source, number).status == "doing" for number in poison))
    blocked = put(source, "events.fill_facts")
    chosen = " ".join(map(str, poison))
    dry, done = dry_and_real(source, cancel=chosen, restart_worker=True)
    assert dry.figures["plan"]["steps"][0]["on"] == f"job {poison[0]}: knowledge.forget"
    assert done.ok, done.error
    assert state(source, blocked).status == "succeeded"
    assert {state(source, number).status for number in poison} <= {"failed", "aborted", "cancelled"}
    with transaction(source.engine) as session:
        said = session.scalars(
            text("SELECT target FROM audit_entry WHERE action = 'job.cancel' ORDER BY id")
        ).all()
    assert said == [f"job:{number}" for number in poison]


def test_an_import_that_nobody_goes_on_with_is_named(source: Source, tmp_path: Any) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text("{}\n")
    source.execute(
        "INSERT INTO event_import (id, workspace_id, file_name, file_sha256, file_bytes, log_id, options, lines_done)"
        f" SELECT uuidv7(), id, 'events.jsonl', '{digest(file)}', 3, uuidv7(), '{{}}', 7 FROM workspace LIMIT 1"
    )
    key_of = "SELECT workspace_id || ':' || file_sha256 FROM event_import WHERE file_name = 'events.jsonl'"
    with transaction(source.engine) as session:
        assert [(one.file, one.lines_done) for one in stopped_imports(session)] == [("events.jsonl", 7)]
    with source.engine.connect() as importer, transaction(source.engine) as session:
        lock = text("SELECT pg_try_advisory_lock(hashtextextended(:key, 2))")
        assert importer.scalar(lock, {"key": source.one(key_of)}) is True, "looking leaves no lock behind"
        assert stopped_imports(session) == [], "somebody goes on with it"


def test_a_job_that_ended_is_not_cancelled(source: Source) -> None:
    with transaction(source.engine) as session:  # no worker sees it before the end of the transaction
        number = enqueue(session, "events.fill_facts")
        assert mending.cancel_job(session, number) == "cancelled"
    with pytest.raises(Conflict, match="cancelled already"), transaction(source.engine) as session:
        mending.cancel_job(session, number)


@pytest.mark.parametrize(
    ("given", "numbers"), [("", []), ("none", []), ("dead", [3]), ("1, 2", [1, 2]), ("7 8", [7, 8])]
)
def test_jobs_are_named_by_numbers_or_a_word(given: str, numbers: list[int]) -> None:
    assert numbers_of(given, {"dead": [3]}) == numbers


@pytest.mark.parametrize("given", ["failed", "1;2", "-1", "1 or 2"])
def test_anything_else_names_no_jobs(given: str) -> None:
    with pytest.raises(InvalidInput):
        numbers_of(given, {"dead": [3]})
