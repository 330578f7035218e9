"""The home page: what one used last, favorites, what is popular, and how everything is doing."""

from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from leitstand.agents import threads
from leitstand.backups.catalogue import last_proven
from leitstand.catalogue.at_hand import at_hand, shared_with
from leitstand.catalogue.kinds import KINDS
from leitstand.catalogue.usage import recent_imports, usage
from leitstand.identity.access import Principal, require_member
from leitstand.insights import traffic
from leitstand.insights.opening import open_facts
from leitstand.insights.scope import Scope
from serving.session import CurrentPrincipal, Db, visit
from web.pages import fragment, render, wants_fragment
from web.popular import popular_items
from web.services import services

router = APIRouter(include_in_schema=False)
SHOWN = 6
# OPERATIONS.md: a restore older than this raises an alert.
PROVEN_WITHIN = timedelta(hours=26)


@router.get("/")
def home(request: Request) -> Response:
    """What is slow to know comes afterwards, in pieces; without JavaScript each piece is a page of its own."""
    with visit(request) as (session, principal):
        return _home(request, session, principal)


def _home(request: Request, session: Session, principal: Principal) -> Response:
    found = at_hand(session, principal=principal, limit=SHOWN)
    # For whoever has used nothing yet, and for people from outside, who come for what was shared with them.
    new = principal.external or not found.recents
    return render(
        request,
        principal,
        "home.html",
        area="home",
        kinds=KINDS.values(),
        recents=found.recents,
        favorites=found.favorites,
        shared=shared_with(session, principal=principal, limit=SHOWN) if new else (),
        imports=recent_imports(session, principal=principal, limit=3)
        if principal.may("insights:read")
        else None,
        proven=_proven(session) if principal.may("operations:read") else None,
    )


def _proven(session: Session) -> dict[str, object]:
    at = last_proven(session)
    return {"at": at, "good": at is not None and datetime.now(UTC) - at < PROVEN_WITHIN}


@router.get("/home/popular")
def popular(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """The companions used most."""
    items = popular_items(session, principal=principal, limit=SHOWN)
    return _piece(request, principal, "popular", "Popular", items=items)


@router.get("/home/usage")
def used(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """How much there is, and how much it was used in the last 30 days."""
    today = datetime.now(UTC).date()
    scope = Scope(
        principal.workspace_id, None, today - timedelta(days=29), today + timedelta(days=1), principal.zone
    )
    runs = None
    if principal.may("insights:read"):
        with open_facts(session, scope) as facts:
            runs = traffic.totals(facts, scope)
    return _piece(request, principal, "usage", "Usage", usage=usage(session, principal=principal), runs=runs)


@router.get("/home/threads")
def thread_states(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """How one's threads stand."""
    require_member(principal)
    stands = threads.standing(session, principal=principal)
    return _piece(request, principal, "thread_summary", "Agent threads", stands=stands)


@router.get("/home/services")
def service_states(request: Request, principal: CurrentPrincipal) -> Response:
    """Whether every service answers, for operators."""
    return _piece(request, principal, "service_summary", "Services", services=services(principal))


def _piece(request: Request, principal: Principal, name: str, title: str, **more: Any) -> Response:
    if wants_fragment(request):
        return fragment(principal, f"parts/{name}.html", **more)
    return render(
        request, principal, "piece.html", area="home", piece=f"parts/{name}.html", heading=title, **more
    )
