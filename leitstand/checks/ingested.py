"""Checks of what events bring in, some minutes after they came in: once for however many batches come meanwhile."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from leitstand.checks.files import INGESTION
from leitstand.checks.history import last_duration
from leitstand.jobs.queue import enqueue_once

JOB = "operations.checks"
PAUSE = timedelta(minutes=5)
# So that checks of a large database take a tenth of the time at most.
SHARE = 10


def ask_for_checks(session: Session) -> int | None:
    """Have the queue worker run the suites that ingestion can violate; the number of the job, None where one waits."""
    pause = max(PAUSE, SHARE * last_duration(session, INGESTION))
    return enqueue_once(session, JOB, at=datetime.now(UTC) + pause, suite=INGESTION)
