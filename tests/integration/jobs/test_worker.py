"""The worker runs jobs, tries again, keeps failures, and ends gracefully."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from leitstand.db.engine import transaction
from leitstand.db.models import FlowExecution
from leitstand.jobs.heartbeat import beat, last_beat
from leitstand.jobs.listing import JobRow, list_jobs
from leitstand.jobs.metrics import FlowsCollector, PrefectCollector, QueueCollector
from leitstand.jobs.queue import enqueue
from leitstand.jobs.registry import AGENTS_QUEUE, QUEUES, job
from leitstand.jobs.worker import CONCURRENCY_OF_AGENTS, POLL_SECONDS, QueueWorker
from leitstand.settings import Settings
from leitstand.telemetry.context import bound
from tests.integration.jobs import work

ENDED = {"succeeded", "failed"}


def put(engine: Engine, name: str, /, **arguments: object) -> int:
    with transaction(engine) as session:
        return enqueue(session, name, **arguments)


def jobs(engine: Engine) -> dict[int, JobRow]:
    with transaction(engine) as session:
        return {job.id: job for job in list_jobs(session)}


def work_until(
    engine: Engine, settings: Settings, done: Callable[[], bool], limit: float = 30
) -> QueueWorker:
    """Run a worker until `done`, then stop it and wait for its end."""
    worker = QueueWorker(engine, settings)

    async def whole() -> None:
        task = asyncio.create_task(worker.run())
        async with asyncio.timeout(limit):
            while not await asyncio.to_thread(done):
                await asyncio.sleep(0.02)
        worker.stop()
        async with asyncio.timeout(limit):
            await task

    asyncio.run(whole())
    return worker


def all_ended(engine: Engine) -> Callable[[], bool]:
    return lambda: {job.status for job in jobs(engine).values()} <= ENDED


def test_a_job_runs_with_the_identity_of_who_asked_for_it(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with bound("request-12345678", "00-" + "a" * 32 + "-" + "b" * 16 + "-01"):
        number = put(engine, "test.note", path=str(out))
    work_until(engine, settings, all_ended(engine))
    line, request_id, traceparent = out.read_text().split()
    assert (line, request_id) == ("done", "request-12345678")
    assert traceparent.startswith("00-" + "a" * 32)
    assert jobs(engine)[number].status == "succeeded"


def test_a_failing_job_is_tried_again_and_succeeds(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    number = put(engine, "test.flaky", path=str(tmp_path / "out"), failures=2)
    work_until(engine, settings, all_ended(engine))
    job = jobs(engine)[number]
    assert (job.status, job.attempts) == ("succeeded", 3)
    assert job.reason == "The other side does not answer."


def test_a_job_that_never_succeeds_is_kept_as_failed_with_its_reason(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    number = put(engine, "test.flaky", path=str(tmp_path / "out"), failures=99)
    work_until(engine, settings, all_ended(engine))
    assert (jobs(engine)[number].status, jobs(engine)[number].attempts) == ("failed", 3)
    assert (tmp_path / "out").read_text() == "tried\n" * 3


def test_a_refusal_is_not_tried_again(engine: Engine, settings: Settings, tmp_path: Path) -> None:
    number = put(engine, "test.refused", path=str(tmp_path / "out"))
    work_until(engine, settings, all_ended(engine))
    assert (jobs(engine)[number].status, jobs(engine)[number].reason) == ("failed", "This can't be taken.")
    assert (tmp_path / "out").read_text() == "tried\n"


def test_wrong_arguments_and_unknown_names_fail_without_stopping_the_worker(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    wrong = put(engine, "test.refused", nonsense=1)
    unknown = put(engine, "test.note", path="x")
    with transaction(engine) as session:
        session.execute(
            text("UPDATE procrastinate_jobs SET task_name = 'gone.away' WHERE id = :id"), {"id": unknown}
        )
        session.execute(text("UPDATE procrastinate_jobs SET attempts = 4 WHERE id = :id"), {"id": wrong})
    good = put(engine, "test.note", path=str(tmp_path / "out"))
    work_until(engine, settings, all_ended(engine))
    found = jobs(engine)
    assert [found[number].status for number in (wrong, unknown, good)] == ["failed", "failed", "succeeded"]
    assert found[wrong].reason.startswith("TypeError")


def test_jobs_with_one_lock_run_one_after_the_other(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    for _ in range(3):
        put(engine, "test.alone", path=str(tmp_path / "out"), name="a")
    work_until(engine, settings, all_ended(engine))
    assert (tmp_path / "out").read_text().split() == ["began", "ended"] * 3


def test_a_stop_lets_the_running_job_finish(engine: Engine, settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "out"
    number = put(engine, "test.slow", path=str(out), seconds=0.5)
    work_until(engine, settings, lambda: out.exists() and out.read_text() == "began\n")
    assert out.read_text() == "began\nended\n"
    assert jobs(engine)[number].status == "succeeded"


def test_the_worker_shows_that_it_lives_and_says_goodbye(engine: Engine, settings: Settings) -> None:
    def beating() -> bool:
        with transaction(engine) as session:
            return last_beat(session, "worker") is not None

    worker = work_until(engine, settings, beating)
    worker.say_goodbye()
    assert not beating()


def test_a_worker_that_the_queue_forgot_registers_again(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    worker = QueueWorker(engine, settings)

    async def whole() -> None:
        task = asyncio.create_task(worker.run())
        async with asyncio.timeout(20):
            while len(worker.known_as) < len(QUEUES):
                await asyncio.sleep(0.02)
            with engine.begin() as connection:
                connection.execute(text("DELETE FROM procrastinate_workers"))
            await asyncio.to_thread(worker.maintain)
            number = await asyncio.to_thread(put, engine, "test.note", path=str(tmp_path / "out"))
            while (await asyncio.to_thread(jobs, engine))[number].status != "succeeded":
                await asyncio.sleep(0.02)
        worker.stop()
        await task

    asyncio.run(whole())


@job("test.minutes", queue=AGENTS_QUEUE)
def minutes(*, path: str) -> None:
    """Take long, as agents do, and as much as there is room for."""
    work.slow(path=path, seconds=3.0)


def test_what_takes_minutes_does_not_hold_up_the_rest(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    long = [
        put(engine, "test.minutes", path=str(tmp_path / "long")) for _ in range(CONCURRENCY_OF_AGENTS + 3)
    ]
    short = put(engine, "test.note", path=str(tmp_path / "out"))

    at_once = []

    def done() -> bool:
        found = jobs(engine)
        at_once.append([found[one].status for one in long].count("doing"))
        return found[short].status == "succeeded" and at_once[-1] > 0

    work_until(engine, settings, done)
    states = [jobs(engine)[one].status for one in long]
    assert "todo" in states, "the short one was done while some of them had not begun"
    assert max(at_once) <= CONCURRENCY_OF_AGENTS


def test_the_queues_figures_are_metrics(engine: Engine) -> None:
    put(engine, "test.note", path="x")
    samples = {
        (sample.name, sample.labels.get("state")): sample.value
        for family in QueueCollector(engine).collect()
        for sample in family.samples
    }
    assert samples["leitstand_jobs", "waiting"] == 1
    assert samples["leitstand_jobs", "failed"] == 0
    assert samples["leitstand_jobs_oldest_seconds", None] >= 0


def test_signs_of_life_and_running_flows_are_metrics(engine: Engine) -> None:
    begun = datetime.now(UTC) - timedelta(hours=2)
    with transaction(engine) as session:
        beat(session, service="worker", instance="here-1")
        for minutes, status in ((0, "running"), (30, "running"), (-600, "complete")):
            session.add(
                FlowExecution(
                    flow="backup-postgres",
                    scheduled_for=begun + timedelta(minutes=minutes),
                    started_at=begun + timedelta(minutes=minutes),
                    status=status,
                )
            )
    families = [*QueueCollector(engine).collect(), *FlowsCollector(engine).collect()]
    found = {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}
    now = datetime.now(UTC).timestamp()
    assert found["leitstand_heartbeat_timestamp_seconds", "worker"] == pytest.approx(now, abs=60)
    assert found["leitstand_flow_running_seconds", "backup-postgres"] == pytest.approx(7200, abs=60)


def test_metrics_are_silent_when_the_database_is_away(settings: Settings) -> None:
    from leitstand.db.engine import make_engine

    away = settings.model_copy(update={"database_url_override": "postgresql+psycopg://x:y@127.0.0.1:1/none"})
    assert list(QueueCollector(make_engine(away)).collect()) == []
    assert list(PrefectCollector(settings).collect()) == []


def test_logs_of_a_job_carry_its_request_id(
    engine: Engine, settings: Settings, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from leitstand.telemetry.logs import configure_logging

    configure_logging("worker")
    with bound("request-12345678"):
        number = put(engine, "test.note", path=str(tmp_path / "out"))
    work_until(engine, settings, all_ended(engine))
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    done = next(line for line in lines if line.get("event") == "job done")
    assert (done["request_id"], done["job_id"], done["job"], done["service"]) == (
        "request-12345678",
        number,
        "test.note",
        "worker",
    )


def test_a_restored_copy_beats_and_leaves_the_jobs_to_its_original(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    job = put(engine, "test.note", path=str(tmp_path / "out"))
    rehearsal = settings.model_copy(update={"rehearsal": True})
    worker = QueueWorker(engine, rehearsal)

    async def whole() -> None:
        task = asyncio.create_task(worker.run())
        async with asyncio.timeout(30):
            while not worker.working:
                await asyncio.sleep(0.02)
            await asyncio.sleep(2 * POLL_SECONDS)
        worker.stop()
        await task

    asyncio.run(whole())
    assert jobs(engine)[job].status == "todo" and not (tmp_path / "out").exists()
    with transaction(engine) as session:
        assert last_beat(session, "worker") is not None
