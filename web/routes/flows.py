"""A companion's flow: read, edited as JSON with every fault named, saved as a new version."""

import json
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.catalogue import companions
from leitstand.companions import versions
from leitstand.companions.flow import Flow, parse_flow
from leitstand.errors import InvalidInput
from serving.session import CurrentPrincipal, Db, require_csrf
from web.pages import go, render

router = APIRouter(prefix="/companions/{item_id}/flow", include_in_schema=False)
CSRF = [Depends(require_csrf)]


@router.get("")
def flow_page(
    request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID, version: int | None = None
) -> Response:
    """The flow as steps and as JSON: the named version, else the newest, else an example to begin with."""
    found = companions.get(session, principal=principal, item_id=item_id)
    number = version or (found.versions[0].number if found.versions else None)
    flow = _flow(session, principal, item_id, number) if number else None
    text = _written(flow.document() if flow else example(found.item.title))
    return render(request, principal, "flow.html", area="companions", **_names(found, flow, number, text))


@router.post("", dependencies=CSRF)
def save_flow(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    flow: Annotated[str, Form()] = "",
) -> Response:
    """Save a new version; a flow that can't be run comes back with its faults."""
    found = companions.get(session, principal=principal, item_id=item_id)
    try:
        versions.save_version(session, principal=principal, companion_id=item_id, flow=parse_flow(flow))
    except InvalidInput as error:
        names = _names(found, None, None, flow) | {"error": error, "faults": error.details.get("errors", [])}
        return render(request, principal, "flow.html", area="companions", code=error.status, **names)
    return go(f"/companions/{item_id}", "version-saved")


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


def _flow(session: Db, principal: CurrentPrincipal, item_id: UUID, number: int) -> Flow:
    _, flow = versions.read_flow(session, principal=principal, companion_id=item_id, number=number)
    return flow


def _names(
    found: companions.CompanionDetails, flow: Flow | None, number: int | None, text: str
) -> dict[str, Any]:
    steps = flow.steps if flow else ()
    return {
        "item": found.item,
        "companion": found.companion,
        "versions": found.versions,
        "steps": steps,
        "number": number,
        "text": text,
        "error": None,
        "faults": [],
    }


def _written(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)
