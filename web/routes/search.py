"""Search over areas and items: the page, and what the command palette shows."""

from typing import Any

from fastapi import APIRouter, Request, Response

from leitstand.catalogue.areas import find_areas
from leitstand.catalogue.recents import list_recents
from leitstand.catalogue.search import find_items
from leitstand.db.models import Item
from leitstand.identity.access import Principal
from serving.session import CurrentPrincipal, Db
from web.pages import fragment, render, wants_fragment

router = APIRouter(include_in_schema=False)
ACTIONS = (
    ("New companion", "/companions/new", "plus", "item:write", "create make add companion bot"),
    ("Import events", "/settings/integrations", "integration", "events:write", "import events file log"),
    ("Overview dashboard", "/insights/overview", "insights", "insights:read", "insights overview traffic dashboard"),
    ("Companion dashboard", "/insights/companion", "companion", "insights:read", "insights companion traffic funnel versions dashboard"),
    ("Flow dashboard", "/insights/flow", "thread", "insights:read", "insights flow diagram steps branches drop-off dashboard"),
    ("Audience dashboard", "/insights/audience", "groups", "insights:read", "insights audience people users retention new returning dashboard"),
    ("Ingestion dashboard", "/insights/ingestion", "integration", "insights:read", "insights ingestion imports documents refused failed jobs dashboard"),
    ("Usage dashboard", "/insights/usage", "billing", "insights:read", "insights usage month forecast storage limit dashboard"),
    ("Operations dashboard", "/insights/operations", "drill", "operations:read", "insights operations drills backups recovery dashboard"),
    ("Backups", "/operations/backups", "backup", "operations:read", "backups catalogue keep verify restore window"),
    ("Retention of backups", "/operations/backups/retention", "archive", "operations:read", "backups retention prune remove plan"),
    ("Sign out everywhere else", "/settings/profile#sessions", "sign-out", "", "sessions sign out end"),
)  # fmt: skip


@router.get("/search")
def search(request: Request, session: Db, principal: CurrentPrincipal, q: str = "") -> Response:
    """Areas, actions and items that match; with nothing typed, the areas and what was used last."""
    found: dict[str, Any] = {
        "areas": find_areas(principal, q, limit=8 if q.strip() else 40),
        "actions": _actions(principal, q),
        "items": _items(session, principal, q),
        "q": q,
    }
    if wants_fragment(request):
        return fragment(principal, "parts/results.html", role="option", **found)
    return render(request, principal, "search.html", area="", role="", **found)


def _items(session: Db, principal: Principal, q: str) -> list[Item]:
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
