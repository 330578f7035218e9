"""Reading the audit log: by who, what, on what and when; a page at a time, or all of it as a file."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Engine, Select, func, or_, select, tuple_
from sqlalchemy.orm import Session

from leitstand.db import row_security
from leitstand.db.models import AuditEntry
from leitstand.errors import InvalidInput
from leitstand.identity.access import Principal, require
from leitstand.words import msg, spreadsheet

COLUMNS = ("at", "actor", "action", "target", "before", "after", "request_id")
FORMS = ("csv", "json")
BATCH = 1_000
LONGEST = 200


@dataclass(frozen=True)
class Which:
    """Which entries; an empty member leaves none out.

    Args:
        actor: how the name or e-mail of who did it begins, in any case.
        action: `noun.verb`, or the noun alone.
        target: `kind:id`, or how it begins.
        request_id: of the request that made the change.
        start: first day.
        end: last day.
        zone: IANA zone of the days.
    """

    actor: str = ""
    action: str = ""
    target: str = ""
    request_id: str = ""
    start: date | None = None
    end: date | None = None
    zone: str = "UTC"

    def __bool__(self) -> bool:
        """Whether anything is left out."""
        return any((self.actor, self.action, self.target, self.request_id, self.start, self.end))


def list_entries(
    session: Session,
    *,
    principal: Principal,
    which: Which | None = None,
    limit: int = 50,
    before: tuple[datetime, int] | None = None,
) -> list[AuditEntry]:
    """The workspace's newest entries, older than the keyset `before` (at, id) where given.

    Raises:
        Forbidden: without `audit:read`.
        InvalidInput: the last day comes before the first.
    """
    require(principal, "audit:read")
    query = _entries(principal, which or Which())
    if before is not None:
        query = query.where(tuple_(AuditEntry.at, AuditEntry.id) < before)
    return list(session.scalars(query.order_by(AuditEntry.at.desc(), AuditEntry.id.desc()).limit(limit)))


def list_actions(session: Session, *, principal: Principal) -> list[str]:
    """Every action that the workspace's log has, by name; found by hopping along the index, however long the log.

    Raises:
        Forbidden: without `audit:read`.
    """
    require(principal, "audit:read")
    here = AuditEntry.workspace_id == principal.workspace_id
    first = select(func.min(AuditEntry.action).label("action")).where(here)
    hops = first.cte("hops", recursive=True)
    following = (
        select(func.min(AuditEntry.action)).where(here, AuditEntry.action > hops.c.action).scalar_subquery()
    )
    hops = hops.union_all(select(following).where(hops.c.action.is_not(None)))
    return list(session.scalars(select(hops.c.action).where(hops.c.action.is_not(None))))


def export(engine: Engine, *, principal: Principal, which: Which, form: str) -> Iterator[str]:
    """The entries as the text of a file, oldest first, read in one snapshot while it is sent.

    Args:
        form: `csv`, or `json` (one document a line).

    Raises:
        Forbidden: without `audit:read`.
        InvalidInput: there is no such form, or the last day comes before the first.
    """
    require(principal, "audit:read")
    if form not in FORMS:
        raise InvalidInput(
            msg("There is no form {form!r}.", form=form),
            hint=msg("It is one of: {forms}.", forms=", ".join(FORMS)),
        )
    query = _entries(principal, which).order_by(AuditEntry.at, AuditEntry.id)
    rows = _rows(engine, principal, query)
    if form == "csv":
        return spreadsheet.lines(COLUMNS, ([_cell(row[name]) for name in COLUMNS] for row in rows))
    return (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _rows(engine: Engine, principal: Principal, query: Select[tuple[AuditEntry]]) -> Iterator[dict[str, Any]]:
    with Session(engine) as session:
        row_security.enter(session, workspace_id=principal.workspace_id, person_id=principal.person_id)
        found = session.scalars(query.execution_options(yield_per=BATCH))
        for entry in found:
            row = {name: getattr(entry, name) for name in COLUMNS}
            yield row | {"at": entry.at.astimezone(UTC).isoformat()}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _entries(principal: Principal, which: Which) -> Select[tuple[AuditEntry]]:
    here = AuditEntry.workspace_id == principal.workspace_id
    return select(AuditEntry).where(here, *_named(which), *_within(which))


def _named(which: Which) -> Iterator[ColumnElement[bool]]:
    if actor := _storable(which.actor).lower():
        yield func.lower(AuditEntry.actor).startswith(actor, autoescape=True)
    if action := _storable(which.action):
        noun = AuditEntry.action.startswith(f"{action}.", autoescape=True)
        yield or_(AuditEntry.action == action, noun)
    if target := _storable(which.target):
        yield AuditEntry.target.startswith(target, autoescape=True)
    if request_id := _storable(which.request_id):
        yield AuditEntry.request_id == request_id


def _within(which: Which) -> Iterator[ColumnElement[bool]]:
    if which.start and which.end and which.end < which.start:
        raise InvalidInput(
            "The last day comes before the first.", hint="Choose a range that ends after it begins."
        )
    zone = ZoneInfo(which.zone)
    try:
        if which.start:
            yield AuditEntry.at >= datetime.combine(which.start, time(), zone).astimezone(UTC)
        if which.end:
            after = which.end + timedelta(days=1)
            yield AuditEntry.at < datetime.combine(after, time(), zone).astimezone(UTC)
    except OverflowError as error:
        raise InvalidInput("There is no such day here.", hint="Choose a day of this century.") from error


def _storable(text: str) -> str:
    """What is looked for, without what no text of ours has."""
    return "".join(letter for letter in text.strip()[:LONGEST] if letter.isprintable())
