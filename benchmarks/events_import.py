"""How fast event files are imported, beside PostgreSQL's own COPY into the same table.

    python -m benchmarks.events_import --folder /tmp/benchmark

Imports a file of realistic events (CSV, then again as Parquet into another workspace) into a PostgreSQL of its own, with
all that an import does: lines checked, ids derived, duplicates told, facts merged, its position kept. Then the same
rows, made ready in memory, go by plain COPY into the same partitioned table with its keys. Processor time says more than
the rate on a machine that others use too.
"""

import argparse
import os
import time
from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine, text

from benchmarks.environment import prepare, processor_seconds, verdict
from benchmarks.event_files import write_files
from leitstand.db.engine import transaction
from leitstand.events.importer import import_file
from leitstand.identity.workspaces import ensure_workspace

# The share of COPY's rate that an import is to reach.
TARGET = 0.40
COLUMNS = (
    "event_id, kind, companion_id, run_key, step, seq, actor_key, touched, occurred_at, received_at, source, import_id,"
    " content_hash, props"
)
BLOCK = 1 << 18


def main() -> None:
    """Run it all and print what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, default=31_400)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    csv_path, parquet_path, total = write_files(options.folder, options.events)
    cluster, engine = prepare(options.folder, options.port)
    try:
        slug = f"benchmark-{time.time_ns()}"
        pids = [os.getpid(), int((cluster.data / "postmaster.pid").read_text().split()[0])]
        rates = {
            path.suffix: import_rate(engine, path, f"{slug}-{path.suffix[1:]}", pids)
            for path in (csv_path, parquet_path)
        }
        before = processor_seconds(*pids)
        copied = copy_rate(engine, f"{slug}-csv")
        print(
            f"PostgreSQL's own COPY into the table: {copied:,.0f} events/s; {spent(before, pids, total)}"
            " (with the reading of its rows)"
        )
        for suffix, rate in rates.items():
            print(verdict(f"import of {suffix[1:]}, share of COPY", rate / copied, TARGET, ""))
    finally:
        engine.dispose()
        cluster.stop()


def import_rate(engine: Engine, path: Path, slug: str, pids: list[int]) -> float:
    """Lines a second of an import into a fresh workspace."""
    with transaction(engine) as session:
        workspace_id = ensure_workspace(session, slug=slug).id
    checkpoint(engine)
    begun, before = time.monotonic(), processor_seconds(*pids)
    done = import_file(engine, path, workspace_id=workspace_id, complete=["done"])
    rate = done.counts.lines / (time.monotonic() - begun)
    print(
        f"{path.name}: {rate:,.0f} events/s, {done.counts.accepted:,} new; {spent(before, pids, done.counts.lines)}"
    )
    return rate


def spent(before: list[float], pids: list[int], events: int) -> str:
    """Processor time an event since `before`, of this process and of PostgreSQL."""
    ours, postgres = (
        (after - begun) / events * 1e6 for begun, after in zip(before, processor_seconds(*pids), strict=True)
    )
    return f"processor time an event: ours {ours:.1f} µs, PostgreSQL {postgres:.1f} µs"


def copy_rate(engine: Engine, slug: str) -> float:
    """Events a second of PostgreSQL's own COPY into the same table, with its keys (no facts, nothing checked).

    The rows are those of a workspace, in their order, for another one.
    """
    read = f"COPY (SELECT '{UUID(int=time.time_ns())}', {COLUMNS} FROM event WHERE workspace_id = (SELECT id FROM workspace WHERE slug = '{slug}') ORDER BY event_id) TO STDOUT"
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        with cursor.copy(read) as copy:
            rows = [bytes(row) for row in copy]
        count, whole = len(rows), b"".join(rows)
        del rows
        checkpoint(engine)
        begun = time.monotonic()
        with cursor.copy(f"COPY event (workspace_id, {COLUMNS}) FROM STDIN") as copy:
            for begin in range(0, len(whole), BLOCK):
                copy.write(whole[begin : begin + BLOCK])
        connection.connection.commit()
        return count / (time.monotonic() - begun)


def checkpoint(engine: Engine) -> None:
    """Write out what earlier work left, so that nobody pays for another."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CHECKPOINT"))


if __name__ == "__main__":
    main()
