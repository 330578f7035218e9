"""Threads that nobody works on any more although they have not ended: their job failed for good, or is gone."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Engine

from leitstand.agents.keeping import Keeping
from leitstand.agents.starting import JOB
from leitstand.db.engine import transaction
from leitstand.jobs.lost import lost
from leitstand.jobs.queue import enqueue
from leitstand.telemetry.logs import get_logger
from leitstand.words import N_, joined

WAITING = "SELECT id FROM thread WHERE status IN ('queued', 'running')"
AGAIN = N_("Run it again.")
log = get_logger("agents")


@dataclass(frozen=True)
class PickedUp:
    """Threads that are worked on again, and threads that failed because their work did again and again."""

    again: list[UUID]
    failed: list[UUID]


def pick_up(engine: Engine) -> PickedUp:
    """Look after the threads of all workspaces that nobody works on."""
    with transaction(engine) as session:
        found = lost(session, waiting=WAITING, job=JOB, argument="thread_id")
        again = [one.id for one in found if not one.failed]
        for thread_id in again:
            enqueue(session, JOB, thread_id=thread_id)
    failed = [one for one in found if one.failed]
    for one in failed:
        Keeping(engine, one.id).lost(joined(one.said, AGAIN))
    if found:
        log.warning("threads without a worker", again=len(again), failed=len(failed))
    return PickedUp(again, [one.id for one in failed])
