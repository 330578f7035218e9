"""The navigation as data: every area, its group, its route, and who may see it."""

import re
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from leitstand.identity.access import Principal
from leitstand.words import DEFAULT, translate


@dataclass(frozen=True, eq=False)
class Area:
    """One place of the navigation.

    Args:
        slug: short name, also that of its JSON collection.
        title: what people read.
        route: its page.
        icon: name in the icon sprite.
        permission: what a role needs to see it; empty: everybody who is signed in.
        purpose: what the area is for, in one sentence.
    """

    slug: str
    title: str
    route: str
    icon: str
    permission: str
    purpose: str


# Each is itself alone: what is kept under it is looked up by it and not by its texts.
@dataclass(frozen=True, eq=False)
class Group:
    """Areas that stand together in the navigation."""

    title: str
    areas: tuple[Area, ...]


GROUPS = (
    Group(
        "Start",
        (
            Area("home", "Home", "/", "home", "", "What you used last, what others use, and how everything is doing."),
            Area(
                "conversations", "Conversations", "/conversations", "conversation", "item:read",
                "Search, resume, share and export your conversations with companions, agents and the assistant.",
            ),
            Area(
                "assistant", "Assistant", "/assistant", "assistant", "item:read",
                "Ask about everything you may read, and get answers with citations.",
            ),
            Area("favorites", "Favorites", "/favorites", "star", "item:read", "Your own favorites, in your order."),
        ),
    ),
    Group(
        "Build",
        (
            Area("companions", "Companions", "/companions", "companion", "item:read", "Bots with their flow, versions, publication and link."),
            Area(
                "agents", "Agents", "/agents", "agent", "item:read",
                "Create agents from instructions, tools, spaces and a model, and publish them to the organisation.",
            ),
            Area(
                "boards", "Boards", "/boards", "board", "item:read",
                "Canvases of notes, items and the links between them.",
            ),
            Area(
                "collections", "Collections", "/collections", "collection", "item:read",
                "Ordered sets of any items, to share with others.",
            ),
            Area(
                "spaces", "Spaces", "/spaces", "space", "item:read",
                "Knowledge bases: upload documents, see how their ingestion goes, ask the space.",
            ),
            Area(
                "controls", "Controls", "/controls", "control", "item:read",
                "Input and output widgets that flows use, each with a schema and a live preview.",
            ),
            Area(
                "apps", "Agentic apps", "/apps", "app", "item:read",
                "Published applications of agents: inputs, agent and a view of the output.",
            ),
        ),
    ),
    Group(
        "Understand",
        (
            Area("insights", "Insights", "/insights", "insights", "insights:read", "Traffic, active users, completion and more, over any range and zone."),
            Area("refusals", "Refused events", "/refusals", "warning", "events:write", "Events that were not taken, why, and sending them once more."),
            Area(
                "threads", "Agent threads", "/threads", "thread", "item:read",
                "What agents did: steps, tool calls, tokens, cost and errors, live.",
            ),
        ),
    ),
    Group(
        "Organisation",
        (
            Area(
                "external-users", "External users", "/external-users", "external", "member:manage",
                "People outside the organisation and what each may open.",
            ),
            Area(
                "groups", "Groups", "/groups", "groups", "member:manage",
                "Groups of people, and what each group may open.",
            ),
            Area(
                "members", "Members", "/settings/members", "members", "member:manage",
                "Who belongs to the workspace, and in which role.",
            ),
            Area(
                "organisation", "Organisation", "/settings/organisation", "organisation", "workspace:manage",
                "The workspace's name and the time zone in which it reports.",
            ),
            Area(
                "integrations", "Integrations", "/settings/integrations", "integration", "workspace:manage",
                "Single sign-on, mail, model endpoints, webhooks and S3 imports, each with its state.",
            ),
            Area(
                "tools", "Tools", "/settings/tools", "tool", "workspace:manage",
                "Which tools agents may use, each tried and with its state.",
            ),
            Area(
                "billing", "Plans and billing", "/settings/billing", "billing", "billing:manage",
                "Plan, limits, usage to date and invoices.",
            ),
            Area("audit", "Audit log", "/settings/audit", "audit", "audit:read", "Every change: who, what, when, before and after."),
        ),
    ),
    Group(
        "Run",
        (
            Area("operations", "Operations", "/operations", "operations", "operations:read", "Services, backups, restore drills, schedules and checks."),
            Area("trash", "Trash", "/trash", "trash", "item:write", "What was deleted in the last 30 days."),
            Area("profile", "Profile", "/settings/profile", "profile", "", "Your name, theme, password and sessions."),
        ),
    ),
)  # fmt: skip

# For as many sets of permissions as people have at once.
MOST_KEPT = 100
# What somebody outside of the organisation sees: what is shared with them, and their own.
FOR_EXTERNAL = frozenset(
    {
        "home",
        "conversations",
        "favorites",
        "companions",
        "agents",
        "boards",
        "collections",
        "spaces",
        "controls",
        "apps",
        "profile",
    }
)
AREAS = tuple(area for group in GROUPS for area in group.areas)
BY_SLUG = {area.slug: area for area in AREAS}

# Routes of the product that this one replaces: old links keep working.
LEGACY_ROUTES = {
    "/pages_chat": "/conversations",
    "/chat": "/conversations",
    "/blinkbot": "/assistant",
    "/bots": "/companions",
    "/widgets": "/controls",
    "/knowledge-base": "/spaces",
    "/agentic-apps": "/apps",
    "/agent-threads": "/threads",
    "/external-users-and-groups": "/external-users",
    "/profile-settings": "/settings/profile",
    "/integrations": "/settings/integrations",
    "/plans": "/settings/billing",
    "/dashboard": "/",
}


def address_of(kind: str, item_id: UUID) -> str:
    """The page of an item."""
    return f"{BY_SLUG[f'{kind}s'].route}/{item_id}"


def may_see(principal: Principal, area: Area) -> bool:
    """Whether the principal's role shows this area."""
    return _shown(area, principal.permissions, principal.external)


def visible_groups(principal: Principal) -> tuple[Group, ...]:
    """The navigation as this principal sees it; a group without an area is left out."""
    return _groups(frozenset(principal.permissions), principal.external)


@lru_cache(maxsize=MOST_KEPT)
def _groups(permissions: frozenset[str], external: bool) -> tuple[Group, ...]:
    seen = [
        Group(group.title, tuple(area for area in group.areas if _shown(area, permissions, external)))
        for group in GROUPS
    ]
    return tuple(group for group in seen if group.areas)


def _shown(area: Area, permissions: frozenset[str], external: bool) -> bool:
    if external and area.slug not in FOR_EXTERNAL:
        return False
    return not area.permission or area.permission in permissions


def find_areas(principal: Principal, q: str, *, limit: int = 8, language: str = DEFAULT) -> list[Area]:
    """The areas in whose title or purpose every word of `q` begins a word: those named so first."""
    asked = q.lower().split()
    seen = [area for area in AREAS if may_see(principal, area)]
    matching = [area for area in seen if _begin(asked, _read(language, area.title, area.purpose))]
    named = {area.slug for area in matching if _begin(asked, _read(language, area.title))}
    return sorted(matching, key=lambda area: area.slug not in named)[:limit]


def _read(language: str, *texts: str) -> str:
    """Texts as the code has them and as they are read: both are looked for."""
    return " ".join([*texts, *(translate(text, language) for text in texts)])


def _begin(asked: list[str], text: str) -> bool:
    words = re.findall(r"\w+", text.lower())
    return all(any(word.startswith(start) for word in words) for start in asked)
