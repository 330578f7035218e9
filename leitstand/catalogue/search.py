"""Finding items of every kind by title, typing errors forgiven: what the search page and the command palette ask.

What matches is not all ranked, which a common word would make slow, but the newest of each way to match, and whatever
of it the person used; then match, own use and recency decide (`matching.score`).
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, Select, cast, false, func, literal, null, select, union_all
from sqlalchemy.orm import Session, aliased

from leitstand.catalogue.matching import Signals, score
from leitstand.catalogue.text import TRIGRAM, contains, like_pattern, searchable
from leitstand.catalogue.visibility import visible
from leitstand.db.models import Favorite, Item, Recent
from leitstand.identity.access import Principal, require

# Of each way to match so many are ranked; of what only resembles, so many are compared.
CANDIDATES = 40
COMPARED = 400
# The share of the query's trigrams that a title's words must have to resemble it.
ALIKE = 0.45
NEVER = cast(null(), DateTime(timezone=True))


def find_items(
    session: Session, *, principal: Principal, q: str, limit: int = 8, kind: str = ""
) -> list[Item]:
    """The items that are most likely meant by `q`, the likeliest first; none for an empty text.

    Args:
        q: how a title begins, a part of it, or something like it; one or two characters must begin a word.
        kind: only items of this kind; empty: of every one.

    Raises:
        Forbidden: without `item:read`.
    """
    require(principal, "item:read")
    q = searchable(q)
    if not q:
        return []
    here = [visible(principal), *([Item.kind == kind] if kind else [])]
    found = _matching(session, principal, here, q)
    if len(found) < limit and len(q) >= TRIGRAM:
        found |= _resembling(session, here, q, without=found)
    best = sorted(found.values(), key=lambda pair: (-score(pair[0].title, q, pair[1]), str(pair[0].id)))
    return [item for item, _ in best[:limit]]


Found = dict[UUID, tuple[Item, Signals]]


def _matching(session: Session, principal: Principal, here: list[ColumnElement[bool]], q: str) -> Found:
    """The newest titles that begin with it, the newest that contain it, and those of one's own that do."""
    begins = Item.title.ilike(like_pattern(q).removeprefix("%"))
    part = contains(Item.title, q)
    newest = (Item.updated_at.desc(), Item.id.desc())
    ways = [
        select(Item.id, NEVER.label("used_at"), false().label("favorite"))
        .where(*here, condition)
        .order_by(*newest)
        .limit(CANDIDATES)
        for condition in (begins, part)
    ]
    ids = union_all(*(select(way.subquery()) for way in ways), *_own(principal, here, part)).subquery()
    chosen = (
        select(
            ids.c.id, func.max(ids.c.used_at).label("used_at"), func.bool_or(ids.c.favorite).label("favorite")
        )
        .group_by(ids.c.id)
        .subquery()
    )
    rows = session.execute(
        select(Item, chosen.c.used_at, chosen.c.favorite).join(chosen, chosen.c.id == Item.id)
    )
    return {item.id: (item, _signals(item, 1.0, used, favorite)) for item, used, favorite in rows}


def _own(
    principal: Principal, here: list[ColumnElement[bool]], part: ColumnElement[bool]
) -> Iterable[Select[tuple[UUID, datetime, bool]]]:
    """What the person used or marked and may still see; few, however much there is.

    These few are found first, on their own: else all that match are read, of which they are a few.
    """
    if principal.person_id is None:
        return
    used = select(Item.id, Recent.used_at.label("used_at"), false().label("favorite")).join(
        Recent, Recent.item_id == Item.id
    )
    marked = select(Item.id, NEVER, literal(True)).join(Favorite, Favorite.item_id == Item.id)
    inside = Item.workspace_id == principal.workspace_id
    mine = (
        union_all(
            used.where(Recent.person_id == principal.person_id, inside, part),
            marked.where(Favorite.person_id == principal.person_id, inside, part),
        )
        .cte("mine")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    yield select(Item.id, mine.c.used_at, mine.c.favorite).join(mine, mine.c.id == Item.id).where(*here)


def _resembling(session: Session, here: list[ColumnElement[bool]], q: str, *, without: Found) -> Found:
    """Titles with words like those that were typed, the likest first."""
    session.execute(select(func.set_config("pg_trgm.word_similarity_threshold", str(ALIKE), True)))
    some = (
        select(Item).where(*here, literal(q).op("<%", is_comparison=True)(Item.title)).limit(COMPARED)
    ).subquery()
    # A title that is nothing but like it comes before one that has more words.
    alike = (func.word_similarity(q, some.c.title) + func.similarity(q, some.c.title)) / 2
    item = aliased(Item, some)
    rows = session.execute(select(item, alike).order_by(alike.desc(), item.id).limit(CANDIDATES))
    return {one.id: (one, _signals(one, like)) for one, like in rows if one.id not in without}


def _signals(item: Item, alike: float, used_at: datetime | None = None, favorite: bool = False) -> Signals:
    return Signals(alike, item.updated_at, used_at, favorite)
