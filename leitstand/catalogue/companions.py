"""Companions: items with a flow, a funnel and end steps."""

import re
import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.catalogue.editing import require_edit
from leitstand.catalogue.flow_uses import refer
from leitstand.catalogue.items import create_item, get_item
from leitstand.db.models import Companion, CompanionVersion, Item, Person
from leitstand.db.models.base import new_id
from leitstand.db.row_security import lifted
from leitstand.errors import Conflict, NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.limits.room import require_room
from leitstand.words import msg

KIND = "companion"
SLUG_WORDS = 40
SLUG_CHANCE = 3
MOST_VERSIONS = 100


def ensure_companion(session: Session, *, workspace_id: UUID, key: str, title: str | None = None) -> UUID:
    """The companion that imported events call `key`, made (published) if there is none; safe under concurrency.

    Args:
        key: the name by which the source of the events calls it (a flow_id).
        title: what people read; the key where none is given.
    """
    row = {"id": new_id(), "workspace_id": workspace_id, "kind": "companion", "external_key": key}
    shown = {"title": title or key, "status": "published"}
    unique = ["workspace_id", "kind", "external_key"]
    session.execute(insert(Item).values(row | shown).on_conflict_do_nothing(index_elements=unique))
    found = select(Item.id).where(
        Item.workspace_id == workspace_id, Item.kind == "companion", Item.external_key == key
    )
    item_id = session.execute(found).scalar_one()
    session.execute(insert(Companion).values(item_id=item_id).on_conflict_do_nothing())
    return item_id


@dataclass(frozen=True)
class Version:
    """One saved version of a flow: its number, when it was saved, and by whom (empty: nobody we know)."""

    number: int
    created_at: datetime
    created_by: str


@dataclass(frozen=True)
class CompanionDetails:
    """A companion with what is its own; `versions` newest first, without their flows."""

    item: Item
    companion: Companion
    versions: list[Version]


def create(
    session: Session,
    *,
    principal: Principal,
    title: str,
    description: str = "",
    tags: Iterable[str] = (),
    visibility: str = "workspace",
) -> Item:
    """Make a companion: a draft without a flow, so that nothing is open to visitors yet.

    Raises:
        Forbidden: without `item:write`.
        InvalidInput: a value is not fit.
    """
    item = create_item(
        session,
        principal=principal,
        kind=KIND,
        title=title,
        description=description,
        tags=tags,
        visibility=visibility,
    )
    begin(session, item)
    return item


def begin(session: Session, item: Item) -> None:
    """Give a companion just made what is its own: no link and nothing published yet."""
    session.add(Companion(item_id=item.id))
    session.flush()


def next_version(session: Session, item_id: UUID) -> int:
    """The number that the companion's next flow gets; hold its item first."""
    newest = select(func.max(CompanionVersion.number)).where(CompanionVersion.companion_id == item_id)
    return (session.scalar(newest) or 0) + 1


def get(session: Session, *, principal: Principal, item_id: UUID) -> CompanionDetails:
    """A companion with its link and versions.

    Raises:
        NotFound: there is none, or it is not the principal's to see.
    """
    item = get_item(session, principal=principal, item_id=item_id, kind=KIND)
    return CompanionDetails(item, _own(session, item), _versions(session, item_id))


def publish(session: Session, *, principal: Principal, item_id: UUID, version: int | None = None) -> Item:
    """Open a version of the flow to visitors, the newest where none is named; runs keep the version they began on.

    Raises:
        Forbidden: without `item:publish`, or it is not theirs to change.
        NotFound: there is no such companion or version.
        Conflict: it has no flow yet, or it is a draft that can't be run.
        LimitReached: the plan has no room for another published companion.
    """
    require(principal, "item:publish")
    item = get_item(session, principal=principal, item_id=item_id, kind=KIND, for_update=True)
    require_edit(session, principal, item)
    companion = _own(session, item)
    number = _chosen_version(session, item_id, version)
    if session.get_one(CompanionVersion, (item_id, number)).flow.get("draft"):
        raise Conflict(
            msg("Version {number} can't be run yet.", number=number),
            hint="The page of its flow names what is missing.",
        )
    if item.status != "published":
        require_room(session, principal.workspace_id, "published_companions")
    before = {"published_version": companion.published_version, "status": item.status}
    companion.published_version = number
    if companion.slug is None:
        companion.slug = new_slug(item.title)
    item.status = "published"
    _record(session, principal, item, "publish", before, {"published_version": number, "status": item.status})
    return item


def withdraw(session: Session, *, principal: Principal, item_id: UUID) -> Item:
    """Close a companion to visitors; it becomes a draft and keeps its link for the next time.

    Raises:
        Forbidden: without `item:publish`, or it is not theirs to change.
        NotFound: there is no such companion.
    """
    return _close(session, principal=principal, item_id=item_id, status="draft", action="withdraw")


def archive(session: Session, *, principal: Principal, item_id: UUID) -> Item:
    """Close a companion to visitors and put it aside; its figures stay.

    Raises:
        Forbidden: without `item:publish`, or it is not theirs to change.
        NotFound: there is no such companion.
    """
    return _close(session, principal=principal, item_id=item_id, status="archived", action="archive")


def new_slug(title: str) -> str:
    """The last part of a public link: readable, and with enough chance in it to be unique."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = "-".join(re.findall(r"[a-z0-9]+", plain))[:SLUG_WORDS].strip("-")
    return f"{words or KIND}-{secrets.token_hex(SLUG_CHANCE)}"


def _close(session: Session, *, principal: Principal, item_id: UUID, status: str, action: str) -> Item:
    require(principal, "item:publish")
    item = get_item(session, principal=principal, item_id=item_id, kind=KIND, for_update=True)
    require_edit(session, principal, item)
    companion = _own(session, item)
    before = {"published_version": companion.published_version, "status": item.status}
    companion.published_version, item.status = None, status
    _record(session, principal, item, action, before, {"published_version": None, "status": status})
    return item


def _record(
    session: Session,
    principal: Principal,
    item: Item,
    action: str,
    before: dict[str, Any],
    after: dict[str, Any],
) -> None:
    old, new = audit.changed(before, after)
    if new:
        item.updated_at = datetime.now(UTC)
        session.flush()
        refer(session, item.id)
        target = f"{KIND}:{item.id}"
        audit.record(
            session, principal=principal, action=f"{KIND}.{action}", target=target, before=old, after=new
        )


def _own(session: Session, item: Item) -> Companion:
    companion = session.get(Companion, item.id, populate_existing=True)
    if companion is None:
        raise NotFound("There is no such companion.")
    return companion


def _versions(session: Session, item_id: UUID) -> list[Version]:
    query = (
        select(CompanionVersion.number, CompanionVersion.created_at, func.coalesce(Person.name, ""))
        .outerjoin(Person, Person.id == CompanionVersion.created_by)
        .where(CompanionVersion.companion_id == item_id)
        .order_by(CompanionVersion.number.desc())
        .limit(MOST_VERSIONS)
    )
    with lifted(session, "authors may have left the workspace since"):
        return [Version(*row) for row in session.execute(query)]


def _chosen_version(session: Session, item_id: UUID, version: int | None) -> int:
    query = select(func.max(CompanionVersion.number)).where(CompanionVersion.companion_id == item_id)
    if version is not None:
        query = query.where(CompanionVersion.number == version)
    number = session.scalar(query)
    if number is not None:
        return number
    if version is not None:
        raise NotFound(msg("There is no version {version} of this companion.", version=version))
    raise Conflict("This companion has no flow yet.", hint="Save a flow first; then publish it.")
