"""A few events of now written once and merged into the facts, by one statement and without tables of their own.

The same as `writer.take` does for batches, and by the same SQL: where that copies into temporary tables, this has parts
of one statement of the same names. A visitor's step has one event or two, and waits for it.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from psycopg import Cursor, sql
from sqlalchemy.orm import Session

from leitstand.db.engine import driver_cursor
from leitstand.events import facts, partitions
from leitstand.events.writer import COUNTS, FRESH_COLUMNS, TAKEN, Origin, Repeated

FEW = 8
READY = f"""
SELECT ARRAY({partitions.MISSING.format(names="%(names)s::text[]")}),
       (SELECT count(*) FROM ({facts.MERGE_LOCKS}) AS locked)
"""  # noqa: S608
INCOMING = """
SELECT * FROM jsonb_to_recordset(%(events)s::jsonb) AS given(
    event_id uuid, companion_id uuid, run_key text, step text, seq int, actor_key text, touched text,
    occurred_at timestamptz, content_hash bigint, props jsonb, kind text, actor_kind text, is_test boolean, flow_version int
)
"""
KNOWN = """
SELECT event_id, content_hash, import_id IS NOT DISTINCT FROM %(import)s, received_at FROM event
WHERE workspace_id = %(workspace)s AND event_id = ANY(%(ids)s)
"""


def take_few(
    session: Session, origin: Origin, events: Mapping[int, dict[str, Any]], companions: Sequence[UUID]
) -> dict[int, Repeated]:
    """Write events whose ids differ and which no archive has, and merge what is new into the facts.

    Args:
        events: by place the values of each, under the names of `INCOMING`.
        companions: those of the events.

    Returns:
        By place those that were there already.
    """
    cursor = driver_cursor(session)
    months = partitions.needed(one["event_id"] for one in events.values())
    cursor.execute(READY, {"names": list(months), "companions": list(companions)})
    ((missing, _),) = cursor.fetchall()
    partitions.create_within(session, {name: months[name] for name in missing})
    values = origin.values() | {"events": orjson.dumps(list(events.values())).decode()}
    cursor.execute(_statement(), values)
    new = {row[0] for row in cursor.fetchall()}
    old = {place: one for place, one in events.items() if one["event_id"] not in new}
    return _known(cursor, values, old) if old else {}


def _known(
    cursor: Cursor[Any], values: dict[str, Any], events: Mapping[int, dict[str, Any]]
) -> dict[int, Repeated]:
    places = {one["event_id"]: place for place, one in events.items()}
    cursor.execute(KNOWN, values | {"ids": list(places)})
    return {
        places[event_id]: Repeated(
            known == events[places[event_id]]["content_hash"], same_import, received_at
        )
        for event_id, known, same_import, received_at in cursor.fetchall()
    }


@lru_cache(maxsize=1)
def _statement() -> bytes:
    """Written, merged into runs, then into actors: in the order of `facts.merge`, so that nobody waits in a circle."""
    runs, actors = facts.merging(sql.Identifier("fresh_event"))
    parts = {
        "incoming": sql.SQL(INCOMING), "taken": sql.SQL(TAKEN), "columns": sql.SQL(FRESH_COLUMNS), "counts": sql.SQL(COUNTS),
        "runs": runs, "actors": actors,
    }  # fmt: skip
    return (
        sql.SQL("""
            WITH incoming_event AS MATERIALIZED ({incoming}), taken AS ({taken}),
                 fresh_event AS MATERIALIZED (SELECT {columns} FROM taken WHERE {counts}),
                 merged_runs AS ({runs}), merged_actors AS ({actors})
            SELECT event_id FROM taken
        """)
        .format(**parts)
        .as_string(None)
        .encode()
    )
