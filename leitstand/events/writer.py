"""Batches of events written once: copied, taken into the ledger, merged into the facts, in one transaction."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Cursor, sql

from leitstand.db.models.events import HUMANS
from leitstand.events import facts

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
    event_id uuid, kind text, companion_id uuid, run_key text, step text, seq int, actor_key text, occurred_at timestamptz,
    counts boolean
) ON COMMIT DELETE ROWS
"""
TAKE = """
WITH taken AS (
    INSERT INTO event (workspace_id, event_id, kind, companion_id, flow_version, run_key, step, seq, actor_key, actor_kind,
                       touched, occurred_at, received_at, source, is_test, import_id, content_hash, props)
    SELECT %(workspace)s, event_id, kind, companion_id, flow_version, run_key, step, seq, actor_key, actor_kind, touched,
           occurred_at, %(received)s, %(source)s, is_test, %(import)s, content_hash, props
    FROM incoming_event ORDER BY event_id
    ON CONFLICT (workspace_id, event_id) DO NOTHING
    RETURNING event_id, kind, companion_id, run_key, step, seq, actor_key, occurred_at, actor_kind, is_test
)
INSERT INTO fresh_event SELECT event_id, kind, companion_id, run_key, step, seq, actor_key, occurred_at,
       NOT is_test AND actor_kind = ANY(%(humans)s) FROM taken
"""
REPEATED = """
SELECT i.place, e.content_hash = i.content_hash, e.import_id IS NOT DISTINCT FROM %(import)s, e.received_at
FROM incoming_event AS i JOIN event AS e ON e.workspace_id = %(workspace)s AND e.event_id = i.event_id
WHERE NOT EXISTS (SELECT FROM fresh_event AS f WHERE f.event_id = i.event_id)
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


def take(
    cursor: Cursor[Any], origin: Origin, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]
) -> tuple[int, dict[int, Repeated]]:
    """Write a batch whose ids are unique, and merge what of it is new into the facts.

    Args:
        columns: those of `COLUMNS` that the rows have.
        rows: one tuple an event; its month's partition exists.

    Returns:
        How many were new, and by `place` those that were not.
    """
    cursor.execute(INCOMING)
    cursor.execute(FRESH)
    cursor.execute("DELETE FROM incoming_event; DELETE FROM fresh_event")
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    count, companions = 0, set()
    with cursor.copy(sql.SQL("COPY incoming_event ({}) FROM STDIN").format(names)) as copy:
        for row in rows:
            copy.write_row(row)
            companions.add(row[2])
            count += 1
    facts.lock_for_merge(cursor, list(companions))
    values = {
        "workspace": origin.workspace_id, "received": origin.received_at, "source": origin.source,
        "import": origin.import_id, "humans": list(HUMANS),
    }  # fmt: skip
    cursor.execute(TAKE, values)
    accepted = cursor.rowcount
    repeated = _repeated(cursor, values) if accepted < count else {}
    if accepted:
        cursor.execute("DELETE FROM fresh_event WHERE NOT counts")
        facts.merge(cursor, workspace_id=origin.workspace_id, events="fresh_event")
    return accepted, repeated


def _repeated(cursor: Cursor[Any], values: dict[str, Any]) -> dict[int, Repeated]:
    """What was there already; by the key, never by reading whole partitions."""
    cursor.execute(
        "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off"
    )
    cursor.execute(REPEATED, values)
    found = {place: Repeated(*rest) for place, *rest in cursor.fetchall()}
    cursor.execute(
        "SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on; SET LOCAL enable_seqscan = on"
    )
    return found
