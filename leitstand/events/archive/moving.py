"""Months on their way into the archive and back; killed at any moment, an event is in one place and counted once.

Into it: a month's rows are written, uploaded and read back into a table, which must hold exactly what the partition
does. Only then, in one transaction in which nobody may write into the month, the partition is compared once more and
dropped, and the objects are recorded. What a killed run has uploaded is found by its content's name, or tidied.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from psycopg import Cursor, errors, sql
from sqlalchemy import Engine, func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.db.engine import driver_cursor, transaction
from leitstand.db.exclusive import check_held, exclusive
from leitstand.db.ids import lowest_uuid7
from leitstand.db.models import EventArchive
from leitstand.errors import IntegrityFailed, NotFound, Unavailable
from leitstand.events.archive import contents, holding, objects, parts
from leitstand.events.archive.contents import Summary
from leitstand.events.archive.parts import ArchivePart
from leitstand.events.archive.planning import Month, plan
from leitstand.events.partitions import ensure_partitions
from leitstand.settings import Settings
from leitstand.storage.store import store_of
from leitstand.telemetry.logs import get_logger
from leitstand.words import N_, msg

LOCK = N_("archive of events")
READ_BACK = "event_read_back"
MAKE_READ_BACK = sql.SQL("CREATE TEMP TABLE {} (LIKE event INCLUDING DEFAULTS) ON COMMIT DROP").format(
    sql.Identifier(READ_BACK)
)
# The partition is dropped in a moment in which nothing reads events; so often and so long is such a moment waited for.
TRIES, WAIT_SECONDS = 40, 15.0
PATIENCE = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s'"
IN_THE_WAY = (errors.LockNotAvailable, errors.DeadlockDetected)
CHANGED = "events came in while it was archived"
BUSY = "events of it were being written the whole time"
Tell = Callable[[str], None]
log = get_logger("events")


@dataclass(frozen=True)
class Moved:
    """What was moved of a month: events and bytes of objects; or why it was not."""

    month: date
    events: int
    objects: int
    bytes: int
    left: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "month": f"{self.month:%Y-%m}", "events": self.events, "objects": self.objects, "bytes": self.bytes,
            "left": self.left,
        }  # fmt: skip


def archive(
    engine: Engine, settings: Settings, *, now: datetime | None = None, tell: Tell = lambda _: None
) -> list[Moved]:
    """Archive every month that is due; a line for each month that is old enough.

    Raises:
        Conflict: another run is at work.
        IntegrityFailed: what was read back is not what the table holds; the table is as it was.
        Unavailable: the store or the database did not answer; months done before stay done.
    """
    with exclusive(engine, LOCK) as lock:
        store_of(settings).ensure_bucket(settings.bucket_media, versioned=True)
        done = []
        for month in plan(engine, settings, now=now):
            check_held(lock, LOCK)
            done.append(_archive(engine, settings, month, tell))
        objects.tidy(engine, settings)
    return done


def _archive(engine: Engine, settings: Settings, month: Month, tell: Tell) -> Moved:
    if month.waiting:
        tell(f"{month.month:%Y-%m}: left in the table, because {month.waiting}")
        return Moved(month.month, 0, 0, 0, month.waiting)
    found = []
    for place, summary in enumerate(month.summaries, 1):
        found.append(_make(engine, settings, month, summary))
        tell(
            f"{month.month:%Y-%m}: {place} of {len(month.summaries)} workspaces written and read back,"
            f" {summary.rows:,} events"
        )
    left = _drop(engine, month, found)
    size = sum(part.bytes for part in found)
    moved = Moved(month.month, 0, 0, 0, left) if left else Moved(month.month, month.rows, len(found), size)
    tell(f"{month.month:%Y-%m}: {left or f'{moved.events:,} events archived, {size:,} bytes'}")
    log.info("month of events archived", **moved.to_dict())
    return moved


def _make(engine: Engine, settings: Settings, month: Month, summary: Summary) -> ArchivePart:
    """Write a workspace's rows of a month, upload them, and read them back."""
    with objects.being_written(settings, month.name, summary.workspace_id) as path:
        with _at_leisure(engine) as session:
            contents.write(driver_cursor(session), month.name, summary.workspace_id, path)
        made = objects.upload(settings, month.month, summary, path)
    with _at_leisure(engine) as session:
        _read_back(driver_cursor(session), settings, made)
    return made


def _read_back(cursor: Cursor[Any], settings: Settings, part: ArchivePart) -> None:
    """Load an object from the store into the temporary table `READ_BACK` and compare it with what is known of it.

    Raises:
        IntegrityFailed: it holds something else.
    """
    cursor.execute(MAKE_READ_BACK)
    contents.load(cursor, parts.file_of(part, settings), READ_BACK)
    found = {it.workspace_id: it.content_hash for it in contents.summaries(cursor, READ_BACK).values()}
    if found != {part.workspace_id: part.content_hash}:
        raise IntegrityFailed(
            msg("{key} does not hold the {rows:,} events that it should.", key=part.key, rows=part.rows),
            hint="Nothing was changed. Look at the store, then run it again.",
        )


def _drop(engine: Engine, month: Month, made: list[ArchivePart]) -> str:
    """Drop the partition and record its objects, if it still holds what they do; else why not."""
    with _at_leisure(engine) as session:
        try:
            with session.begin_nested():
                holding.hold_alone(driver_cursor(session), month.month)
        except errors.LockNotAvailable:
            return BUSY
        cursor = driver_cursor(session)
        now = {it.workspace_id: it.content_hash for it in contents.summaries(cursor, month.name).values()}
        if now != {part.workspace_id: part.content_hash for part in made}:
            return CHANGED
        for attempt in range(TRIES):
            try:
                with session.begin_nested():
                    _replace(session, month, made)
                    return ""
            except IN_THE_WAY:
                time.sleep(random.uniform(0.2, 1) * WAIT_SECONDS if attempt else 0.2)  # noqa: S311 - spreads tries
    raise Unavailable(
        msg("The events of {month:%Y-%m} were being read the whole time.", month=month.month),
        hint="Run it again; what was written for it is used then.",
    )


def _replace(session: Session, month: Month, made: list[ArchivePart]) -> None:
    """Both or nothing: whoever writes or reads events meanwhile waits for a moment, or this gives up soon."""
    # Asked for here, because the session sets its savepoint when its connection is first wanted.
    cursor = driver_cursor(session)
    cursor.execute("SET LOCAL lock_timeout = '2s'")
    holding.begin_move(cursor)
    cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(month.name)))
    for part in made:
        _record(session, part)


def _record(session: Session, part: ArchivePart) -> None:
    """Note an object; one that had been restored and is now the same again counts once more."""
    row = {name: getattr(part, name) for name in ArchivePart.__dataclass_fields__}
    again = {"restored_at": None, "archived_at": func.now()}
    noted = insert(EventArchive).values(row | {"schema_version": contents.SCHEMA_VERSION})
    session.execute(
        noted.on_conflict_do_update(
            index_elements=["key"], set_=again, where=EventArchive.restored_at.is_not(None)
        )
    )


def to_restore(engine: Engine, *, month: date, workspace_id: UUID | None = None) -> list[ArchivePart]:
    """What of a month is archived, of one workspace or of all.

    Raises:
        NotFound: nothing is.
    """
    with transaction(engine) as session:
        found = parts.of_month(driver_cursor(session), month, workspace_id)
    if not found:
        raise NotFound(
            msg("Nothing of {month:%Y-%m} is archived.", month=month),
            hint="`leitstand events archive list` shows what is.",
        )
    return found


def restore(
    engine: Engine,
    settings: Settings,
    *,
    month: date,
    workspace_id: UUID | None = None,
    tell: Tell = lambda _: None,
) -> Moved:
    """Bring the archived events of a month back into the table; the facts have them already.

    Raises:
        NotFound: nothing of the month is archived.
        Conflict: another run is at work.
        IntegrityFailed: an object does not hold what it should; what was brought back before it stays so.
        Unavailable: the store or the database did not answer.
    """
    with exclusive(engine, LOCK):
        found = to_restore(engine, month=month, workspace_id=workspace_id)
        for place, part in enumerate(found, 1):
            ensure_partitions(engine, [lowest_uuid7(datetime(month.year, month.month, 1, 12, tzinfo=UTC))])
            _bring_back(engine, settings, part)
            tell(f"{month:%Y-%m}: {place} of {len(found)} objects brought back, {part.rows:,} events")
    moved = Moved(month, sum(it.rows for it in found), len(found), sum(it.bytes for it in found))
    log.info("month of events restored", **moved.to_dict())
    return moved


def _bring_back(engine: Engine, settings: Settings, part: ArchivePart) -> None:
    with _at_leisure(engine) as session:
        cursor = driver_cursor(session)
        _read_back(cursor, settings, part)
        holding.hold_alone(cursor, part.month)
        columns = sql.SQL(", ").join(map(sql.Identifier, contents.COLUMNS))
        moved = sql.SQL("INSERT INTO event ({columns}) SELECT {columns} FROM {table} ORDER BY event_id")
        cursor.execute(moved.format(columns=columns, table=sql.Identifier(READ_BACK)))
        holding.begin_move(cursor)
        restored = update(EventArchive).where(EventArchive.key == part.key)
        session.execute(restored.values(restored_at=func.now()))


@contextmanager
def _at_leisure(engine: Engine) -> Iterator[Session]:
    """A transaction whose statements may take as long as they want."""
    with transaction(engine) as session:
        session.execute(text(PATIENCE))
        yield session
