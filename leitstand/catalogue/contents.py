"""What an item holds: made, read as its reader may see it, saved as a new version where something changed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue import companions
from leitstand.catalogue.flow_uses import checked_uses, refer, write_references
from leitstand.catalogue.items import create_item, editable, facts, get_item, note_change, set_checked
from leitstand.catalogue.kinds import parse
from leitstand.catalogue.kinds.base import Author, Content, Reference
from leitstand.catalogue.listing import titles_of
from leitstand.db.models import CompanionVersion, Item, ItemVersion
from leitstand.errors import InvalidInput
from leitstand.identity import audit
from leitstand.identity.access import Principal
from leitstand.words import N_, msg

FLOW_KIND = "companion"
NOTE_LENGTH = 500


@dataclass(frozen=True)
class Opened:
    """An item with its content as its reader may see it.

    Args:
        hidden: how many items the content uses that the reader may not see; they are left out of it.
        used: the items it uses, by id.
    """

    item: Item
    content: Content
    hidden: int
    used: dict[UUID, Item]


def create(
    session: Session,
    *,
    principal: Principal,
    kind: str,
    title: str,
    description: str = "",
    tags: Iterable[str] = (),
    visibility: str = "workspace",
    icon: str = "",
    content: Content | dict[str, Any] | None = None,
    external_key: str | None = None,
) -> Item:
    """Make an item of any kind: a draft, the principal's own, with its first version.

    Raises:
        Forbidden: without `item:write`, or what the visibility needs.
        InvalidInput: a value is not fit, or the content uses what the principal may not see.
    """
    parsed = content if isinstance(content, Content) else parse(kind, content or {})
    _check_references(session, principal, None, parsed, set())
    item = create_item(
        session,
        principal=principal,
        kind=kind,
        title=title,
        description=description,
        tags=tags,
        visibility=visibility,
        icon=icon,
        external_key=external_key,
    )
    if kind == FLOW_KIND:
        companions.begin(session, item)
        write_flow(session, principal, item, parsed.document())
        return item
    settled = parsed.settled(parse(kind, {}), _author(principal))
    _write(session, principal, item, settled, note="")
    return item


def read(session: Session, *, principal: Principal, item_id: UUID, kind: str | None = None) -> Opened:
    """An item with its newest content.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is none of that kind, or it is not the principal's to see.
    """
    item = get_item(session, principal=principal, item_id=item_id, kind=kind)
    return opened(session, principal, item, stored(session, item))


def save(
    session: Session,
    *,
    principal: Principal,
    item_id: UUID,
    kind: str | None = None,
    title: str | None = None,
    description: str | None = None,
    tags: Iterable[str] | None = None,
    icon: str | None = None,
    visibility: str | None = None,
    content: Content | dict[str, Any] | None = None,
    note: str = "",
    seen: datetime | int | None = None,
    first: bool = False,
) -> Item:
    """Change what is given and leave the rest; a new version where title, text, tags, icon or content changed.

    Args:
        note: why, for the history.
        seen: `updated_at` or `version` as the editor saw it; a change made since then is not overwritten.
        first: it was made just now, so that what it becomes is its first version.

    Raises:
        Forbidden: the principal may not change it.
        NotFound: there is no such item.
        InvalidInput: a value is not fit, or the content uses what the principal may not see.
        Conflict: somebody changed it since `seen`.
    """
    item = editable(session, principal=principal, item_id=item_id, kind=kind, seen=seen)
    before, old = facts(item), stored(session, item)
    new = _checked_content(session, principal, item, old, content)
    if item.kind != FLOW_KIND and item.version == 0 and not first:
        # It was made before its kind had versions: what it was is kept as the first.
        _write(session, principal, item, old, note="")
    given = {"title": title, "description": description, "tags": tags, "icon": icon, "visibility": visibility}
    set_checked(session, principal, item, given)
    if item.kind == FLOW_KIND:
        if new != old:
            write_flow(session, principal, item, new.document())
    elif first or new != old or _versioned(before) != _versioned(facts(item)):
        _write(session, principal, item, new, note=note)
        if new != old:
            _note_content(session, principal, item)
    note_change(session, principal=principal, item=item, action="update", before=before)
    return item


def stored(session: Session, item: Item, number: int | None = None) -> Content:
    """The content as it is kept, of the newest or the named version; an empty one where there is none."""
    query = _flows(item) if item.kind == FLOW_KIND else _contents(item)
    column = CompanionVersion.number if item.kind == FLOW_KIND else ItemVersion.number
    if number is not None:
        query = query.where(column == number)
    found = session.scalar(query.order_by(column.desc()).limit(1))
    return parse(item.kind, found or {})


def opened(session: Session, principal: Principal, item: Item, content: Content) -> Opened:
    """A content of an item as the principal may see it."""
    ids = {reference.item_id for reference in content.references()}
    used = titles_of(session, principal=principal, item_ids=ids)
    hidden = ids - set(used)
    return Opened(item, content.without(hidden) if hidden else content, len(hidden), used)


def write_flow(session: Session, principal: Principal, item: Item, flow: dict[str, Any]) -> int:
    """Keep a flow as the companion's next version and give its number; hold its item first.

    An empty flow and one equal to the newest make no new version.

    Raises:
        InvalidInput: it uses a control, space, person or group that the principal may not use.
    """
    if not flow:
        return 0
    flow, number = checked_uses(session, principal, flow), companions.next_version(session, item.id)
    if number > 1 and stored(session, item).document() == flow:
        return number - 1
    session.add(
        CompanionVersion(companion_id=item.id, number=number, flow=flow, created_by=principal.person_id)
    )
    item.updated_at = datetime.now(UTC)
    session.flush()
    target = f"{FLOW_KIND}:{item.id}"
    audit.record(
        session, principal=principal, action="companion.save", target=target, after={"version": number}
    )
    refer(session, item.id)
    return number


def _checked_content(
    session: Session, principal: Principal, item: Item, old: Content, content: Content | dict[str, Any] | None
) -> Content:
    """The content to save: what is given, with what the editor could not see."""
    if content is None:
        return old
    new = content if isinstance(content, Content) else parse(item.kind, content)
    ids = {reference.item_id for reference in old.references()}
    hidden = ids - set(titles_of(session, principal=principal, item_ids=ids))
    whole = new.keeping(old, hidden)
    _check_references(session, principal, item, whole, hidden)
    return parse(item.kind, whole.settled(old, _author(principal)).document())


def _check_references(
    session: Session, principal: Principal, item: Item | None, content: Content, known: set[UUID]
) -> None:
    references = [reference for reference in content.references() if reference.item_id not in known]
    seen = titles_of(session, principal=principal, item_ids={r.item_id for r in references})
    faults = [
        {"pointer": reference.pointer, "detail": fault}
        for reference in references
        if (fault := _fault(item, reference, seen.get(reference.item_id)))
    ]
    if faults:
        message = msg("At {pointer}: {fault}.", pointer=faults[0]["pointer"], fault=faults[0]["detail"])
        raise InvalidInput(message, hint="Choose another one.", details={"errors": list(faults)})


def _fault(item: Item | None, reference: Reference, found: Item | None) -> str:
    if item is not None and reference.item_id == item.id:
        return msg("a {kind} can't hold itself", kind=item.kind)
    if found is None or (reference.kind and found.kind != reference.kind):
        if not reference.kind:
            return N_("there is no such item that you may see")
        return msg("there is no such {kind} that you may see", kind=reference.kind)
    return ""


def _write(session: Session, principal: Principal, item: Item, content: Content, *, note: str) -> None:
    """Keep what the item is now as its next version, and which items that uses."""
    item.version += 1
    item.updated_at = datetime.now(UTC)
    session.add(
        ItemVersion(
            item_id=item.id,
            number=item.version,
            title=item.title,
            description=item.description,
            tags=list(item.tags),
            icon=item.icon,
            content=content.document(),
            note=note.strip()[:NOTE_LENGTH],
            created_by=principal.person_id,
        )
    )
    session.flush()
    write_references(session, item.id, {reference.item_id for reference in content.references()})


def _note_content(session: Session, principal: Principal, item: Item) -> None:
    target, after = f"{item.kind}:{item.id}", {"version": item.version}
    audit.record(session, principal=principal, action=f"{item.kind}.save", target=target, after=after)


def _versioned(values: dict[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in ("title", "description", "tags", "icon")}


def _author(principal: Principal) -> Author:
    return Author(principal.person_id, principal.name, datetime.now(UTC))


def _flows(item: Item) -> Any:
    return select(CompanionVersion.flow).where(CompanionVersion.companion_id == item.id)


def _contents(item: Item) -> Any:
    return select(ItemVersion.content).where(ItemVersion.item_id == item.id)
