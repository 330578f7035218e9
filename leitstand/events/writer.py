"""Batches of events written once: copied, taken into the ledger, merged into the facts, in one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Cursor, sql

from leitstand.db.models.events import HUMANS
from leitstand.events import facts
from leitstand.events.archive.known import ArchivedEvent

LINES_A_WRITE = 500
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
INCOMING = """
CREATE TEMP TABLE IF NOT EXISTS incoming_event (
    place bigint, event_id uuid, companion_id uuid, run_key text, step text, seq int, actor_key text, touched text,
    occurred_at timestamptz, content_hash bigint, props jsonb, kind text DEFAULT 'answered',
    actor_kind text DEFAULT 'visitor', is_test boolean DEFAULT false, flow_version int
) ON COMMIT DELETE ROWS
"""
COLUMNS = (
    "place", "event_id", "companion_id", "run_key", "step", "seq", "actor_key", "touched", "occurred_at",
    "content_hash", "props", "kind", "actor_kind", "is_test", "flow_version",
)  # fmt: skip
# What an import gives of each event; the rest has its default.
IMPORT_COLUMNS = COLUMNS[:11]
FRESH = """
CREATE TEMP TABLE IF NOT EXISTS fresh_event (
    event_id uuid, kind text, companion_id uuid, flow_version int, run_key text, step text, seq int, actor_key text,
    occurred_at timestamptz, counts boolean
) ON COMMIT DELETE ROWS
"""
# The new ones among the incoming, as they are written.
TAKEN = """
    INSERT INTO event (workspace_id, event_id, kind, companion_id, flow_version, run_key, step, seq, actor_key, actor_kind,
                       touched, occurred_at, received_at, source, is_test, import_id, content_hash, props)
    SELECT %(workspace)s, event_id, kind, companion_id, flow_version, run_key, step, seq, actor_key, actor_kind, touched,
           occurred_at, %(received)s, %(source)s, is_test, %(import)s, content_hash, props
    FROM incoming_event ORDER BY event_id
    ON CONFLICT (workspace_id, event_id) DO NOTHING
    RETURNING event_id, kind, companion_id, flow_version, run_key, step, seq, actor_key, occurred_at, actor_kind, is_test
"""
COUNTS = "NOT is_test AND actor_kind = ANY(%(humans)s)"
FRESH_COLUMNS = "event_id, kind, companion_id, flow_version, run_key, step, seq, actor_key, occurred_at"
TAKE = f"WITH taken AS ({TAKEN}) INSERT INTO fresh_event SELECT {FRESH_COLUMNS}, {COUNTS} FROM taken"  # noqa: S608
# OFFSET keeps the planner, which knows little of a fresh month, from reading all of the workspace instead of each key. Of a
# workspace that its statistics do not know it would expect no events, and take any index for as good as the key's; the
# subselect keeps it from looking at which workspace it is.
REPEATED = """
SELECT i.place, e.content_hash = i.content_hash, e.import_id IS NOT DISTINCT FROM %(import)s, e.received_at
FROM incoming_event AS i CROSS JOIN LATERAL (
    SELECT content_hash, import_id, received_at FROM event
    WHERE workspace_id = (SELECT %(workspace)s::uuid) AND event_id = i.event_id OFFSET 0
) AS e
WHERE NOT EXISTS (SELECT FROM fresh_event AS f WHERE f.event_id = i.event_id)
"""
# What the archive has is taken out again before the rest is written: see `archive.known`.
ARCHIVED = """
DELETE FROM incoming_event AS i
USING unnest(%(ids)s::uuid[], %(hashes)s::bigint[], %(imports)s::uuid[], %(instants)s::timestamptz[])
      AS a(event_id, content_hash, import_id, received_at)
WHERE i.event_id = a.event_id
RETURNING i.place, a.content_hash = i.content_hash, a.import_id IS NOT DISTINCT FROM %(import)s, a.received_at
"""


@dataclass(frozen=True)
class Repeated:
    """An event that is there already: whether with the same content, from the same import, and since when."""

    same: bool
    same_import: bool
    received_at: datetime


@dataclass(frozen=True)
class Origin:
    """Where a batch of events comes from."""

    workspace_id: UUID
    source: str
    received_at: datetime
    import_id: UUID | None = None

    def values(self) -> dict[str, Any]:
        """As the statements take it."""
        return {
            "workspace": self.workspace_id, "received": self.received_at, "source": self.source,
            "import": self.import_id, "humans": list(HUMANS),
        }  # fmt: skip


def copy_line(values: Iterable[object]) -> str:
    """A row in the text format of COPY."""
    return "\t".join(map(_cell, values)) + "\n"


def _cell(value: object) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, datetime):
        return value.isoformat()
    return escaped(value) if isinstance(value, str) else str(value)


def escaped(text: str) -> str:
    """Text as COPY wants it."""
    return text.translate(ESCAPES)


def take(
    cursor: Cursor[Any],
    origin: Origin,
    columns: tuple[str, ...],
    lines: Sequence[str],
    companions: Iterable[UUID],
    archived: Sequence[ArchivedEvent] = (),
) -> tuple[int, dict[int, Repeated]]:
    """Write a batch whose ids are unique, and merge what of it is new into the facts.

    Args:
        columns: those of `COLUMNS` that the rows have.
        lines: one of `copy_line` an event; its month's partition exists.
        companions: those of the events.
        archived: those of the events that the archive has; it stays so until the transaction ends.

    Returns:
        How many were new, and by `place` those that were not.
    """
    cursor.execute(INCOMING)
    cursor.execute(FRESH)
    cursor.execute("DELETE FROM incoming_event; DELETE FROM fresh_event")
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    with cursor.copy(sql.SQL("COPY incoming_event ({}) FROM STDIN").format(names)) as copy:
        for begin in range(0, len(lines), LINES_A_WRITE):
            copy.write("".join(lines[begin : begin + LINES_A_WRITE]))
    facts.lock_for_merge(cursor, list(companions))
    values = origin.values()
    repeated = _archived(cursor, values, archived) if archived else {}
    cursor.execute(TAKE, values)
    accepted = cursor.rowcount
    if accepted + len(repeated) < len(lines):
        repeated |= _repeated(cursor, values)
    if accepted:
        cursor.execute("DELETE FROM fresh_event WHERE NOT counts")
        facts.merge(cursor, workspace_id=origin.workspace_id, events="fresh_event")
    return accepted, repeated


def _archived(
    cursor: Cursor[Any], values: dict[str, Any], archived: Sequence[ArchivedEvent]
) -> dict[int, Repeated]:
    """Take out what the archive has."""
    ids, hashes, imports, instants = map(list, zip(*archived, strict=True))
    columns = {"ids": ids, "hashes": hashes, "imports": imports, "instants": instants}
    cursor.execute(ARCHIVED, values | columns)
    return {place: Repeated(*rest) for place, *rest in cursor.fetchall()}


def _repeated(cursor: Cursor[Any], values: dict[str, Any]) -> dict[int, Repeated]:
    """What was there already; by the key, never by reading whole partitions."""
    cursor.execute(REPEATED, values)
    return {place: Repeated(*rest) for place, *rest in cursor.fetchall()}
