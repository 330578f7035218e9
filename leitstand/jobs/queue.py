"""Put a job into the queue, inside the caller's transaction: no commit, no job."""

import json
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from leitstand.errors import InvalidInput
from leitstand.jobs.registry import find
from leitstand.telemetry.context import current
from leitstand.words import msg

# Travels among a job's arguments, so no argument of a job may be called so.
IDENTITY = "_identity"

DEFER = text("""
    SELECT unnest(procrastinate_defer_jobs_v1(ARRAY[
        ROW(:queue, :name, 0, :lock, :once, CAST(:arguments AS jsonb), :at)::procrastinate_job_to_defer_v1
    ]))
""")
WAITING = text(
    "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE queueing_lock = :once AND status = 'todo')"
)


def enqueue(session: Session, name: str, /, **arguments: object) -> int:
    """Enqueue the job `name` and give its number; it exists once `session` is committed and not before.

    The request id and the trace of the work being done go with it, and are bound to its log lines when it runs.

    Args:
        arguments: JSON values, or UUIDs (which the job gets as text).

    Raises:
        NotFound: there is no such job.
        InvalidInput: an argument is no JSON value.
    """
    return _defer(session, name, arguments)


def enqueue_at(session: Session, name: str, /, *, at: datetime, **arguments: object) -> int:
    """Enqueue a job that begins at an instant, or later, and give its number.

    Raises:
        as `enqueue`.
    """
    return _defer(session, name, arguments, at=at)


def enqueue_once(session: Session, name: str, /, *, at: datetime, **arguments: object) -> int | None:
    """Enqueue a job that begins at an instant, or later, unless one of that name waits already; its number, or None.

    Raises:
        as `enqueue`.
    """
    # Two that ask at once must not both pass the question.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"once:{name}", 0))))
    if session.scalar(WAITING, {"once": name}):
        return None
    return _defer(session, name, arguments, once=name, at=at)


def _defer(
    session: Session,
    name: str,
    arguments: dict[str, object],
    *,
    once: str | None = None,
    at: datetime | None = None,
) -> int:
    job = find(name)
    lock = job.lock.format(**arguments) or None
    encoded = _encode(name, {**arguments, IDENTITY: current()})
    values = {"queue": job.queue, "name": name, "lock": lock, "once": once, "arguments": encoded, "at": at}
    return int(session.execute(DEFER, values).scalar_one())


def _encode(name: str, arguments: dict[str, object]) -> str:
    try:
        return json.dumps(arguments, default=_text_of_uuid, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            msg(
                "The job {name!r} was given an argument that is no JSON value: {error}.",
                name=name,
                error=error,
            )
        ) from error


def _text_of_uuid(value: object) -> str:
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not one")
