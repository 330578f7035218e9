"""Event files for tests, and the facts as values that can be compared."""

import csv
import gzip
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.events.importer import ImportResult, import_file

COLUMNS = ("session_id", "actor_id", "activity", "timestamp", "seq", "flow_id", "item", "note")
RUNS = """
SELECT i.external_key, f.run_key, f.first_at, f.first_seq, f.last_at, f.opened_at, f.started_at, f.completed_at, f.actor_key,
       f.events, f.flow_version, f.step_at, f.steps
FROM run_fact f JOIN item i ON i.id = f.companion_id WHERE f.workspace_id = :workspace ORDER BY 2, 1
"""
BUCKETS = """
SELECT i.external_key, b.bucket, b.actor_key, b.first_at, b.last_at, b.events
FROM actor_bucket b JOIN item i ON i.id = b.companion_id WHERE b.workspace_id = :workspace ORDER BY 1, 2, 3
"""


def event(
    session: str = "s", activity: str = "x", at: str = "2026-01-01T00:00:00Z", **more: str
) -> dict[str, str]:
    """One event as a row of text."""
    return (
        dict.fromkeys(COLUMNS, "")
        | {"session_id": session, "activity": activity, "timestamp": at, "actor_id": "ann", "flow_id": "flow"}
        | more
    )


def write_csv(path: Path, rows: Iterable[dict[str, str]]) -> Path:
    """A CSV file, gzipped if its name says so."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return _write(path, text.getvalue().encode())


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)
    return path


def write_ndjson(path: Path, rows: Iterable[dict[str, str]]) -> Path:
    """One JSON object a line, empty values left out."""
    lines = [json.dumps({name: value for name, value in row.items() if value}) + "\n" for row in rows]
    return _write(path, "".join(lines).encode())


def write_parquet(path: Path, rows: Iterable[dict[str, str]]) -> Path:
    """A Parquet file of text, empty values null."""
    rows = list(rows)
    columns = {name: pa.array([row[name] or None for row in rows], pa.string()) for name in COLUMNS}
    pq.write_table(pa.table(columns), path, row_group_size=7)
    return path


def imported(engine: Engine, workspace_id: UUID, path: Path, **options: Any) -> ImportResult:
    """The result of importing a file."""
    return import_file(engine, path, workspace_id=workspace_id, **options)


def facts_of(engine: Engine, workspace_id: UUID) -> dict[str, list[tuple[Any, ...]]]:
    """Runs and quarters of a workspace, under the companions' names."""
    with Session(engine) as session:
        return {
            name: [tuple(row) for row in session.execute(text(query), {"workspace": workspace_id})]
            for name, query in (("runs", RUNS), ("buckets", BUCKETS))
        }


def count(engine: Engine, table: str, workspace_id: UUID) -> int:
    """Rows of a table that belong to a workspace."""
    with Session(engine) as session:
        found = session.execute(
            text(f"SELECT count(*) FROM {table} WHERE workspace_id = :workspace"), {"workspace": workspace_id}
        )
        return int(found.scalar_one())
