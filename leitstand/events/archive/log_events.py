"""The archived events of a log, where its facts are computed afresh."""

from typing import Any
from uuid import UUID

from psycopg import Cursor

from leitstand.db.models.events import HUMANS
from leitstand.events.archive import contents, holding, parts

TABLE = "archived_event"
COLUMNS = (
    "event_id", "kind", "companion_id", "flow_version", "run_key", "step", "seq", "actor_key", "occurred_at",
)  # fmt: skip
MAKE = f"""
CREATE TEMP TABLE IF NOT EXISTS {TABLE} (
    event_id uuid, kind text, companion_id uuid, flow_version int, run_key text, step text, seq int, actor_key text,
    occurred_at timestamptz
) ON COMMIT DROP;
TRUNCATE {TABLE}
"""


def bring(cursor: Cursor[Any], *, workspace_id: UUID, log_id: UUID) -> bool:
    """Put the archived events of a log that count into the temporary table `TABLE`; whether there are any.

    No event goes from the table to the archive or back until the transaction ends.

    Raises:
        Unavailable: the archive can't be read now.
    """
    holding.hold_moves(cursor)
    archived = parts.of_log(cursor, workspace_id, log_id)
    if not archived:
        return False
    only = _counting(_companions(cursor, log_id))
    cursor.execute(MAKE.encode())
    for part in archived:
        contents.load(cursor, parts.file_of(part), TABLE, columns=COLUMNS, only=only)
    cursor.execute(f"ANALYZE {TABLE}".encode())
    return True


def _companions(cursor: Cursor[Any], log_id: UUID) -> list[str]:
    cursor.execute("SELECT item_id::text FROM companion WHERE coalesce(log_id, item_id) = %s", [log_id])
    return [row[0] for row in cursor.fetchall()]


def _counting(companions: list[str]) -> Any:
    """Which rows of the archive count in the facts of these companions."""
    import pyarrow.dataset as ds

    return (
        ds.field("companion_id").isin(companions) & ds.field("actor_kind").isin(HUMANS) & ~ds.field("is_test")
    )
