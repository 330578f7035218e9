"""The history of an item: its versions, what differs between two, and going back to one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, literal, select
from sqlalchemy.orm import Session

from leitstand.catalogue.contents import FLOW_KIND, opened, save
from leitstand.catalogue.differences import Difference, differences
from leitstand.catalogue.editing import require_edit
from leitstand.catalogue.items import get_item
from leitstand.catalogue.kinds import parse
from leitstand.db.models import CompanionVersion, Item, ItemVersion, Person
from leitstand.db.row_security import lifted
from leitstand.errors import InvalidInput, NotFound
from leitstand.identity.access import Principal
from leitstand.words import msg

MOST = 200


@dataclass(frozen=True)
class Version:
    """One version: its number, when and by whom it was saved (empty: nobody we know), and why."""

    number: int
    created_at: datetime
    created_by: str
    note: str = ""


@dataclass(frozen=True)
class Snapshot:
    """What an item was in a version; of a companion, title, description, tags and icon are those of today."""

    number: int
    title: str
    description: str
    tags: list[str]
    icon: str
    content: dict[str, Any]

    def values(self) -> dict[str, Any]:
        """What is compared."""
        return {
            "title": self.title, "description": self.description, "tags": self.tags, "icon": self.icon,
            "content": self.content,
        }  # fmt: skip


def list_versions(
    session: Session,
    *,
    principal: Principal,
    item_id: UUID,
    kind: str | None = None,
    before: int | None = None,
) -> list[Version]:
    """The versions, newest first, at most 200.

    Args:
        before: only those with a lower number, for the next page.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is no such item.
    """
    item = get_item(session, principal=principal, item_id=item_id, kind=kind)
    query, number = _versions(item)
    if before is not None:
        query = query.where(number < before)
    with lifted(session, "authors may have left the workspace since"):
        return [Version(*row) for row in session.execute(query.order_by(number.desc()).limit(MOST))]


def read_version(
    session: Session, *, principal: Principal, item_id: UUID, number: int, kind: str | None = None
) -> Snapshot:
    """What the item was in a version; items that the reader may not see are left out of its content.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is no such item or version.
    """
    item = get_item(session, principal=principal, item_id=item_id, kind=kind)
    return _shown(session, principal, item, number)


def compare(
    session: Session, *, principal: Principal, item_id: UUID, first: int, second: int, kind: str | None = None
) -> list[Difference]:
    """How version `second` differs from version `first`; items that are named in paths are named by title.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is no such item or version.
    """
    item = get_item(session, principal=principal, item_id=item_id, kind=kind)
    shown = [_shown(session, principal, item, number) for number in (first, second)]
    titles = _titles(session, principal, item, shown)
    found = differences(shown[0].values(), shown[1].values())
    return [
        Difference(
            change.what,
            tuple(titles.get(part, part) for part in change.path),
            titles.get(change.before, change.before) if isinstance(change.before, str) else change.before,
            titles.get(change.after, change.after) if isinstance(change.after, str) else change.after,
            change.lines,
        )
        for change in found
    ]


def roll_back(
    session: Session, *, principal: Principal, item_id: UUID, number: int | None, kind: str | None = None
) -> Item:
    """Make a version the newest again, as a new version: nothing of the history is lost.

    Of a companion the flow is saved anew; what is published stays published.

    Raises:
        Forbidden: the principal may not change it.
        NotFound: there is no such item or version.
        InvalidInput: no version is named.
    """
    item = get_item(session, principal=principal, item_id=item_id, kind=kind, for_update=True)
    require_edit(session, principal, item)
    if number is None:
        raise InvalidInput("No version is named.", hint="Name the version to go back to.")
    then = _shown(session, principal, item, number)
    return save(
        session,
        principal=principal,
        item_id=item_id,
        title=then.title,
        description=then.description,
        tags=then.tags,
        icon=then.icon,
        content=then.content,
        note=f"Rolled back to version {number}",
    )


def _versions(item: Item) -> tuple[Select[Any], Any]:
    table: Any = CompanionVersion if item.kind == FLOW_KIND else ItemVersion
    owner = CompanionVersion.companion_id if item.kind == FLOW_KIND else ItemVersion.item_id
    note = literal("") if item.kind == FLOW_KIND else ItemVersion.note
    query = (
        select(table.number, table.created_at, func.coalesce(Person.name, ""), note)
        .outerjoin(Person, Person.id == table.created_by)
        .where(owner == item.id)
    )
    return query, table.number


def _shown(session: Session, principal: Principal, item: Item, number: int) -> Snapshot:
    if item.kind == FLOW_KIND:
        flow = session.get(CompanionVersion, (item.id, number))
        if flow is None:
            raise _missing(item, number)
        return Snapshot(number, item.title, item.description, list(item.tags), item.icon, flow.flow)
    row = session.get(ItemVersion, (item.id, number))
    if row is None:
        raise _missing(item, number)
    content = opened(session, principal, item, parse(item.kind, row.content)).content.document()
    return Snapshot(number, row.title, row.description, list(row.tags), row.icon, content)


def _missing(item: Item, number: int) -> NotFound:
    return NotFound(
        msg("There is no version {number}.", number=number), hint="Its history lists what is there."
    )


def _titles(session: Session, principal: Principal, item: Item, shown: list[Snapshot]) -> dict[Any, str]:
    """What to call the items that the contents use."""
    if item.kind == FLOW_KIND:
        return {}
    titles: dict[Any, str] = {}
    for snapshot in shown:
        used = opened(session, principal, item, parse(item.kind, snapshot.content)).used
        titles |= {str(item_id): found.title for item_id, found in used.items()}
    return titles
