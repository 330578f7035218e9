"""Popular companions, kept for a minute a workspace: the ranking is the same for everybody, who may see what is not."""

import time
from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue.visibility import visible
from leitstand.db.models import Item, RunFact
from leitstand.db.models.events import NO_ACTOR
from leitstand.identity.access import Principal
from leitstand.insights.opening import open_facts
from leitstand.insights.popularity import popular
from leitstand.insights.scope import Scope

KEEP_SECONDS = 60.0
MOST_WORKSPACES = 1_000
# After six half-lives a use weighs less than a sixtieth of a fresh one.
RANGE = timedelta(days=84)
CANDIDATES = 100

_ranked: dict[UUID, tuple[float, list[UUID]]] = {}


def popular_items(session: Session, *, principal: Principal, limit: int = 6) -> list[Item]:
    """The companions used most, of those that the principal may see, the most used first."""
    ids = _ranking(session, principal)
    found = select(Item).where(visible(principal), Item.id.in_(ids))
    items = {item.id: item for item in session.scalars(found)} if ids else {}
    return [items[item_id] for item_id in ids if item_id in items][:limit]


def _ranking(session: Session, principal: Principal) -> list[UUID]:
    known = _ranked.get(principal.workspace_id)
    if known and known[0] > time.monotonic():
        return known[1]
    ids = _rank(session, principal)
    if len(_ranked) >= MOST_WORKSPACES:
        _ranked.clear()
    _ranked[principal.workspace_id] = (time.monotonic() + KEEP_SECONDS, ids)
    return ids


def _rank(session: Session, principal: Principal) -> list[UUID]:
    last = _last_use(session, principal)
    if last is None:
        return []
    end = last + timedelta(days=1)
    scope = Scope(principal.workspace_id, None, end - RANGE, end, principal.zone)
    with open_facts(session, scope) as facts:
        return list(popular(facts, scope, limit=CANDIDATES)["companion_id"])


def _last_use(session: Session, principal: Principal) -> date | None:
    """The local day of the last run by somebody; runs without an actor make nothing popular."""
    by_somebody = (RunFact.workspace_id == principal.workspace_id) & (RunFact.actor_key != NO_ACTOR)
    at = session.scalar(
        select(RunFact.first_at).where(by_somebody).order_by(RunFact.first_at.desc()).limit(1)
    )
    return at.astimezone(ZoneInfo(principal.zone)).date() if at else None
