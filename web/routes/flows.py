"""A companion's flow: its outline, the same as a picture and as JSON text, saved as a new version."""

import json
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.catalogue import companions
from leitstand.catalogue.editing import may_edit
from leitstand.companions import versions
from leitstand.companions.flow import Flow, parse_flow, problems
from leitstand.companions.layout import HEIGHT, WIDTH, picture
from leitstand.errors import LeitstandError
from serving.session import CurrentPrincipal, Db, require_csrf
from web.form_values import REFUSALS
from web.pages import go, render
from web.routes.flow_forms import KIND_HELP, KIND_ICONS, KIND_TITLES, OPERATOR_TITLES

router = APIRouter(prefix="/companions/{item_id}/flow", include_in_schema=False)
CSRF = [Depends(require_csrf)]


@router.get("")
def flow_page(
    request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID, version: int | None = None
) -> Response:
    """The flow as an outline: the named version, else the newest, else where to begin."""
    return outline(request, session, principal, item_id, number=version)


@router.get("/canvas")
def canvas(request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID) -> Response:
    """The newest version as a picture; each box leads to the step's form."""
    names = _names(session, principal, item_id, None)
    flow: Flow | None = names["flow"]
    return render(
        request, principal, "flow/canvas.html", area="companions", picture=picture(flow) if flow else None,
        box_width=WIDTH, box_height=HEIGHT, **names,
    )  # fmt: skip


@router.post("", dependencies=CSRF)
def save_flow(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    flow: Annotated[str, Form()] = "",
    version: Annotated[int | None, Form(ge=0, le=2_147_483_647)] = None,
) -> Response:
    """Save a flow's text as a new version; one that can't be run comes back with its faults."""
    try:
        parsed = parse_flow(flow)
        versions.save_version(session, principal=principal, companion_id=item_id, flow=parsed, seen=version)
    except REFUSALS as error:
        return outline(request, session, principal, item_id, error=error, text=flow)
    return go(f"/companions/{item_id}", "version-saved")


def outline(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    *,
    number: int | None = None,
    error: LeitstandError | None = None,
    text: str | None = None,
) -> Response:
    """The page of the outline.

    Args:
        error: why something was not done.
        text: what was written as JSON and not taken.
    """
    names = _names(session, principal, item_id, number)
    flow: Flow | None = names["flow"]
    shown = flow.document() if flow else example(names["item"].title)
    names["text"] = text if text is not None else json.dumps(shown, ensure_ascii=False, indent=2)
    names["typed"] = text is not None
    faults = error.details.get("errors", []) if error else []
    return render(
        request, principal, "flow/outline.html", area="companions", code=error.status if error else 200, error=error,
        faults=faults, **names,
    )  # fmt: skip


def example(title: str) -> dict[str, Any]:
    """A small flow that runs, to begin with."""
    return {
        "title": title,
        "steps": [
            {"kind": "message", "name": "welcome", "text": "Hello! Two short questions.", "next": "topic"},
            {
                "kind": "choice",
                "name": "topic",
                "text": "What brings you here?",
                "options": [
                    {"value": "question", "label": "I have a question", "next": "details"},
                    {"value": "feedback", "label": "I want to say something", "next": "details"},
                ],
            },
            {"kind": "question", "name": "details", "text": "Tell us more.", "next": "thanks"},
            {"kind": "end", "name": "thanks", "text": "Thank you! We will read it."},
        ],
    }


def _names(session: Db, principal: CurrentPrincipal, item_id: UUID, number: int | None) -> dict[str, Any]:
    """What the pages of a flow show; only the newest version can be changed."""
    found = companions.get(session, principal=principal, item_id=item_id)
    newest = found.versions[0].number if found.versions else 0
    number = number or newest
    flow = None
    if number:
        _, flow = versions.read_flow(session, principal=principal, companion_id=item_id, number=number)
    wrong = problems(flow) if flow else []
    by_step: dict[str, list[dict[str, str]]] = {}
    for fault in wrong:
        by_step.setdefault(fault["step"], []).append(fault)
    editable = may_edit(session, principal, found.item)
    return {
        "item": found.item, "companion": found.companion, "versions": found.versions, "number": number,
        "newest": newest, "flow": flow, "problems": wrong, "by_step": by_step,
        "operators": OPERATOR_TITLES, "titles": KIND_TITLES, "icons": KIND_ICONS, "helps": KIND_HELP, "writable": editable,
        "editable": editable and number == newest,
    }  # fmt: skip
