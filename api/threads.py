"""Threads of agents: begun, followed, cancelled, repeated, approved; apps run by hand and by the clock."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response, status

from api.items.filters import PAGE_SIZE, Limit
from api.moments import Instant
from api.thread_models import (
    AppRunIn,
    LimitsOut,
    ScheduleChange,
    ScheduleIn,
    ScheduleOut,
    StepOut,
    ThreadFull,
    ThreadIn,
    ThreadOut,
    ThreadPage,
)
from leitstand.agents import apps, schedules, starting, threads
from leitstand.db.models import AppSchedule, Thread
from leitstand.identity.access import Principal
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(tags=["threads"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]
MADE = status.HTTP_201_CREATED


def _wanted(
    status: Annotated[str, Query(description=f"One of: {', '.join(threads.STATUSES)}.")] = "",
    agent: UUID | None = None,
    app: UUID | None = None,
    person: Annotated[UUID | None, Query(description="For whom they work.")] = None,
    since: Instant | None = None,
    until: Instant | None = None,
) -> threads.Filters:
    """The filters of a request."""
    return threads.Filters(status, agent, app, person, since, until)


@router.get("/threads")
def list_threads(
    session: Db,
    principal: CurrentPrincipal,
    filters: Annotated[threads.Filters, Depends(_wanted)],
    cursor: str | None = None,
    limit: Limit = PAGE_SIZE,
) -> ThreadPage:
    """Your own, and those of everybody where you manage the workspace; the newest first."""
    found = threads.find(session, principal=principal, filters=filters, cursor=cursor, limit=limit)
    return ThreadPage(items=[ThreadOut(**_told(row)) for row in found.rows], next=found.cursor)


@router.get("/threads/{thread_id}")
def get_thread(session: Db, principal: CurrentPrincipal, thread_id: UUID) -> ThreadFull:
    """One with its output and its steps, as far as they have come."""
    return _full(session, principal, thread_id)


@router.post("/threads/{thread_id}/cancel", dependencies=CSRF)
def cancel_thread(session: Db, principal: CurrentPrincipal, thread_id: UUID) -> ThreadFull:
    """End it: at once where it waits, else as soon as the worker sees that."""
    starting.cancel(session, principal=principal, thread_id=thread_id)
    return _full(session, principal, thread_id)


@router.post("/threads/{thread_id}/retry", status_code=MADE, dependencies=CSRF)
def retry_thread(session: Db, principal: CurrentPrincipal, thread_id: UUID, response: Response) -> ThreadFull:
    """Do what an ended one was given once more, as a new thread of your own."""
    return _made(session, principal, apps.retry(session, principal=principal, thread_id=thread_id), response)


@router.post("/threads/{thread_id}/steps/{step_id}/approve", dependencies=CSRF)
def approve_step(session: Db, principal: CurrentPrincipal, thread_id: UUID, step_id: UUID) -> ThreadFull:
    """Let a tool be used that waits for approval."""
    starting.decide(session, principal=principal, thread_id=thread_id, step_id=step_id, approve=True)
    return _full(session, principal, thread_id)


@router.post("/threads/{thread_id}/steps/{step_id}/refuse", dependencies=CSRF)
def refuse_step(session: Db, principal: CurrentPrincipal, thread_id: UUID, step_id: UUID) -> ThreadFull:
    """Let a tool not be used; the agent is told so."""
    starting.decide(session, principal=principal, thread_id=thread_id, step_id=step_id, approve=False)
    return _full(session, principal, thread_id)


@router.post("/agents/{item_id}/threads", status_code=MADE, dependencies=CSRF)
def begin_thread(
    session: Db, principal: CurrentPrincipal, item_id: UUID, asked: ThreadIn, response: Response
) -> ThreadFull:
    """Ask an agent; a worker takes the thread up at once."""
    limits = asked.limits.model_dump(exclude_none=True)
    thread = starting.begin(session, principal=principal, agent_id=item_id, text=asked.text, limits=limits)
    return _made(session, principal, thread, response)


@router.post("/apps/{item_id}/runs", status_code=MADE, dependencies=CSRF)
def run_app(
    session: Db, principal: CurrentPrincipal, item_id: UUID, given: AppRunIn, response: Response
) -> ThreadFull:
    """Run an app: its agent is asked with what the inputs say."""
    thread = apps.begin(session, principal=principal, app_id=item_id, inputs=given.inputs)
    return _made(session, principal, thread, response)


@router.get("/apps/{item_id}/schedules")
def list_schedules(session: Db, principal: CurrentPrincipal, item_id: UUID) -> list[ScheduleOut]:
    """When it runs by itself: your schedules, and those of everybody where you manage the workspace."""
    found = schedules.list_schedules(session, principal=principal, app_id=item_id)
    return [_schedule(row.schedule) for row in found]


@router.post("/apps/{item_id}/schedules", status_code=MADE, dependencies=CSRF)
def create_schedule(session: Db, principal: CurrentPrincipal, item_id: UUID, new: ScheduleIn) -> ScheduleOut:
    """Have it run by itself, for you, and with what you may do at that moment."""
    made = schedules.add(
        session, principal=principal, app_id=item_id, when=new.cron, zone=new.zone, inputs=new.inputs
    )
    return _schedule(made)


@router.patch("/apps/{item_id}/schedules/{schedule_id}", dependencies=CSRF)
def change_schedule(
    session: Db, principal: CurrentPrincipal, item_id: UUID, schedule_id: UUID, change: ScheduleChange
) -> ScheduleOut:
    """Let it rest, or go on with its next instant."""
    changed = schedules.switch(
        session, principal=principal, app_id=item_id, schedule_id=schedule_id, active=change.active
    )
    return _schedule(changed)


@router.delete(
    "/apps/{item_id}/schedules/{schedule_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF
)
def remove_schedule(session: Db, principal: CurrentPrincipal, item_id: UUID, schedule_id: UUID) -> None:
    """Remove it; its threads stay."""
    schedules.remove(session, principal=principal, app_id=item_id, schedule_id=schedule_id)


def _made(session: Db, principal: Principal, thread: Thread, response: Response) -> ThreadFull:
    response.headers["Location"] = f"/api/v1/threads/{thread.id}"
    return _full(session, principal, thread.id)


def _full(session: Db, principal: Principal, thread_id: UUID) -> ThreadFull:
    opened = threads.open_one(session, principal=principal, thread_id=thread_id)
    thread = opened.row.thread
    return ThreadFull(
        **_told(opened.row), text=thread.input["text"], inputs=thread.input.get("inputs") or {}, output=thread.output,
        limits=LimitsOut(**thread.limits), retries=list(opened.retries),
        made=[StepOut.model_validate(step) for step in opened.steps],
    )  # fmt: skip


def _told(row: threads.Row) -> dict[str, Any]:
    """A thread's own members; its app is named as far as the reader may see it."""
    thread = row.thread
    same = ThreadOut.model_fields.keys() - {"agent", "person", "app_id"}
    return {name: getattr(thread, name) for name in same} | {
        "agent": thread.agent["title"],
        "person": row.person,
        "app_id": row.app.id if row.app else None,
    }


def _schedule(found: AppSchedule) -> ScheduleOut:
    return ScheduleOut.model_validate(found)
