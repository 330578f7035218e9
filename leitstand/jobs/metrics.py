"""Prometheus metrics of the queue, of its workers and of the flows, read from the database when they are asked for."""

from collections.abc import Iterable
from datetime import UTC, datetime

from prometheus_client import Counter, Histogram, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.db.figures import DatabaseCollector
from leitstand.db.models import FlowExecution, Heartbeat
from leitstand.errors import LeitstandError
from leitstand.jobs.flow_executions import RUNNING
from leitstand.jobs.listing import queue_figures
from leitstand.jobs.prefect_api import PrefectApi
from leitstand.settings import Settings, get_settings

# A scrape has ten seconds for everything.
PREFECT_SECONDS = 2.0
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


class QueueCollector(DatabaseCollector):
    """Waiting, running and failed jobs, the age of the oldest that could run, and the workers' last signs of life."""

    def families(self, session: Session) -> Iterable[Metric]:
        figures = queue_figures(session)
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
        beats = GaugeMetricFamily(
            "leitstand_heartbeat_timestamp_seconds",
            "When any process of a service last gave a sign of life.",
            labels=["service"],
        )
        last = select(Heartbeat.service, func.max(Heartbeat.at)).group_by(Heartbeat.service)
        for service, at in session.execute(last).tuples():
            beats.add_metric([service], at.timestamp())
        yield beats


class FlowsCollector(DatabaseCollector):
    """For how long flows run already, by what we keep of them."""

    def families(self, session: Session) -> Iterable[Metric]:
        seconds = func.extract("epoch", func.now() - func.min(FlowExecution.started_at))
        running = select(FlowExecution.flow, seconds).where(FlowExecution.status == RUNNING)
        family = GaugeMetricFamily(
            "leitstand_flow_running_seconds",
            "For how long the oldest unfinished execution of a flow has run.",
            labels=["flow"],
        )
        for flow, age in session.execute(running.group_by(FlowExecution.flow)).tuples():
            family.add_metric([flow], float(age))
        yield family


class PrefectCollector(Collector):
    """Runs that stay in a state which they should leave within a minute, by what Prefect says."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings
        self.api: PrefectApi | None = None

    def describe(self) -> Iterable[Metric]:
        """No families: so that registering it asks nobody."""
        return []

    def collect(self) -> Iterable[Metric]:
        """The ages of now; none while Prefect does not answer, which another alert tells."""
        self.api = self.api or PrefectApi(self.settings or get_settings(), timeout=PREFECT_SECONDS)
        try:
            ages = self.api.waiting_seconds(datetime.now(UTC))
        except LeitstandError:
            return
        family = GaugeMetricFamily(
            "leitstand_prefect_run_waiting_seconds",
            "For how long the oldest run is late, pending or being cancelled.",
            labels=["state"],
        )
        for state, age in ages.items():
            family.add_metric([state], age)
        yield family
