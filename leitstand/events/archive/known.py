"""What the archive knows of events that come in: so that one is counted once, wherever it was put since.

An event of a month that was archived is looked up in the month's objects by its id. One that is new goes into the table,
whose partition of that month is made again; the next archiving writes it beside the others.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Cursor

from leitstand.events.archive import holding, parts
from leitstand.events.partitions import month_of

LOOKED_AT = ("event_id", "content_hash", "import_id", "received_at")


class ArchivedEvent(NamedTuple):
    """What tells an archived event: its id, its content, which import brought it, and when."""

    event_id: UUID
    content_hash: int
    import_id: UUID | None
    received_at: datetime


def archived_of(cursor: Cursor[Any], workspace_id: UUID, event_ids: Collection[UUID]) -> list[ArchivedEvent]:
    """Those of these events that are in the archive; where events of their months are stays so until the transaction ends.

    Raises:
        Unavailable: the archive can't be read now.
    """
    months = holding.may_be_archived(event_ids, datetime.now(UTC))
    if not months:
        return []
    holding.hold_months(cursor, months)
    archived = parts.of_months(cursor, workspace_id, months)
    if not archived:
        return []
    wanted = sorted(str(event_id) for event_id in event_ids)
    held = {month_of(event_id) for event_id in event_ids}
    return [
        event for part in archived if part.month in held for event in look_up(parts.file_of(part), wanted)
    ]


def look_up(path: Path, wanted: list[str]) -> Iterator[ArchivedEvent]:
    """The events of a file that have one of these ids (sorted); reads only what may hold one."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for group in _groups(file.metadata, wanted):
            rows = file.read_row_group(group, columns=list(LOOKED_AT))
            found = rows.filter(pc.is_in(rows["event_id"], pa.array(wanted)))
            for event_id, content_hash, import_id, received_at in zip(
                *(found[name].to_pylist() for name in LOOKED_AT), strict=True
            ):
                yield ArchivedEvent(
                    UUID(event_id), content_hash, UUID(import_id) if import_id else None, received_at
                )


def _groups(metadata: Any, wanted: list[str]) -> Iterator[int]:
    """The row groups between whose least and greatest id one of these lies."""
    column = metadata.schema.to_arrow_schema().get_field_index("event_id")
    for group in range(metadata.num_row_groups):
        found = metadata.row_group(group).column(column).statistics
        if found is None or bisect_left(wanted, found.min) < bisect_right(wanted, found.max):
            yield group
