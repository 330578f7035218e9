"""Apps: run from their page, and planned by the clock."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import FormData

from leitstand.agents import apps, schedules
from leitstand.identity.access import Principal
from serving.session import CurrentPrincipal, Db, require_csrf
from web.form_values import REFUSALS
from web.pages import go
from web.routes.items.kind import CurrentKind, WholeForm, text_of, texts_of
from web.routes.items.pages import show

router = APIRouter(prefix="/apps", dependencies=[Depends(require_csrf)])


@router.post("/{item_id}/threads")
def run_app(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    kind: CurrentKind,
    item_id: UUID,
    form: WholeForm,
) -> Response:
    """Run it with what the form says, once or by the clock; what can't be taken comes back in the form."""
    values = _values(session, principal, item_id, form)
    when, zone = text_of(form, "when"), text_of(form, "zone")
    try:
        with session.begin_nested():
            if text_of(form, "do") == "plan":
                schedules.add(
                    session, principal=principal, app_id=item_id, when=when, zone=zone, inputs=values
                )
                return go(f"/apps/{item_id}#schedules", "schedule-added")
            thread = apps.begin(session, principal=principal, app_id=item_id, inputs=values)
    except REFUSALS as error:
        planned = {"when": when, "in_zone": zone or principal.local_zone, "at": text_of(form, "do")}
        return show(
            request, session, principal, kind, item_id, error=error, given=values, typed=values, **planned
        )
    return go(f"/threads/{thread.id}", "thread-begun")


@router.post("/{item_id}/schedules/{schedule_id}/pause")
def pause_schedule(session: Db, principal: CurrentPrincipal, item_id: UUID, schedule_id: UUID) -> Response:
    """Let a schedule rest."""
    schedules.switch(session, principal=principal, app_id=item_id, schedule_id=schedule_id, active=False)
    return go(f"/apps/{item_id}#schedules", "saved")


@router.post("/{item_id}/schedules/{schedule_id}/resume")
def resume_schedule(session: Db, principal: CurrentPrincipal, item_id: UUID, schedule_id: UUID) -> Response:
    """Let a schedule go on."""
    schedules.switch(session, principal=principal, app_id=item_id, schedule_id=schedule_id, active=True)
    return go(f"/apps/{item_id}#schedules", "saved")


@router.post("/{item_id}/schedules/{schedule_id}/remove")
def remove_schedule(session: Db, principal: CurrentPrincipal, item_id: UUID, schedule_id: UUID) -> Response:
    """Remove a schedule."""
    schedules.remove(session, principal=principal, app_id=item_id, schedule_id=schedule_id)
    return go(f"/apps/{item_id}#schedules", "schedule-removed")


def _values(session: Db, principal: Principal, item_id: UUID, form: FormData) -> dict[str, Any]:
    app = apps.read(session, principal=principal, app_id=item_id)
    return apps.from_form(app, {name: texts_of(form, name) for name in form})
