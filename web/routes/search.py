"""Search over areas and items: the page, and what the command palette shows."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from leitstand.catalogue.areas import find_areas
from leitstand.catalogue.recents import list_recents
from leitstand.catalogue.search import Hit, find_items
from leitstand.db.models import Item
from leitstand.identity.access import Principal
from leitstand.identity.finding import find_people
from leitstand.knowledge.finding import find_documents
from leitstand.words import N_
from serving.language import language_of
from serving.session import visit
from web.pages import fragment, render, wants_fragment

router = APIRouter(include_in_schema=False)
ACTIONS = (
    (N_("New companion"), "/companions/new", "plus", "item:write", "create make add companion bot"),
    (N_("New agent"), "/agents/new", "plus", "item:write", "create make add agent"),
    (N_("New board"), "/boards/new", "plus", "item:write", "create make add board canvas"),
    (N_("New collection"), "/collections/new", "plus", "item:write", "create make add collection set"),
    (N_("New space"), "/spaces/new", "plus", "item:write", "create make add space knowledge base documents"),
    (N_("New control"), "/controls/new", "plus", "item:write", "create make add control widget"),
    (N_("New app"), "/apps/new", "plus", "item:write", "create make add app agentic"),
    (N_("Ask the assistant"), "/assistant", "assistant", "item:read", "ask question assistant answer conversation new"),
    (N_("Import events"), "/settings/integrations", "integration", "events:write", "import events file log"),
    (N_("Overview dashboard"), "/insights/overview", "insights", "insights:read", "insights overview traffic dashboard"),
    (N_("Companion dashboard"), "/insights/companion", "companion", "insights:read", "insights companion traffic funnel versions dashboard"),
    (N_("Flow dashboard"), "/insights/flow", "thread", "insights:read", "insights flow diagram steps branches drop-off dashboard"),
    (N_("Audience dashboard"), "/insights/audience", "groups", "insights:read", "insights audience people users retention new returning dashboard"),
    (N_("Agents dashboard"), "/insights/agents", "agent", "insights:read", "insights agents threads models tokens cost failed dashboard"),
    (N_("Ingestion dashboard"), "/insights/ingestion", "integration", "insights:read", "insights ingestion imports documents refused failed jobs dashboard"),
    (N_("Usage dashboard"), "/insights/usage", "billing", "insights:read", "insights usage month forecast storage limit dashboard"),
    (N_("Operations dashboard"), "/insights/operations", "drill", "operations:read", "insights operations drills backups recovery dashboard"),
    (N_("Backups"), "/operations/backups", "backup", "operations:read", "backups catalogue keep verify restore window"),
    (N_("Retention of backups"), "/operations/backups/retention", "archive", "operations:read", "backups retention prune remove plan"),
    (N_("Sign out everywhere else"), "/settings/profile#sessions", "sign-out", "", "sessions sign out end"),
)  # fmt: skip


@router.get("/search")
def search(request: Request, q: str = "") -> Response:
    """Areas, actions and items that match; with nothing typed, the areas and what was used last."""
    with visit(request) as (session, principal):
        return _found(request, session, principal, q)


def _found(request: Request, session: Session, principal: Principal, q: str) -> Response:
    found: dict[str, Any] = {
        "people": find_people(session, principal=principal, q=q),
        "documents": find_documents(session, principal=principal, q=q) if q.strip() else [],
        "areas": find_areas(principal, q, limit=8 if q.strip() else 40, language=language_of(principal)),
        "actions": _actions(principal, q),
        "items": _items(session, principal, q),
        "q": q,
    }
    if wants_fragment(request):
        return fragment(principal, "parts/results.html", role="option", **found)
    return render(request, principal, "search.html", area="", role="", **found)


def _items(session: Session, principal: Principal, q: str) -> Sequence[Hit | Item]:
    if q.strip():
        return find_items(session, principal=principal, q=q)
    return [item for item, _ in list_recents(session, principal=principal, limit=5)]


def _actions(principal: Principal, q: str) -> list[tuple[str, str, str]]:
    words = q.lower().split()
    return [
        (title, route, icon)
        for title, route, icon, permission, keys in ACTIONS
        if (not permission or principal.may(permission))
        and words
        and all(word in f"{title.lower()} {keys}" for word in words)
    ]
