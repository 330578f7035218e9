"""Finding items of every kind by title, typing errors forgiven: what the search page and the command palette ask.

What matches is not all ranked, which a common word would make slow, but the newest of each way to match, and whatever
of it the person used; then match, own use and recency decide (`matching.score`).
"""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Select,
    Text,
    bindparam,
    cast,
    false,
    func,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from leitstand.catalogue.matching import Signals, score
from leitstand.catalogue.text import TRIGRAM, Patterns, matches, patterns, searchable
from leitstand.catalogue.visibility import MOST_KEPT, Who, seen_by, who
from leitstand.db.models import Favorite, Item, Recent
from leitstand.identity.access import Principal, require

# Of each way to match so many are ranked; of what only resembles, so many are compared.
CANDIDATES = 40
COMPARED = 200
# The share of the query's trigrams that a title's words must have to resemble it.
ALIKE = 0.45
NEVER = cast(null(), DateTime(timezone=True))
TYPED = Patterns(*(bindparam(name, type_=Text) for name in Patterns._fields))


class Hit(NamedTuple):
    """What is shown of an item that was found."""

    id: UUID
    kind: str
    title: str
    icon: str


def find_items(
    session: Session, *, principal: Principal, q: str, limit: int = 8, kind: str = ""
) -> list[Hit]:
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
    asking, short = who(principal), len(q) < TRIGRAM
    found = _found(session, _matching(asking, kind, short), patterns(q)._asdict())
    if len(found) < limit and not short:
        session.execute(select(func.set_config("pg_trgm.word_similarity_threshold", str(ALIKE), True)))
        found = _found(session, _resembling(asking, kind), {"typed": q}) | found
    best = sorted(found.values(), key=lambda pair: (-score(pair[0].title, q, pair[1]), str(pair[0].id)))
    return [hit for hit, _ in best[:limit]]


def _found(session: Session, query: Select[Any], typed: dict[str, str]) -> dict[UUID, tuple[Hit, Signals]]:
    rows = session.connection().execute(query, typed)
    return {row[0]: (Hit._make(row[:4]), Signals(*row[4:])) for row in rows}


@lru_cache(maxsize=MOST_KEPT)
def _matching(asking: Who, kind: str, short: bool) -> Select[Any]:
    """The newest titles that begin with what is typed, the newest that contain it, and those of one's own that do."""
    here = _here(asking, kind)
    begins, part = Item.title.ilike(TYPED.begins), matches(Item.title, TYPED, short=short)
    newest = (Item.updated_at.desc(), Item.id.desc())
    ways = [
        select(Item.id, NEVER.label("used_at"), false().label("favorite"))
        .where(*here, condition)
        .order_by(*newest)
        .limit(CANDIDATES)
        for condition in (begins, part)
    ]
    ids = union_all(*(select(way.subquery()) for way in ways), *_own(asking, here, part)).subquery()
    chosen = (
        select(
            ids.c.id, func.max(ids.c.used_at).label("used_at"), func.bool_or(ids.c.favorite).label("favorite")
        )
        .group_by(ids.c.id)
        .subquery()
    )
    return select(
        Item.id,
        Item.kind,
        Item.title,
        Item.icon,
        literal(1.0),
        Item.updated_at,
        chosen.c.used_at,
        chosen.c.favorite,
    ).join(chosen, chosen.c.id == Item.id)


def _own(
    asking: Who, here: list[ColumnElement[bool]], part: ColumnElement[bool]
) -> Iterable[Select[tuple[UUID, datetime, bool]]]:
    """What the person used or marked and may still see; few, however much there is.

    These few are found first, on their own: else all that match are read, of which they are a few.
    """
    if asking.person_id is None:
        return
    used = select(Item.id, Recent.used_at.label("used_at"), false().label("favorite")).join(
        Recent, Recent.item_id == Item.id
    )
    marked = select(Item.id, NEVER, literal(True)).join(Favorite, Favorite.item_id == Item.id)
    inside = Item.workspace_id == asking.workspace_id
    mine = (
        union_all(
            used.where(Recent.person_id == asking.person_id, inside, part),
            marked.where(Favorite.person_id == asking.person_id, inside, part),
        )
        .cte("mine")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    yield select(Item.id, mine.c.used_at, mine.c.favorite).join(mine, mine.c.id == Item.id).where(*here)


@lru_cache(maxsize=MOST_KEPT)
def _resembling(asking: Who, kind: str) -> Select[Any]:
    """Titles with words like those that were typed, the likest first."""
    typed = bindparam("typed", type_=Text)
    some = (
        select(Item.id, Item.kind, Item.title, Item.icon, Item.updated_at)
        .where(*_here(asking, kind), typed.op("<%", is_comparison=True)(Item.title))
        .limit(COMPARED)
    ).subquery()
    # A title that is nothing but like it comes before one that has more words.
    alike = (func.word_similarity(typed, some.c.title) + func.similarity(typed, some.c.title)) / 2
    return (
        select(some.c.id, some.c.kind, some.c.title, some.c.icon, alike, some.c.updated_at)
        .order_by(alike.desc(), some.c.id)
        .limit(CANDIDATES)
    )


def _here(asking: Who, kind: str) -> list[ColumnElement[bool]]:
    return [seen_by(asking), *([Item.kind == kind] if kind else [])]
