"""Items taken in from a file: all of it is checked first, and nothing is written where anything is wrong."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from leitstand.catalogue import companions, contents, items
from leitstand.catalogue.editing import may_edit
from leitstand.catalogue.icons import checked_icon
from leitstand.catalogue.import_files import MEMBERS, Fault, Record, read_file
from leitstand.catalogue.kinds import KINDS, parse
from leitstand.catalogue.publicity import checked_visibility
from leitstand.catalogue.text import checked_description, checked_tags, checked_title
from leitstand.catalogue.visibility import reachable
from leitstand.db.models import Item
from leitstand.db.models.base import new_id
from leitstand.errors import InvalidInput, LeitstandError
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.words import msg

MOST_FAULTS = 100
KEY_LENGTH = 200
# Makes a flow fit to be kept, or refuses it: the layer that knows flows stands above this one.
CheckFlow = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Planned:
    """What becomes of one item of a file: it is made, or changes the one with its key; `item_id` once that is done."""

    line: int | None
    kind: str
    title: str
    action: str
    item_id: UUID | None = None


@dataclass
class _Work:
    record: Record
    values: dict[str, Any]
    known: Item | None
    item_id: UUID


def import_items(
    session: Session,
    *,
    principal: Principal,
    data: bytes,
    form: str,
    check_flow: CheckFlow,
    kind: str = "",
    dry_run: bool = False,
) -> list[Planned]:
    """Take in a file; what becomes of each of its items, in its order.

    An item with an `external_key` that its kind has already changes that one; every other is made anew, as the
    principal's own draft. Items that use each other within the file do so afterwards too.

    Args:
        data: at most 5 MB and 5,000 items.
        form: `json` (of our own export) or `csv`.
        kind: of rows of CSV that name none.
        dry_run: only say what would be done.

    Raises:
        Forbidden: without `item:write`.
        TooLarge: the file is larger than that.
        InvalidInput: it can't be read, or something in it is wrong; `details["errors"]` has line, pointer and why.
    """
    require(principal, "item:write")
    faults: list[Fault] = []
    work = list(_checked(session, principal, read_file(data, form, kind), check_flow, faults))
    _refuse(faults)
    planned = [
        Planned(one.record.line, one.values["kind"], one.values["title"], "change" if one.known else "make")
        for one in work
    ]
    with session.begin_nested() as savepoint:
        done = _written(session, principal, work, planned, faults)
        if dry_run or faults:
            savepoint.rollback()
    if dry_run or faults:
        session.expire_all()
    _refuse(faults)
    return planned if dry_run else done


def _written(
    session: Session, principal: Principal, work: list[_Work], planned: list[Planned], faults: list[Fault]
) -> list[Planned]:
    """Everything written: first the items, then what they hold, so that they can use each other."""
    ids = {str(one.record.values["id"]): one for one in work if one.record.values.get("id")}
    for one in work:
        if one.known is None:
            one.item_id = _made(session, principal, one.values)
    renamed = {old: str(one.item_id) for old, one in ids.items()}
    # Flows keep their controls as they are: those of the same file must be there first.
    for one in sorted(work, key=lambda one: one.values["kind"] == contents.FLOW_KIND):
        try:
            _save(session, principal, one, renamed)
        except LeitstandError as error:
            faults.append(Fault(one.record.line, one.record.pointer, error.message))
    if not faults:
        after = {"items": len(work), "changed": sum(one.known is not None for one in work)}
        audit.record(session, principal=principal, action="item.import", target="items", after=after)
    return [replace(plan, item_id=one.item_id) for plan, one in zip(planned, work, strict=True)]


def _made(session: Session, principal: Principal, values: dict[str, Any]) -> UUID:
    item = items.create_item(
        session,
        principal=principal,
        kind=values["kind"],
        title=values["title"],
        visibility=values.get("visibility", "workspace"),
        external_key=values.get("external_key"),
    )
    if item.kind == contents.FLOW_KIND:
        companions.begin(session, item)
    return item.id


def _save(session: Session, principal: Principal, one: _Work, renamed: dict[str, str]) -> None:
    content = one.values.get("content")
    contents.save(
        session,
        principal=principal,
        item_id=one.item_id,
        title=one.values["title"],
        description=one.values.get("description"),
        tags=one.values.get("tags"),
        icon=one.values.get("icon"),
        content=None if content is None else _with(content, renamed),
        first=one.known is None,
    )


def _with(value: Any, renamed: dict[str, str]) -> Any:
    """The content with the ids that items of the file have from now on."""
    if isinstance(value, dict):
        return {name: _with(part, renamed) for name, part in value.items()}
    if isinstance(value, list):
        return [_with(part, renamed) for part in value]
    return renamed.get(value, value) if isinstance(value, str) else value


def _checked(
    session: Session, principal: Principal, records: list[Record], check_flow: CheckFlow, faults: list[Fault]
) -> Iterable[_Work]:
    known = _known(session, principal, records)
    seen: set[tuple[str, str]] = set()
    for record in records:
        before = len(faults)
        values = _values(principal, record, check_flow, faults)
        if len(faults) > before:
            continue
        key = (values["kind"], values["external_key"] or "")
        if key[1] and key in seen:
            faults.append(_fault(record, "/external_key", "stands twice in the file"))
            continue
        seen.add(key)
        item = known.get(key)
        if item is not None and not _usable(session, principal, item):
            faults.append(_fault(record, "/external_key", "is that of an item that you can't change"))
            continue
        yield _Work(record, values, item, item.id if item else new_id())


def _known(session: Session, principal: Principal, records: list[Record]) -> dict[tuple[str, str], Item]:
    """The items that have the keys of the file, whoever may see them, also those in the trash."""
    keys = {
        (str(record.values.get("kind")), record.values["external_key"])
        for record in records
        if isinstance(record.values.get("external_key"), str)
    }
    if not keys:
        return {}
    query = select(Item).where(
        Item.workspace_id == principal.workspace_id, tuple_(Item.kind, Item.external_key).in_(keys)
    )
    return {(item.kind, item.external_key or ""): item for item in session.scalars(query)}


def _usable(session: Session, principal: Principal, item: Item) -> bool:
    seen = select(Item.id).where(Item.id == item.id, reachable(principal), Item.deleted_at.is_(None))
    return session.scalar(seen) is not None and may_edit(session, principal, item)


def _values(
    principal: Principal, record: Record, check_flow: CheckFlow, faults: list[Fault]
) -> dict[str, Any]:
    """The record's values, checked; every fault noted."""
    given = record.values
    if unknown := [name for name in given if name not in MEMBERS]:
        what = (
            f"there is no member {unknown[0][:40]!r}" if unknown[0] else f"not an item: {str(given[''])[:40]}"
        )
        faults.append(_fault(record, "", what))
        return {}
    if given.get("kind") not in KINDS:
        faults.append(_fault(record, "/kind", f"is none of: {', '.join(KINDS)}"))
        return {}
    values: dict[str, Any] = {"kind": given["kind"], "external_key": None}
    for name, check in _checks(principal, given["kind"], check_flow).items():
        if given.get(name) is None and name != "title":
            continue
        try:
            values[name] = check(given.get(name))
        except LeitstandError as error:
            faults.extend(_details(record, name, error))
    return values


def _checks(principal: Principal, kind: str, check_flow: CheckFlow) -> dict[str, Callable[[Any], Any]]:
    def content(value: Any) -> dict[str, Any]:
        if kind == contents.FLOW_KIND:
            return check_flow(value) if value else {}
        return parse(kind, value).document()

    return {
        "title": lambda value: checked_title(_text(value)),
        "description": lambda value: checked_description(_text(value)),
        "tags": lambda value: checked_tags(_texts(value)),
        "icon": lambda value: checked_icon(_text(value)),
        "visibility": lambda value: checked_visibility(principal, _text(value)),
        "external_key": _key,
        "content": content,
    }


def _details(record: Record, name: str, error: LeitstandError) -> list[Fault]:
    told = error.details.get("errors")
    if isinstance(told, list) and told and all(isinstance(one, dict) and "pointer" in one for one in told):
        return [_fault(record, f"/{name}{one['pointer']}", str(one.get("detail", ""))) for one in told]
    return [_fault(record, f"/{name}", error.message)]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidInput("It is no text.")
    return value


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise InvalidInput("It is no list of texts.")
    return value


def _key(value: Any) -> str | None:
    key = checked_title(_text(value)) if value != "" else None
    if key is not None and len(key) > KEY_LENGTH:
        raise InvalidInput(msg("A key may have at most {key_length} characters.", key_length=KEY_LENGTH))
    return key


def _fault(record: Record, pointer: str, detail: str) -> Fault:
    return Fault(record.line, record.pointer + pointer, detail)


def _refuse(faults: list[Fault]) -> None:
    if not faults:
        return
    shown = [
        {"line": fault.line, "pointer": fault.pointer, "detail": fault.detail}
        for fault in faults[:MOST_FAULTS]
    ]
    raise InvalidInput(
        msg("Things that are wrong with the file: {count}. Nothing was imported.", count=len(faults)),
        hint="Mend them, then import the file again.",
        details={"errors": list(shown)},
    )
