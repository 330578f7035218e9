"""Items as a file: JSON with everything, which `imports` takes in again, or CSV for spreadsheets."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue.contents import FLOW_KIND, opened
from leitstand.catalogue.kinds import parse
from leitstand.catalogue.listing import LARGEST_PAGE, Filters, find
from leitstand.db.models import CompanionVersion, Item, ItemVersion
from leitstand.errors import InvalidInput
from leitstand.identity.access import Principal
from leitstand.words import msg

FORMAT, FORMAT_VERSION = "leitstand-items", 1
FORMATS = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
COLUMNS = (
    "kind", "title", "description", "tags", "external_key", "status", "visibility", "icon", "version", "created_at",
    "updated_at", "id",
)  # fmt: skip
# A spreadsheet takes what begins so for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export(session: Session, *, principal: Principal, filters: Filters, form: str) -> Iterator[str]:
    """The items that match, as a file in pieces; it reads them a page at a time.

    Args:
        form: `csv` or `json`.

    Raises:
        Forbidden: without `item:read`.
        InvalidInput: there is no such form, or a filter has a value that there is not.
    """
    if form not in FORMATS:
        raise InvalidInput(msg("There is no form {form!r}.", form=form[:20]), hint="It is csv or json.")
    return (_csv if form == "csv" else _json)(session, principal, filters)


def harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _pages(session: Session, principal: Principal, filters: Filters) -> Iterator[Sequence[Item]]:
    cursor = None
    while True:
        page = find(session, principal=principal, filters=filters, cursor=cursor, limit=LARGEST_PAGE)
        yield page.items
        cursor = page.cursor
        if cursor is None:
            return
        session.expunge_all()


def _csv(session: Session, principal: Principal, filters: Filters) -> Iterator[str]:
    # A byte order mark: without it spreadsheets take UTF-8 for something else.
    yield "\ufeff" + _lines([COLUMNS])
    for page in _pages(session, principal, filters):
        yield _lines([_cells(item) for item in page])


def _cells(item: Item) -> list[str]:
    values = (
        item.kind, item.title, item.description, ", ".join(item.tags), item.external_key or "", item.status,
        item.visibility, item.icon, str(item.version), item.created_at.isoformat(), item.updated_at.isoformat(), str(item.id),
    )  # fmt: skip
    return [harmless(value) for value in values]


def _lines(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _json(session: Session, principal: Principal, filters: Filters) -> Iterator[str]:
    yield f'{{"format": "{FORMAT}", "version": {FORMAT_VERSION}, "items": ['
    separator = "\n"
    for page in _pages(session, principal, filters):
        contents = newest_contents(session, page)
        for item in page:
            document = _document(session, principal, item, contents.get(item.id, {}))
            yield separator + json.dumps(document, ensure_ascii=False)
            separator = ",\n"
    yield "\n]}\n"


def newest_contents(session: Session, items: Sequence[Item]) -> dict[UUID, dict[str, Any]]:
    """What these items hold, as it is kept; one query for flows and one for all others."""
    found: dict[UUID, dict[str, Any]] = {}
    flows = [item.id for item in items if item.kind == FLOW_KIND]
    others = [item.id for item in items if item.kind != FLOW_KIND]
    if flows:
        query = select(CompanionVersion.companion_id, CompanionVersion.flow)
        query = query.where(CompanionVersion.companion_id.in_(flows)).distinct(CompanionVersion.companion_id)
        rows = session.execute(query.order_by(CompanionVersion.companion_id, CompanionVersion.number.desc()))
        found |= dict(rows.tuples().all())
    if others:
        kept = select(ItemVersion.item_id, ItemVersion.content).where(ItemVersion.item_id.in_(others))
        newest = kept.distinct(ItemVersion.item_id).order_by(ItemVersion.item_id, ItemVersion.number.desc())
        found |= dict(session.execute(newest).tuples().all())
    return found


def _document(session: Session, principal: Principal, item: Item, content: dict[str, Any]) -> dict[str, Any]:
    shown = opened(session, principal, item, parse(item.kind, content)).content.document()
    return {
        "id": str(item.id), "kind": item.kind, "external_key": item.external_key, "title": item.title,
        "description": item.description, "tags": list(item.tags), "icon": item.icon, "visibility": item.visibility,
        "status": item.status, "content": shown,
    }  # fmt: skip
