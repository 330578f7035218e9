"""One part of a copy: a fact's rows of a month as a Parquet file, and where it goes."""

import hashlib
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import make_url

from leitstand.insights.columnar import files
from leitstand.insights.copy.facts import Fact, month_after
from leitstand.insights.copy.snapshots import Snapshot
from leitstand.insights.copy.state import Part
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage

if TYPE_CHECKING:
    import pyarrow.parquet as pq

PREFIX = "facts/"
MEDIA_TYPE = "application/vnd.apache.parquet"
# So many rows are skipped at once when their time is out of a question's range.
ROWS_A_GROUP = 65_536
CHUNK = 1024 * 1024


def folder_of(settings: Settings) -> Path:
    """Where parts are written before they are uploaded; made when it is missing.

    Each database has its own, as it has its own lock of copiers: who holds that lock sweeps nobody else's.
    """
    folder = settings.data_dir / "insights" / "work" / str(make_url(settings.database_url).database)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def sweep(folder: Path) -> None:
    """Remove what a killed copier left; for who holds the lock."""
    for path in folder.glob("*.parquet"):
        path.unlink(missing_ok=True)


def make_part(
    storage: ObjectStorage, snapshot: Snapshot, *, workspace_id: UUID, fact: Fact, month: date
) -> Part | None:
    """Write a month of a workspace's fact as the snapshot has it and upload it; None where it has no rows.

    This machine's readers have it then. The key holds the content's hash: what is there already is never
    overwritten by something else. A row group of the file is in memory at one time.
    """
    settings = storage.settings
    path = folder_of(settings) / f"{workspace_id}-{fact.name}-{month}.parquet"
    query = fact.select(workspace_id, [(month, month_after(month))], ordered=True)
    try:
        rows = _write(path, fact, snapshot, query)
        if not rows:
            return None
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        key = f"{PREFIX}{workspace_id}/{fact.name}/{fact.format}/{month:%Y-%m}/{digest}.parquet"
        stored = storage.put_file(settings.bucket_insights, key, path, MEDIA_TYPE)
        part = Part(fact.name, month, key, stored.sha256, rows, stored.bytes)
        files.keep(settings, part, path)
        return part
    finally:
        with suppress(FileNotFoundError):
            path.unlink()


def _write(path: Path, fact: Fact, snapshot: Snapshot, query: str) -> int:
    """Write the rows of a query; how many they were."""
    import pyarrow as pa

    writer: pq.ParquetWriter | None = None
    waiting: list[pa.RecordBatch] = []
    rows = 0
    try:
        for batch in snapshot.batches(query):
            waiting.append(fact.plain(batch))
            rows += batch.num_rows
            writer = writer or _writer(path, waiting[0].schema)
            if sum(piece.num_rows for piece in waiting) >= ROWS_A_GROUP:
                waiting = _flush(writer, waiting, all_of_it=False)
        if writer:
            _flush(writer, waiting, all_of_it=True)
    finally:
        if writer:
            writer.close()
    return rows


def _writer(path: Path, schema: object) -> "pq.ParquetWriter":
    import pyarrow.parquet as pq

    return pq.ParquetWriter(path, schema, compression="zstd", write_page_index=True)


def _flush(writer: "pq.ParquetWriter", batches: list[object], *, all_of_it: bool) -> list[object]:
    """Write whole row groups (or everything); what is left."""
    import pyarrow as pa

    table = pa.Table.from_batches(batches)
    whole = table.num_rows if all_of_it else table.num_rows // ROWS_A_GROUP * ROWS_A_GROUP
    writer.write_table(table.slice(0, whole), row_group_size=ROWS_A_GROUP)
    rest: list[object] = table.slice(whole).to_batches()
    return rest
