"""The audit log."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from leitstand.errors import InvalidInput
from leitstand.identity.audit import list_entries
from serving.session import CurrentPrincipal, Db
from web.pages import fragment, render, wants_fragment

router = APIRouter(include_in_schema=False)
PAGE = 50


@router.get("/settings/audit")
def audit_page(request: Request, session: Db, principal: CurrentPrincipal, before: str = "") -> Response:
    """The newest changes first; htmx gets the rows that follow."""
    entries = list_entries(session, principal=principal, limit=PAGE + 1, before=_decoded(before))
    more = entries[PAGE - 1] if len(entries) > PAGE else None
    found: dict[str, Any] = {
        "entries": entries[:PAGE],
        "next": f"{more.at.isoformat()}~{more.id}" if more else "",
    }
    if wants_fragment(request) and before:
        return fragment(principal, "parts/audit_rows.html", **found)
    return render(request, principal, "audit.html", area="audit", **found)


def _decoded(before: str) -> tuple[datetime, int] | None:
    if not before:
        return None
    at, _, number = before.partition("~")
    try:
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or len(number) > 18:
            raise ValueError
        return moment, int(number)
    except ValueError as error:
        raise InvalidInput("This page of the log can't be found.", hint="Begin at the first page.") from error
