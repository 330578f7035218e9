"""Run one attempt of one job in the thread it was given, with its identity, its figures and its failure kept."""

import threading
import time

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from leitstand.db.engine import transaction
from leitstand.jobs.failures import keep, reason_of, wait_before_next
from leitstand.jobs.metrics import ATTEMPTS, DURATION
from leitstand.jobs.queue import IDENTITY
from leitstand.jobs.registry import Job
from leitstand.telemetry.context import bound
from leitstand.telemetry.logs import get_logger

log = get_logger("jobs")


class Executor:
    """Runs jobs and knows which run."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._running: dict[int, str] = {}
        self._lock = threading.Lock()

    @property
    def running(self) -> dict[int, str]:
        """Number and name of the jobs that are being run now."""
        with self._lock:
            return dict(self._running)

    def execute(self, job: Job, number: int, attempt: int, arguments: dict[str, object]) -> None:
        """Run one attempt; what the job raises is kept and raised again, for the queue to decide.

        Args:
            number: of the job in the queue.
            attempt: from 1.
            arguments: as they stand in the queue, with the identity of the work that enqueued it.
        """
        carried = arguments.pop(IDENTITY, None)
        origin: dict[str, str] = carried if isinstance(carried, dict) else {}
        with bound(
            origin.get("request_id"), origin.get("traceparent"), job=job.name, job_id=number, attempt=attempt
        ) as identity:
            began = time.perf_counter()
            self._enter(number, job.name)
            try:
                job.run(**arguments)
            except Exception as error:
                self._failed(job, number, attempt, error, identity["request_id"])
                raise
            finally:
                DURATION.labels(job.name).observe(time.perf_counter() - began)
                self._leave(number)
            ATTEMPTS.labels(job.name, "succeeded").inc()
            log.info("job done", ms=round((time.perf_counter() - began) * 1000, 1))

    def _enter(self, number: int, name: str) -> None:
        with self._lock:
            self._running[number] = name

    def _leave(self, number: int) -> None:
        with self._lock:
            self._running.pop(number, None)

    def _failed(self, job: Job, number: int, attempt: int, error: Exception, request_id: str) -> None:
        wait = wait_before_next(error, attempt=attempt, attempts=job.attempts, first_wait=job.first_wait)
        ATTEMPTS.labels(job.name, "failed" if wait is None else "retried").inc()
        log.error("job failed", again=wait is not None, exc_info=error)
        try:
            with transaction(self.engine) as session:
                keep(session, job_id=number, attempt=attempt, reason=reason_of(error), request_id=request_id)
        except SQLAlchemyError as problem:
            log.warning("the reason could not be kept", error=type(problem).__name__)
