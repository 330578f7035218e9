"""Schedules of apps: set, listed, switched and removed by whoever set them, or by whoever manages the workspace."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.agents import apps, cron, starting, threads
from leitstand.catalogue.items import get_item
from leitstand.db.models import AppSchedule, Person
from leitstand.errors import Conflict, Forbidden, NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, require, require_member, require_oneself
from leitstand.identity.workspaces import checked_zone
from leitstand.jobs.queue import enqueue_at
from leitstand.words import msg

JOB = "agents.scheduled"
MOST = 50


@dataclass(frozen=True)
class Row:
    """A schedule, and for whom it runs."""

    schedule: AppSchedule
    person: str
    mine: bool


def list_schedules(session: Session, *, principal: Principal, app_id: UUID) -> list[Row]:
    """An app's schedules that the principal may see: their own, and all for whoever manages the workspace.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is no such app that the principal may see.
    """
    get_item(session, principal=principal, item_id=app_id, kind="app")
    query = (
        select(AppSchedule, Person.name)
        .join(Person, Person.id == AppSchedule.person_id)
        .where(AppSchedule.workspace_id == principal.workspace_id, AppSchedule.app_id == app_id)
        .order_by(AppSchedule.id)
    )
    if not threads.sees_all(principal):
        query = query.where(AppSchedule.person_id == principal.person_id)
    return [Row(one, name, one.person_id == principal.person_id) for one, name in session.execute(query)]


def add(
    session: Session, *, principal: Principal, app_id: UUID, when: str, zone: str, inputs: dict[str, Any]
) -> AppSchedule:
    """Have an app run by the clock, for the principal and with what they may do at that moment.

    Args:
        when: cron with five fields.
        zone: an IANA name; empty: the principal's.

    Raises:
        Forbidden: without `item:write`, to people outside, to programs of nobody, or while acting as somebody else.
        NotFound: there is no such app that the principal may see.
        Conflict: the app can't be run, or has as many schedules as there may be.
        InvalidInput: cron, zone or an input does not fit.
    """
    starting.require_person(principal)
    require_member(principal)
    app = apps.read(session, principal=principal, app_id=app_id)
    zone = checked_zone(zone or principal.local_zone)
    when = cron.checked(when, zone)
    values = apps.checked(app, inputs)
    here = select(func.count()).where(
        AppSchedule.workspace_id == principal.workspace_id, AppSchedule.app_id == app_id
    )
    if (session.scalar(here) or 0) >= MOST:
        raise Conflict(msg("An app has at most {most} schedules.", most=MOST), hint="Remove one first.")
    made = AppSchedule(
        workspace_id=principal.workspace_id, app_id=app_id, person_id=principal.person_id, cron=when, zone=zone,
        inputs=values,
    )  # fmt: skip
    session.add(made)
    session.flush()
    plan(session, made, after=datetime.now(UTC))
    _record(session, principal, "app-schedule.create", made)
    return made


def switch(
    session: Session, *, principal: Principal, app_id: UUID, schedule_id: UUID, active: bool
) -> AppSchedule:
    """Let a schedule rest, or go on with its next instant.

    Raises:
        NotFound: there is no such schedule that the principal may see.
        Forbidden: without `item:read` and `item:write`; it goes on by the hand of whoever it runs for alone.
    """
    found = _held(session, principal, app_id, schedule_id)
    if active:
        require_oneself(principal)
        if found.person_id != principal.person_id:
            raise Forbidden(
                "It runs for somebody else: only they let it go on.", hint="Make a schedule of your own."
            )
        found.problem = ""
        plan(session, found, after=datetime.now(UTC))
    else:
        found.next_at = None
    session.flush()
    _record(session, principal, "app-schedule.resume" if active else "app-schedule.pause", found)
    return found


def remove(session: Session, *, principal: Principal, app_id: UUID, schedule_id: UUID) -> None:
    """Remove a schedule; its threads stay.

    Raises:
        NotFound: there is no such schedule that the principal may see.
        Forbidden: without `item:write`.
    """
    found = _held(session, principal, app_id, schedule_id)
    _record(session, principal, "app-schedule.remove", found)
    session.delete(found)
    session.flush()


def plan(session: Session, schedule: AppSchedule, *, after: datetime) -> None:
    """Set the next instant of a schedule, and have it begun then."""
    schedule.next_at = cron.next_instant(schedule.cron, schedule.zone, after=after)
    session.flush()
    if schedule.next_at:
        enqueue_at(session, JOB, at=schedule.next_at)


def _held(session: Session, principal: Principal, app_id: UUID, schedule_id: UUID) -> AppSchedule:
    require(principal, "item:read")
    require(principal, "item:write")
    query = select(AppSchedule).where(
        AppSchedule.workspace_id == principal.workspace_id,
        AppSchedule.app_id == app_id,
        AppSchedule.id == schedule_id,
    )
    if not threads.sees_all(principal):
        query = query.where(AppSchedule.person_id == principal.person_id)
    found = session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if found is None:
        raise NotFound("There is no such schedule.", hint="The app's page lists those that you may see.")
    return found


def _record(session: Session, principal: Principal, action: str, one: AppSchedule) -> None:
    after = {"app": str(one.app_id), "cron": one.cron, "zone": one.zone}
    audit.record(session, principal=principal, action=action, target=f"app-schedule:{one.id}", after=after)
