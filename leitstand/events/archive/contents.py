"""Rows of events on their way between PostgreSQL and Parquet, and what tells their content.

Both ways go through COPY and its CSV, in which PostgreSQL and Arrow agree about every value; ids are kept as text, so
that anything that reads Parquet can read the archive.
"""

import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg import Copy, Cursor, sql

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 1
UUIDS = ("workspace_id", "event_id", "companion_id", "import_id")
TEXTS = ("kind", "run_key", "step", "actor_key", "actor_kind", "touched", "source", "props")
INSTANTS = ("occurred_at", "received_at")
COLUMNS = (
    "workspace_id", "event_id", "kind", "companion_id", "flow_version", "run_key", "step", "seq", "actor_key", "actor_kind",
    "touched", "occurred_at", "received_at", "source", "is_test", "import_id", "content_hash", "props",
)  # fmt: skip
# So many rows are skipped at once when an id is looked for.
ROWS_A_GROUP = 65_536
BLOCK = 16 * 1024 * 1024
ROWS_A_BATCH = 32_768
# Text that tells a row to the last letter; the sum tells a row that is there twice, which the exclusive or does not.
SUMMARY = sql.SQL("""
SELECT e.workspace_id, count(*), count(*) || ':' || sum(hash) || ':' || bit_xor(hash), min(occurred_at), max(occurred_at),
       max(received_at), array_agg(DISTINCT companion_id), array_agg(DISTINCT (occurred_at AT TIME ZONE 'UTC')::date)
FROM {table} AS e, LATERAL (SELECT hashtextextended(e::text, 0) AS hash OFFSET 0) AS hashed
GROUP BY e.workspace_id ORDER BY e.workspace_id
""")


@dataclass(frozen=True)
class Summary:
    """What a table holds of one workspace: enough to tell it from every other content, and what is kept of it."""

    workspace_id: UUID
    rows: int
    content_hash: str
    first_at: datetime
    last_at: datetime
    received_at: datetime
    companions: list[UUID]
    days: list[date]


def summaries(cursor: Cursor[Any], table: str) -> dict[UUID, Summary]:
    """What a table of events holds, by workspace; reads all of it once."""
    cursor.execute(SUMMARY.format(table=sql.Identifier(table)))
    return {row[0]: Summary(*row) for row in cursor.fetchall()}


def write(cursor: Cursor[Any], table: str, workspace_id: UUID, path: Path) -> None:
    """Write a workspace's rows of a table as Parquet, in the order of their ids; a row group is in memory at one time."""
    import pyarrow.parquet as pq

    dictionary = [name for name in COLUMNS if name not in ("event_id", "props", "content_hash", *INSTANTS)]
    options = {"compression": "zstd", "use_dictionary": dictionary, "store_schema": True}
    with (
        pq.ParquetWriter(path, schema(), **options) as writer,
        cursor.copy(_query(table, workspace_id)) as copy,
    ):
        for rows in _groups(_parsed(copy)):
            writer.write_table(rows, row_group_size=ROWS_A_GROUP)


def schema() -> "pa.Schema":
    """The columns of the archive's files."""
    import pyarrow as pa

    kinds = {name: pa.string() for name in (*UUIDS, *TEXTS)}
    kinds |= {name: pa.timestamp("us", "UTC") for name in INSTANTS}
    kinds |= {
        "flow_version": pa.int32(),
        "seq": pa.int32(),
        "is_test": pa.bool_(),
        "content_hash": pa.int64(),
    }
    fields = [pa.field(name, kinds[name]) for name in COLUMNS]
    return pa.schema(fields, metadata={"leitstand.schema_version": str(SCHEMA_VERSION)})


def _query(table: str, workspace_id: UUID) -> sql.Composed:
    columns = [
        sql.SQL("(extract(epoch FROM {}) * 1000000)::bigint" if name in INSTANTS else "{}").format(
            sql.Identifier(name)
        )
        for name in COLUMNS
    ]
    query = "COPY (SELECT {} FROM {} WHERE workspace_id = {} ORDER BY event_id) TO STDOUT (FORMAT csv)"
    return sql.SQL(query).format(
        sql.SQL(", ").join(columns), sql.Identifier(table), sql.Literal(str(workspace_id))
    )


class _Reading(io.RawIOBase):
    """What COPY gives, as a file."""

    def __init__(self, copy: Copy) -> None:
        self._copy = copy
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        if not self._rest:
            self._rest = memoryview(self._copy.read())
        taken = min(len(target), len(self._rest))
        target[:taken] = self._rest[:taken]
        self._rest = self._rest[taken:]
        return taken


def _parsed(copy: Copy) -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa
    from pyarrow import csv

    wanted = schema()
    kinds = {field.name: pa.int64() if field.name in INSTANTS else field.type for field in wanted}
    reader = csv.open_csv(
        io.BufferedReader(_Reading(copy), BLOCK),
        read_options=csv.ReadOptions(column_names=list(COLUMNS), block_size=BLOCK, use_threads=False),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=kinds, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False,
            true_values=["t"], false_values=["f"],
        ),
    )  # fmt: skip
    for batch in reader:
        yield batch.cast(wanted)


def _groups(batches: Iterator["pa.RecordBatch"]) -> Iterator["pa.Table"]:
    """The same rows in tables of whole row groups, and the rest."""
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        table = pa.Table.from_batches(waiting, schema())
        whole = table.num_rows // ROWS_A_GROUP * ROWS_A_GROUP
        if whole:
            yield table.slice(0, whole)
            waiting = table.slice(whole).to_batches()
    yield pa.Table.from_batches(waiting, schema())


def load(
    cursor: Cursor[Any],
    path: Path,
    table: str,
    *,
    columns: Collection[str] = COLUMNS,
    only: "pa.compute.Expression | None" = None,
) -> None:
    """Write rows of a file of the archive into a table of these columns.

    Args:
        only: which rows; None: all of them.
    """
    import pyarrow.dataset as ds
    from pyarrow import csv

    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    target = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(sql.Identifier(table), names)
    rows = ds.dataset(path, format="parquet").scanner(
        columns=list(columns), filter=only, batch_size=ROWS_A_BATCH, batch_readahead=2, fragment_readahead=1
    )
    with cursor.copy(target) as copy:
        for batch in rows.to_batches():
            if batch.num_rows:
                text = io.BytesIO()
                csv.write_csv(batch, text, csv.WriteOptions(include_header=False))
                copy.write(text.getvalue())
