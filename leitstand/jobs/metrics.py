"""Prometheus metrics of the queue, read from the database when they are asked for."""

from collections.abc import Iterable
from functools import lru_cache

from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from leitstand.db.engine import get_engine, transaction
from leitstand.jobs.listing import queue_figures

ATTEMPTS = Counter(
    "leitstand_job_attempts_total",
    "Attempts of jobs that ended, by outcome (succeeded, retried, failed).",
    ["job", "outcome"],
)
DURATION = Histogram(
    "leitstand_job_duration_seconds",
    "Time one attempt of a job took.",
    ["job"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600),
)
TAKEN_BACK = Counter("leitstand_jobs_taken_back_total", "Jobs taken back from workers that died.")


class QueueCollector(Collector):
    """Waiting, running and failed jobs, and the age of the oldest that could run."""

    def __init__(self, engine: Engine | None = None) -> None:
        self.engine = engine

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """No families: so that registering it asks the database nothing."""
        return []

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The figures of now; none while the database does not answer."""
        try:
            with transaction(self.engine or get_engine()) as session:
                figures = queue_figures(session)
        except SQLAlchemyError:
            return
        jobs = GaugeMetricFamily("leitstand_jobs", "Jobs in the queue.", labels=["state"])
        for state, count in (
            ("waiting", figures.waiting),
            ("running", figures.running),
            ("failed", figures.failed),
        ):
            jobs.add_metric([state], count)
        yield jobs
        yield GaugeMetricFamily(
            "leitstand_jobs_oldest_seconds",
            "How long the oldest job that could run has waited.",
            value=figures.oldest_seconds,
        )


@lru_cache(maxsize=1)
def install() -> None:
    """Add the queue's figures to this process's metrics, once."""
    REGISTRY.register(QueueCollector())
