"""The editor of a companion's flow: one step at a time, each change a draft version that can be taken back."""

from collections import defaultdict
from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.catalogue.editing import require_edit
from leitstand.catalogue.items import get_item
from leitstand.companions import editing, versions
from leitstand.companions.flow import Flow
from leitstand.companions.steps import KINDS
from leitstand.db.models import Item
from leitstand.errors import LeitstandError, NotFound
from leitstand.words import msg
from serving.session import CurrentPrincipal, Db, require_csrf
from web.form_values import REFUSALS
from web.pages import go, render
from web.routes.flow_forms import (
    KIND_HELP,
    KIND_ICONS,
    KIND_TITLES,
    OPERATOR_TITLES,
    SPARE_ROWS,
    checked,
    choices,
    new_step,
    step_from,
)
from web.routes.flows import outline
from web.routes.items.kind import WholeForm, text_of

router = APIRouter(prefix="/companions/{item_id}/flow", include_in_schema=False)
CSRF = [Depends(require_csrf)]
Text = Annotated[str, Form()]
Seen = Annotated[int | None, Form(ge=0, le=2_147_483_647)]


@router.get("/steps/new")
def new_page(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    kind: str = "message",
    after: str = "",
) -> Response:
    """The form of a step that is still to be made."""
    return _form(request, session, principal, item_id, new_step(kind), after=after)


@router.post("/steps", dependencies=CSRF)
def add(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    form: WholeForm,
    version: Seen = None,
) -> Response:
    """Put a step behind another; the first of all begins the flow."""
    item, after = _editable(session, principal, item_id), text_of(form, "after")
    step: dict[str, Any] = {"kind": text_of(form, "kind")}

    def deed(flow: Flow | None) -> Flow:
        step.update(step_from(form))
        given = checked(step)
        return editing.added(flow, given, after=after) if flow else editing.begun(item.title, given)

    try:
        return _save(session, principal, item_id, version, deed)
    except REFUSALS as error:
        return _form(request, session, principal, item_id, step, after=after, error=error)


@router.get("/step")
def step_page(
    request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID, name: str = ""
) -> Response:
    """The form of a step."""
    _, flow = versions.newest(session, principal=principal, companion_id=item_id)
    return _form(request, session, principal, item_id, _step(flow, name), old=name)


@router.post("/step", dependencies=CSRF)
def change(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    form: WholeForm,
    version: Seen = None,
) -> Response:
    """Change a step."""
    old = text_of(form, "old")
    step: dict[str, Any] = {"kind": text_of(form, "kind")}

    def deed(flow: Flow | None) -> Flow:
        step.update(step_from(form))
        return editing.changed(_there(flow), old, checked(step))

    try:
        return _save(session, principal, item_id, version, deed)
    except REFUSALS as error:
        return _form(request, session, principal, item_id, step, old=old, error=error)


@router.post("/move", dependencies=CSRF)
def move(
    request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID,
    name: Text = "", by: Annotated[int, Form(ge=-1, le=1)] = 1, version: Seen = None,
) -> Response:  # fmt: skip
    """Move a step up or down in the order of the outline."""
    return _try(
        request, session, principal, item_id, version, lambda flow: editing.moved(_there(flow), name, by)
    )


@router.post("/remove", dependencies=CSRF)
def remove(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    name: Text = "",
    version: Seen = None,
) -> Response:
    """Remove a step."""
    return _try(
        request, session, principal, item_id, version, lambda flow: editing.removed(_there(flow), name)
    )


@router.post("/undo", dependencies=CSRF)
def undo(request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID) -> Response:
    """Take the last change back."""
    try:
        versions.step_back(session, principal=principal, companion_id=item_id)
    except REFUSALS as error:
        return outline(request, session, principal, item_id, error=error)
    return go(f"/companions/{item_id}/flow", "flow-undone")


def _try(
    request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID, seen: int | None,
    deed: Callable[[Flow | None], Flow],
) -> Response:  # fmt: skip
    """Save a change, or show the outline with why it can't be."""
    try:
        return _save(session, principal, item_id, seen, deed)
    except REFUSALS as error:
        return outline(request, session, principal, item_id, error=error)


def _save(
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    seen: int | None,
    deed: Callable[[Flow | None], Flow],
) -> Response:
    _editable(session, principal, item_id)
    number, flow = versions.newest(session, principal=principal, companion_id=item_id)
    with session.begin_nested():
        saved = versions.save_version(
            session,
            principal=principal,
            companion_id=item_id,
            flow=deed(flow),
            seen=number if seen is None else seen,
        )
    notice = "flow-saved" if saved > 1 else "saved"
    return go(f"/companions/{item_id}/flow", notice, item_id)


def _editable(session: Db, principal: CurrentPrincipal, item_id: UUID) -> Item:
    item = get_item(session, principal=principal, item_id=item_id, kind=versions.KIND)
    require_edit(session, principal, item)
    return item


def _there(flow: Flow | None) -> Flow:
    if flow is None:
        raise NotFound("This companion has no flow yet.", hint="Add its first step.")
    return flow


def _step(flow: Flow | None, name: str) -> dict[str, Any]:
    document = _there(flow).by_name.get(name)
    if document is None:
        raise NotFound(msg("There is no step {name!r}.", name=name), hint="The outline lists what is there.")
    return document.model_dump(mode="json", exclude_unset=True)


def _rows(step: dict[str, Any]) -> list[defaultdict[str, str]]:
    """The options of a choice or the tests of a condition, and some that are still empty."""
    there = step.get("options") or step.get("branches") or []
    return [defaultdict(str, row) for row in [*there, *[{}] * SPARE_ROWS]]


def _form(
    request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID, step: dict[str, Any],
    *, old: str = "", after: str = "", error: LeitstandError | None = None,
) -> Response:  # fmt: skip
    item = _editable(session, principal, item_id)
    number, flow = versions.newest(session, principal=principal, companion_id=item_id)
    kind = step["kind"] if step["kind"] in KINDS else "message"
    return render(
        request, principal, "flow/step.html", area="companions", code=error.status if error else 200, item=item,
        number=number, step=defaultdict(str, step), kind=kind, old=old, after=after, error=error, titles=KIND_TITLES, helps=KIND_HELP,
        icons=KIND_ICONS, operators=OPERATOR_TITLES, rows=_rows(step), **choices(session, principal, flow, kind),
    )  # fmt: skip
