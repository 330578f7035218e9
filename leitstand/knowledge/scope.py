"""What a question is put to: the spaces that the principal may read, and how their passages are at this moment."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Compiled, Text, bindparam, cast, exists, func, select, text
from sqlalchemy.orm import Session

from leitstand.catalogue.items import get_item
from leitstand.catalogue.visibility import MOST_KEPT, Who, seen_by, who
from leitstand.db.engine import driver_cursor, for_driver
from leitstand.db.models import Item, ModelEndpoint, PassageChange
from leitstand.identity.access import Principal, require
from leitstand.knowledge.encoder import MODEL
from leitstand.knowledge.spaces import KIND

NEWEST = (
    select(PassageChange.changed)
    .where(PassageChange.space_id == Item.id)
    .order_by(PassageChange.changed.desc())
    .limit(1)
    .scalar_subquery()
)
# Another one who does the same is not waited for.
OLDER = text("""
    DELETE FROM passage_change AS change USING (
        SELECT space_id, changed FROM passage_change AS older
        WHERE NOT EXISTS (SELECT FROM item WHERE item.id = older.space_id) OR EXISTS (
            SELECT FROM passage_change AS newer
            WHERE newer.space_id = older.space_id AND newer.changed > older.changed
        )
        FOR UPDATE SKIP LOCKED
    ) AS gone
    WHERE change.space_id = gone.space_id AND change.changed = gone.changed
""")


@dataclass(frozen=True)
class Scope:
    """Spaces of a workspace, all of which whoever asks may read.

    Args:
        model: whose vectors the workspace has.
        endpoints: whether it may have a model that writes answers; False: it has none.
        changed: the last transaction that changed something of the spaces' passages; 0: none since this is noted.
        settled: whether every transaction up to that one has ended, so that as long as `changed` is the same, all is.
    """

    workspace_id: UUID
    spaces: frozenset[UUID]
    model: str = MODEL
    endpoints: bool = True
    changed: int = 0
    settled: bool = False

    def values(self) -> dict[str, Any]:
        """As statements take it."""
        return {"workspace": self.workspace_id, "spaces": list(self.spaces)}


def readable(
    session: Session,
    principal: Principal,
    space_id: UUID | None = None,
    space_ids: Collection[UUID] | None = None,
) -> Scope:
    """What the principal may read.

    Args:
        space_id: only this space.
        space_ids: only these, as far as the principal may read them; None: all.

    Raises:
        Forbidden: without `item:read`.
        NotFound: the named space is not there for the principal.
    """
    require(principal, "item:read")
    # What is asked by the driver's cursor does not see what the session has yet to write.
    session.flush()
    statement, cursor = _statement(who(principal), space_id is not None), driver_cursor(session)
    cursor.execute(statement.string, statement.construct_params({"space": space_id} if space_id else {}))
    rows = [row for row in cursor.fetchall() if space_ids is None or row[0] in space_ids]
    if space_id is not None and not rows:
        # Says what is missing.
        get_item(session, principal=principal, item_id=space_id, kind=KIND)
    if not rows:
        return Scope(principal.workspace_id, frozenset())
    changed, (_, _, oldest, embeds, endpoints) = max(row[1] or 0 for row in rows), rows[0]
    return Scope(
        principal.workspace_id,
        frozenset(row[0] for row in rows),
        model=embeds or MODEL,
        endpoints=endpoints,
        changed=changed,
        settled=changed < oldest,
    )


def forget_older_changes(session: Session) -> None:
    """Delete what is noted of changes before the newest of each space, and of spaces that are gone."""
    session.execute(OLDER)


@lru_cache(maxsize=MOST_KEPT)
def _statement(asking: Who, one: bool) -> Compiled:
    """Each space with its last change, and what is the same for all of them."""
    active = (ModelEndpoint.workspace_id == asking.workspace_id) & ModelEndpoint.active
    query = select(
        Item.id,
        _number(NEWEST),
        _number(func.pg_snapshot_xmin(func.pg_current_snapshot())),
        select(ModelEndpoint.embeds).where(active, ModelEndpoint.embeds != "").scalar_subquery(),
        exists().where(active),
    ).where(seen_by(asking), Item.kind == KIND)
    if one:
        query = query.where(Item.id == bindparam("space"))
    return for_driver(query)


def _number(transaction: ColumnElement[Any]) -> ColumnElement[int]:
    return cast(cast(transaction, Text), BigInteger)
