"""Whether a failed job is tried again, when, and what is kept about its failure."""

import random

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.db.models import JobFailure
from leitstand.errors import Conflict, Forbidden, InvalidInput, LeitstandError, NotFound
from leitstand.words import msg

# Trying again does not mend these.
PERMANENT = (InvalidInput, NotFound, Forbidden, Conflict)
LONGEST_WAIT_SECONDS = 600.0
REASON_SHOWN = 500


def wait_before_next(error: BaseException, *, attempt: int, attempts: int, first_wait: float) -> float | None:
    """Seconds until the next attempt, None when there is none.

    Args:
        attempt: the number of the attempt that failed, from 1.
        attempts: how many there are in all.
        first_wait: mean of the wait before the second; each further one is twice as long, up to ten minutes.
    """
    if isinstance(error, PERMANENT) or attempt >= attempts:
        return None
    mean = min(first_wait * 2.0 ** (attempt - 1), LONGEST_WAIT_SECONDS)
    return mean * random.uniform(0.5, 1.5)  # noqa: S311 - spreads retries, guards nothing


def reason_of(error: BaseException) -> str:
    """What people are shown: our own errors say what happened; any other may hold a secret, so only its class."""
    if isinstance(error, LeitstandError):
        return error.message if len(error.message) <= REASON_SHOWN else error.message[:REASON_SHOWN]
    return msg("{kind} (the log holds more, under this request id)", kind=type(error).__name__)


def keep(session: Session, *, job_id: int, attempt: int, reason: str, request_id: str) -> None:
    """Keep why an attempt failed; the same attempt's later word replaces its earlier."""
    statement = insert(JobFailure).values(
        job_id=job_id, attempt=attempt, reason=reason, request_id=request_id
    )
    changed = {"reason": reason, "request_id": request_id, "at": func.now()}
    session.execute(statement.on_conflict_do_update(index_elements=["job_id", "attempt"], set_=changed))
