"""Put a job into the queue, inside the caller's transaction: no commit, no job."""

import json
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from leitstand.errors import InvalidInput
from leitstand.jobs.registry import find
from leitstand.telemetry.context import current

QUEUE = "default"
# Travels among a job's arguments, so no argument of a job may be called so.
IDENTITY = "_identity"

DEFER = text("""
    SELECT unnest(procrastinate_defer_jobs_v1(ARRAY[
        ROW(:queue, :name, 0, :lock, NULL, CAST(:arguments AS jsonb), NULL)::procrastinate_job_to_defer_v1
    ]))
""")


def enqueue(session: Session, name: str, /, **arguments: object) -> int:
    """Enqueue the job `name` and give its number; it exists once `session` is committed and not before.

    The request id and the trace of the work being done go with it, and are bound to its log lines when it runs.

    Args:
        arguments: JSON values, or UUIDs (which the job gets as text).

    Raises:
        NotFound: there is no such job.
        InvalidInput: an argument is no JSON value.
    """
    job = find(name)
    lock = job.lock.format(**arguments) or None
    encoded = _encode(name, {**arguments, IDENTITY: current()})
    return int(
        session.execute(
            DEFER, {"queue": QUEUE, "name": name, "lock": lock, "arguments": encoded}
        ).scalar_one()
    )


def _encode(name: str, arguments: dict[str, object]) -> str:
    try:
        return json.dumps(arguments, default=_text_of_uuid, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"The job {name!r} was given an argument that is no JSON value: {error}."
        ) from error


def _text_of_uuid(value: object) -> str:
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not one")
