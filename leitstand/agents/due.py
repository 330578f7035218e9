"""The schedules whose instant has come, begun: each once, in a transaction of its own."""

from datetime import UTC, datetime

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leitstand.agents import apps, schedules
from leitstand.db.engine import transaction
from leitstand.db.models import AppSchedule
from leitstand.errors import LeitstandError, NotFound
from leitstand.identity.standing import principal_of
from leitstand.telemetry.logs import get_logger
from leitstand.words import N_

GONE = N_("Whoever set it can't work in this workspace any more.")
log = get_logger("agents")


def begin_due(engine: Engine, *, now: datetime | None = None) -> int:
    """Begin every schedule that is due, in all workspaces; how many were looked at.

    A schedule and its thread are written together, and the next instant with them: what is killed in between has begun
    nothing, and whoever comes second finds an instant that is still to come. Instants that were missed are made up for
    by one run.
    """
    now, count = now or datetime.now(UTC), 0
    while _begin_one(engine, now):
        count += 1
    return count


def _begin_one(engine: Engine, now: datetime) -> bool:
    with transaction(engine) as session:
        query = select(AppSchedule).where(AppSchedule.next_at <= now).order_by(AppSchedule.next_at)
        found = session.scalar(query.limit(1).with_for_update(skip_locked=True))
        if found is None:
            return False
        found.problem = _begun(session, found)
        if found.problem == GONE:
            found.next_at = None
        else:
            schedules.plan(session, found, after=now)
        if found.problem:
            log.warning("app not begun", schedule=str(found.id), problem=found.problem)
        return True


def _begun(session: Session, schedule: AppSchedule) -> str:
    """Begin it; what is in the way, empty when nothing is."""
    instant = schedule.next_at
    person = principal_of(session, workspace_id=schedule.workspace_id, person_id=schedule.person_id)
    if person is None:
        return GONE
    try:
        with session.begin_nested():
            thread = apps.begin(
                session,
                principal=person,
                app_id=schedule.app_id,
                inputs=schedule.inputs,
                begun_by="schedule",
            )
    except NotFound:
        return N_("The app is gone, or its owner shares it with you no more.")
    except LeitstandError as error:
        return error.said
    schedule.last_at, schedule.last_thread = instant, thread.id
    return ""
