"""Batches of an import: gathered from lines, written with the position they bring the import to."""

import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import orjson
from psycopg import errors
from sqlalchemy import Engine, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.db.engine import driver_cursor
from leitstand.db.models import EventRefusal
from leitstand.events import imports
from leitstand.events.archive.known import archived_of
from leitstand.events.companions import configure, ensure_companions
from leitstand.events.imports import Claim, Counts
from leitstand.events.partitions import ensure_partitions, ensure_partitions_within
from leitstand.events.readers import Record
from leitstand.events.rows import Builder, Refused, Row
from leitstand.events.writer import IMPORT_COLUMNS, Origin, Repeated, escaped, take
from leitstand.words import words_of

MOST_RECORDS = 10_000
MOST_BYTES = 16_000_000
LONGEST_RAW = 2_000
TRIES = 6
PASSING = (errors.DeadlockDetected, errors.SerializationFailure, errors.LockNotAvailable)
# A batch takes well under a second; waiting longer than a request may is better than losing an hour's import.
PATIENCE = "SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = '10min'"


@dataclass
class Batch:
    """Some lines of a file: events by id (each once), refusals, and the last line among them."""

    rows: dict[UUID, tuple[int, Row]] = field(default_factory=dict)
    refusals: list[tuple[int, str, object]] = field(default_factory=list)
    identical: int = 0
    size: int = 0
    last_line: int = 0

    def add(self, record: Record, builder: Builder) -> None:
        """Take in one line, as an event or as a refusal."""
        self.last_line = record.last
        if record.fields is None:
            self.refuse(record.line, record.reason, record.raw)
            return
        try:
            row = builder.build(record.fields)
        except Refused as refused:
            self.refuse(record.line, words_of(refused), record.raw)
            return
        if row.event_id in self.rows:
            self.identical += 1
        else:
            self.rows[row.event_id] = (record.line, row)
            self.size += len(row.props)

    def refuse(self, line: int, reason: str, raw: object) -> None:
        """Keep a line that can't be taken."""
        self.refusals.append((line, reason, raw))

    @property
    def full(self) -> bool:
        """Whether it is time to write it."""
        return len(self.rows) + len(self.refusals) + self.identical >= MOST_RECORDS or self.size >= MOST_BYTES


class BatchWriter:
    """Writes the batches of one import, in order, each in a transaction with the import's position."""

    def __init__(self, engine: Engine, *, workspace_id: UUID, claim: Claim, received_at: datetime) -> None:
        self._engine = engine
        self._claim = claim
        self._origin = Origin(workspace_id, "import", received_at, claim.import_id)
        self.companions: dict[str, UUID] = {}

    def write(self, batch: Batch) -> Counts:
        """Write one batch; again if others were in the way."""
        self._prepare(batch)
        for attempt in range(TRIES):
            try:
                return self._write(batch)
            except PASSING:
                if attempt == TRIES - 1:
                    raise
                time.sleep(random.uniform(0.05, 0.2) * 2**attempt)  # noqa: S311 - spreads retries, no secret
        raise AssertionError("unreachable")

    def _prepare(self, batch: Batch) -> None:
        """Make what the batch's events need: months and companions."""
        if batch.rows:
            ensure_partitions(self._engine, batch.rows)
        keys = {row.companion for _, row in batch.rows.values()} - self.companions.keys()
        if not keys:
            return
        workspace_id = self._origin.workspace_id
        with Session(self._engine) as session, session.begin():
            session.execute(text(PATIENCE))
            end_steps, funnel = self._claim.options.complete, self._claim.options.steps
            found = ensure_companions(
                session,
                workspace_id=workspace_id,
                keys=keys,
                log_id=self._claim.log_id,
                end_steps=end_steps,
                funnel=funnel,
            )
            configure(
                session,
                workspace_id=workspace_id,
                companions=found.values(),
                end_steps=end_steps,
                funnel=funnel,
                import_id=self._claim.import_id,
            )
        self.companions |= found

    def _write(self, batch: Batch) -> Counts:
        ids = self.companions
        named = {row.companion for _, row in batch.rows.values()}
        written = {name: ids[name].hex for name in named}
        lines = [import_line(line, row, written[row.companion]) for line, row in batch.rows.values()]
        companions = {ids[name] for name in named}
        with Session(self._engine) as session, session.begin():
            session.execute(text(PATIENCE))
            accepted, repeated = 0, dict[int, Repeated]()
            if batch.rows:
                cursor = driver_cursor(session)
                archived = archived_of(cursor, self._origin.workspace_id, batch.rows)
                # Once more: a month may have been archived since, and what is new of it needs its partition.
                ensure_partitions_within(session, batch.rows)
                accepted, repeated = take(cursor, self._origin, IMPORT_COLUMNS, lines, companions, archived)
            counts = self._count(batch, accepted, repeated)
            self._keep(session, batch)
            imports.advance(session, import_id=self._claim.import_id, lines_done=batch.last_line, more=counts)
        return counts

    def _count(self, batch: Batch, accepted: int, repeated: dict[int, Repeated]) -> Counts:
        """Tell lines that repeat an earlier one of this file from events that the workspace had before."""
        own = sum(event.same_import and event.received_at >= self._claim.since for event in repeated.values())
        return Counts(accepted, len(repeated) - own, batch.identical + own, len(batch.refusals))

    def _keep(self, session: Session, batch: Batch) -> None:
        if not batch.refusals:
            return
        whose = {"workspace_id": self._origin.workspace_id, "import_id": self._claim.import_id}
        rows = [
            whose | {"line": line, "reason": reason, "raw": shown(raw)}
            for line, reason, raw in batch.refusals
        ]
        session.execute(
            insert(EventRefusal).on_conflict_do_nothing(index_elements=["import_id", "line"]), rows
        )


def import_line(place: int, row: Row, companion_id: str) -> str:
    """A row in the order of `IMPORT_COLUMNS` and the text format of COPY: `copy_line`, several times as fast."""
    event_id, _, run, step, seq, actor, touched, at, content_hash, said_props = row
    props = said_props.decode()
    said = f"{run}{step}{actor}{touched}{props}"
    if "\\" in said or "\t" in said or "\n" in said or "\r" in said:
        run, step, props = escaped(run), escaped(step), escaped(props)
        actor = actor and escaped(actor)
        touched = touched and escaped(touched)
    # An instant of UTC is written twice as fast without its offset.
    moment = f"{at.replace(tzinfo=None).isoformat()}Z" if at.tzinfo is UTC else at.isoformat()
    return (
        f"{place}\t{event_id.hex}\t{companion_id}\t{run}\t{step}\t{'\\N' if seq is None else seq}"
        f"\t{'\\N' if actor is None else actor}\t{'\\N' if touched is None else touched}"
        f"\t{moment}\t{content_hash}\t{props}\n"
    )


def shown(raw: object) -> str:
    """A refused line as text that the database can keep, at most 2,000 characters of it."""
    if isinstance(raw, bytes):
        raw = raw[: LONGEST_RAW * 4].decode(errors="backslashreplace")
    elif not isinstance(raw, str):
        raw = orjson.dumps(raw, default=str).decode(errors="replace")
    clean = raw[:LONGEST_RAW].encode("utf-8", "backslashreplace").decode()
    return clean.replace("\0", "\\x00").rstrip("\r\n")
