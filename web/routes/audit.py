"""The audit log."""

from typing import Any

from fastapi import APIRouter, Request, Response

from leitstand.catalogue.cursors import decode_numbered, encode_numbered
from leitstand.identity.audit import list_entries
from serving.session import CurrentPrincipal, Db
from web.pages import fragment, render, wants_fragment

router = APIRouter(include_in_schema=False)
PAGE = 50


@router.get("/settings/audit")
def audit_page(request: Request, session: Db, principal: CurrentPrincipal, before: str = "") -> Response:
    """The newest changes first; htmx gets the rows that follow."""
    entries = list_entries(session, principal=principal, limit=PAGE + 1, before=decode_numbered(before))
    more = entries[PAGE - 1] if len(entries) > PAGE else None
    found: dict[str, Any] = {
        "entries": entries[:PAGE],
        "next": encode_numbered(more.at, more.id) if more else "",
    }
    if wants_fragment(request) and before:
        return fragment(principal, "parts/audit_rows.html", **found)
    return render(request, principal, "audit.html", area="audit", **found)
