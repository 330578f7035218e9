"""The queue worker: runs jobs in threads, shows that it lives, takes back what dead workers left.

It is started by a process entry that also answers /livez, /readyz and /metrics (serving/worker.py).
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import procrastinate
import psycopg
from procrastinate.exceptions import ProcrastinateException
from procrastinate.jobs import Job as QueuedJob
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from procrastinate.worker import Worker
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from leitstand.db.engine import transaction
from leitstand.jobs import heartbeat
from leitstand.jobs.execution import Executor
from leitstand.jobs.failures import wait_before_next
from leitstand.jobs.metrics import TAKEN_BACK
from leitstand.jobs.recovery import forget_old, requeue, requeue_stalled
from leitstand.jobs.registry import AGENTS_QUEUE, QUEUES, VECTORS_QUEUE, Job, registered
from leitstand.services import WORKER
from leitstand.settings import Settings
from leitstand.telemetry.logs import get_logger

CONCURRENCY, CONCURRENCY_OF_AGENTS = 3, 4
# One that catches up, and one for a document that has just come. They are the processor's work alone.
CONCURRENCY_OF_VECTORS = 2
SPARE_THREADS = 3
HEARTBEAT_SECONDS = 10.0
QUEUE_HEARTBEAT_SECONDS = 5.0
# New jobs announce themselves; this is for those that wait for their next attempt.
POLL_SECONDS = 1.0
FORGET_EVERY_SECONDS = 3600.0
RECONNECT_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
POOL_SIZE = 3
CONNECT_SECONDS = 5
# A queue that nothing is ever put into: the jobs of a restored copy are its original's to do.
REHEARSED = "rehearsed"
KNOWN = text("SELECT count(*) FROM procrastinate_workers WHERE id = ANY(CAST(:ids AS bigint[]))")
log = get_logger("jobs")


class BackOff(BaseRetryStrategy):
    """procrastinate's question whether to try again, answered by `failures.wait_before_next`."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def get_retry_decision(self, *, exception: BaseException, job: QueuedJob) -> RetryDecision | None:
        """When to try again, None for never."""
        wait = wait_before_next(
            exception, attempt=job.attempts + 1, attempts=self.job.attempts, first_wait=self.job.first_wait
        )
        return None if wait is None else RetryDecision(retry_at=datetime.now(UTC) + timedelta(seconds=wait))


class QueueWorker:
    """One worker process's work.

    Args:
        engine: the database of the jobs' records.
        settings: where the queue is.
        concurrency: jobs at one time; those of agents and of vectors are counted for themselves.
    """

    def __init__(self, engine: Engine, settings: Settings, *, concurrency: int = CONCURRENCY) -> None:
        self.engine = engine
        self.settings = settings
        self.concurrency = concurrency
        self.instance = f"{socket.gethostname()}-{os.getpid()}"
        self.working = False
        self.executor = Executor(engine)
        self._stopping = asyncio.Event()
        # One for each queue, with an id of its own among the queue's workers.
        self._lanes: list[Worker] = []
        self._forgotten_at = 0.0

    @property
    def known_as(self) -> list[int]:
        """The ids that the queue knows this worker by, one for each of its queues that it has begun to work on."""
        return [lane.worker_id for lane in self._lanes if lane.worker_id is not None]

    async def run(self) -> None:
        """Work until `stop`; a database that goes away is waited for."""
        # Each job has a thread, and the heartbeat finds one however many jobs there are.
        threads = self.concurrency + CONCURRENCY_OF_AGENTS + CONCURRENCY_OF_VECTORS + SPARE_THREADS
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(threads, "jobs"))
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                await self._work()
            except (ProcrastinateException, psycopg.Error, OSError) as error:
                log.warning("the queue does not answer", error=type(error).__name__)
            failures = 0 if time.monotonic() - began > RECONNECT_SECONDS[-1] else failures + 1
            await self._pause(RECONNECT_SECONDS[min(failures, len(RECONNECT_SECONDS) - 1)])

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _work(self) -> None:
        app = build_app(self.settings, self.executor)
        async with app.open_async():
            if self._stopping.is_set():
                return
            self._lanes = [self._lane(app, queue) for queue in self._queues()]
            maintenance = asyncio.create_task(self._maintain())
            self.working = True
            try:
                await self._run_lanes()
            finally:
                self.working = False
                maintenance.cancel()
                await asyncio.gather(maintenance, return_exceptions=True)

    def _queues(self) -> tuple[str, ...]:
        return (REHEARSED,) if self.settings.rehearsal else QUEUES

    def _lane(self, app: procrastinate.App, queue: str) -> Worker:
        own = {AGENTS_QUEUE: CONCURRENCY_OF_AGENTS, VECTORS_QUEUE: CONCURRENCY_OF_VECTORS}
        return Worker(
            app,
            queues=[queue],
            name=WORKER.name,
            concurrency=own.get(queue, self.concurrency),
            install_signal_handlers=False,
            fetch_job_polling_interval=POLL_SECONDS,
            update_heartbeat_interval=QUEUE_HEARTBEAT_SECONDS,
        )

    async def _run_lanes(self) -> None:
        """Run them until they stop; where one ends, the others do."""
        running = [asyncio.create_task(lane.run()) for lane in self._lanes]  # type: ignore[no-untyped-call]
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        self._leave_queue()
        await asyncio.gather(*running)

    def stop(self) -> None:
        """Take no further job; `run` ends when those that run have ended."""
        self._stopping.set()
        self._leave_queue()

    def _leave_queue(self) -> None:
        for lane in self._lanes:
            lane.stop()  # type: ignore[no-untyped-call]

    def give_back(self) -> list[int]:
        """Requeue what still runs, for a process that is about to exit, and give the numbers of those jobs."""
        left = sorted(self.executor.running)
        with transaction(self.engine) as session:
            requeue(session, left)
        return left

    def say_goodbye(self) -> None:
        """Take the heartbeat away."""
        with suppress(SQLAlchemyError), transaction(self.engine) as session:
            heartbeat.end(session, service=WORKER.name, instance=self.instance)

    async def _maintain(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self.maintain)
            except SQLAlchemyError as error:
                log.warning("no maintenance of the queue", error=type(error).__name__)
            await asyncio.sleep(HEARTBEAT_SECONDS)

    def maintain(self) -> None:
        """Write the heartbeat, take back stalled jobs, forget old ones; register afresh if the queue forgot this worker."""
        own = self.known_as
        with transaction(self.engine) as session:
            details: dict[str, object] = {"running": len(self.executor.running)}
            heartbeat.beat(session, service=WORKER.name, instance=self.instance, details=details)
            known = session.scalar(KNOWN, {"ids": own}) == len(own)
            taken = requeue_stalled(session, own_workers=own)
            if time.monotonic() - self._forgotten_at > FORGET_EVERY_SECONDS:
                forget_old(session)
                self._forgotten_at = time.monotonic()
        if taken:
            TAKEN_BACK.inc(len(taken))
            log.warning("took back the jobs of a dead worker", jobs=taken)
        if not known:
            # Another worker held this one for dead: the machine slept, or stood still.
            log.warning("the queue has forgotten this worker")
            self._leave_queue()


def build_app(settings: Settings, executor: Executor) -> procrastinate.App:
    """procrastinate's application with every registered job, each run by `executor`."""
    conninfo = (
        make_url(settings.database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    )
    options = {
        "options": "-c timezone=UTC",
        "application_name": "leitstand-worker",
        "connect_timeout": CONNECT_SECONDS,
    }
    connector = procrastinate.PsycopgConnector(
        conninfo=conninfo, kwargs=options, min_size=1, max_size=POOL_SIZE, timeout=2 * CONNECT_SECONDS
    )
    app = procrastinate.App(connector=connector)
    for job in registered().values():
        app.task(name=job.name, retry=BackOff(job), pass_context=True)(_task(job, executor))
    return app


def _task(job: Job, executor: Executor) -> Callable[..., None]:
    def run(context: procrastinate.JobContext, **arguments: object) -> None:
        executor.execute(job, int(context.job.id or 0), context.job.attempts + 1, arguments)

    return run
