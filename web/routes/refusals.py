"""Refused events: what came, why it was not taken, and sending it once more."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.catalogue.cursors import decode_numbered, encode_numbered
from leitstand.events import replay
from leitstand.events.refusals import OUTCOMES, Filters, list_refusals
from leitstand.identity.access import Principal, require
from leitstand.words import N_
from serving.session import CurrentPrincipal, Db, require_csrf
from web.pages import fragment, render, wants_fragment

router = APIRouter(prefix="/refusals", include_in_schema=False)
CSRF = [Depends(require_csrf)]
PAGE = 50
SOURCES = {
    "": N_("Every source"),
    "api": N_("API"),
    "snippet": N_("Web pages"),
    "runtime": N_("Public link"),
    "import": N_("Files"),
}
OUTCOME_TITLES = {
    "": N_("Every state"),
    "refused": N_("Refused"),
    "accepted": N_("Accepted since"),
    "duplicate": N_("Known already"),
}
Text = Annotated[str, Form()]


@router.get("")
def refusals_page(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    source: str = "",
    outcome: str = "",
    reason: str = "",
    cursor: str = "",
) -> Response:
    """The list, newest first; htmx gets the rows alone: all of another filter, or those that follow."""
    found = _found(session, principal, Filters(source, outcome, reason), cursor)
    if wants_fragment(request):
        name = "parts/refusal_rows.html" if cursor else "parts/refusal_table.html"
        return fragment(principal, name, **found)
    return _page(request, principal, found)


@router.post("/replay", dependencies=CSRF)
def replay_refusals(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    id: Annotated[int | None, Form()] = None,
    source: Text = "",
    outcome: Text = "",
    reason: Text = "",
) -> Response:
    """Send one, or up to 1,000 of those that match, once more, and show the list with what became of them."""
    filters = Filters(source, outcome, reason)
    if id is not None:
        done = replay.replay(session, principal=principal, ids=[id])
    else:
        done = replay.replay_matching(session, principal=principal, filters=filters)
    session.flush()
    return _page(request, principal, _found(session, principal, filters, ""), done=done)


def _found(session: Db, principal: Principal, filters: Filters, cursor: str) -> dict[str, Any]:
    require(principal, "events:write")
    filters = Filters(
        filters.source if filters.source in SOURCES else "",
        filters.outcome if filters.outcome in OUTCOMES else "",
        filters.reason[:200],
    )
    listing = list_refusals(
        session,
        workspace_id=principal.workspace_id,
        limit=PAGE,
        filters=filters,
        before=decode_numbered(cursor),
    )
    following = encode_numbered(*listing.next) if listing.next else ""
    return {"listing": listing, "filters": filters, "next": following, "sources": SOURCES}


def _page(
    request: Request, principal: Principal, found: dict[str, Any], done: replay.Replay | None = None
) -> Response:
    more: dict[str, Any] = {"outcomes": OUTCOME_TITLES, "done": done, "counts": done.counts() if done else {}}
    return render(request, principal, "refusals.html", area="refusals", **found, **more)
