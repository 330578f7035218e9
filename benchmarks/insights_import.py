"""How fast event files come in, in how much memory, and how fast the figures are afterwards.

    python -m benchmarks.insights_import --events 5000000 --folder /tmp/benchmark

Makes a file of realistic events (Zipf companions, weekly seasons, 180 days; seeded), imports it with the command as
CSV and again as Parquet (which must add nothing) into a PostgreSQL of its own, and asks every question of the report
for the whole range and for its last 30 days, for the workspace and for its largest companion.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import psutil
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from benchmarks.environment import BEGIN, STEPS, columns, prepare
from leitstand.identity.workspaces import find_workspace
from leitstand.insights import (
    activity,
    companions,
    completion,
    popularity,
    report,
    retention,
    sessions,
    steps,
    traffic,
)
from leitstand.insights.scope import Scope, resolve

COLUMNS = ("session_id", "actor_id", "activity", "timestamp", "seq", "flow_id", "item")
CHUNK = 250_000
REPEATS = 3


def lines(made: dict[str, np.ndarray], begin: int, end: int) -> list[tuple[str, ...]]:
    """Some of the events as rows of text."""
    part = {name: values[begin:end] for name, values in made.items()}
    stamps = np.datetime_as_string(BEGIN + part["at"].astype("timedelta64[s]"))
    steps_ = STEPS[part["place"]]
    return [
        (
            f"run-{run}",
            f"visitor-{actor}",
            step,
            f"{stamp}.000+00:00",
            str(place + 1),
            f"companion-{companion}",
            f"page-{place}",
        )
        for run, actor, step, stamp, place, companion in zip(
            part["run"].tolist(),
            part["actor"].tolist(),
            steps_.tolist(),
            stamps.tolist(),
            part["place"].tolist(),
            part["companion"].tolist(),
            strict=True,
        )
    ]


def write_files(folder: Path, events: int) -> tuple[Path, Path, int]:
    """The same events as CSV and as Parquet, and how many they are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    csv_path, parquet_path = folder / f"events-{events}.csv", folder / f"events-{events}.parquet"
    made = columns(events)
    total = len(made["run"])
    if csv_path.exists() and parquet_path.exists():
        return csv_path, parquet_path, total
    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    with csv_path.open("w") as file, pq.ParquetWriter(parquet_path, schema) as writer:
        file.write(",".join(COLUMNS) + "\n")
        for begin in range(0, total, CHUNK):
            rows = lines(made, begin, begin + CHUNK)
            file.writelines(",".join(row) + "\n" for row in rows)
            writer.write_table(pa.table(list(map(list, zip(*rows, strict=True))), schema=schema))
    return csv_path, parquet_path, total


def run_import(path: Path, *arguments: str) -> tuple[dict[str, object], float, float]:
    """The command's document, its seconds and its largest memory in MB."""
    argv = [
        sys.executable,
        "-m",
        "leitstand",
        "events",
        "import",
        str(path),
        "--workspace",
        "benchmark",
        "--json",
        *arguments,
    ]
    begun, largest = time.monotonic(), 0
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(argv, stdout=output)
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                largest = max(largest, psutil.Process(process.pid).memory_info().rss)
            time.sleep(0.05)
        if process.returncode:
            raise SystemExit(f"the import failed with status {process.returncode}")
        output.seek(0)
        return json.load(output), time.monotonic() - begun, largest / 1e6


def questions(session: Session, scope: Scope) -> dict[str, float]:
    """Milliseconds of each question, the best of three."""
    asked: dict[str, Callable[[], object]] = {
        "traffic": lambda: traffic.traffic(session, scope),
        "events": lambda: traffic.events(session, scope),
        "active users": lambda: activity.active_users(session, scope),
        "DAU/WAU/MAU": lambda: activity.by_day(session, scope),
        "completion": lambda: completion.completion(session, scope),
        "steps": lambda: steps.steps(session, scope),
        "companions": lambda: companions.top(session, scope),
        "popular": lambda: popularity.popular(session, scope),
        "retention": lambda: retention.retention(session, scope),
        "sessions": lambda: sessions.sessions(session, scope),
        "whole report": lambda: report.build(session, scope),
    }
    return {name: min(milliseconds(ask) for _ in range(REPEATS)) for name, ask in asked.items()}


def milliseconds(ask: Callable[[], object]) -> float:
    begun = time.monotonic()
    ask()
    return (time.monotonic() - begun) * 1000


def ask_all(engine: Engine) -> dict[str, dict[str, float]]:
    """Every question over four scopes."""
    with Session(engine) as session:
        whole = resolve(session, workspace_id=find_workspace(session, "benchmark").id)
        month = replace(whole, start=whole.end - timedelta(days=30))
        largest = companions.top(session, whole, limit=1)["companion_id"][0]
        scopes = {"180 days": whole, "30 days": month}
        scopes |= {
            f"{name}, largest companion": replace(scope, companion_id=largest)
            for name, scope in scopes.items()
        }
        return {name: questions(session, scope) for name, scope in scopes.items()}


def copy_rate(engine: Engine) -> float:
    """Events a second of PostgreSQL's own COPY into the same table, with its keys (no facts, nothing checked)."""
    names = "workspace_id, event_id, kind, companion_id, run_key, step, seq, actor_key, touched, occurred_at, source, content_hash, props"
    read = f"COPY (SELECT gen_random_uuid(), {names.split(', ', 1)[1]} FROM event LIMIT 500000) TO STDOUT"
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        with cursor.copy(read) as copy:
            blocks = [bytes(block) for block in copy]
        begun = time.monotonic()
        with cursor.copy(f"COPY event ({names}) FROM STDIN") as copy:
            for block in blocks:
                copy.write(block)
        connection.connection.commit()
        return len(blocks) / (time.monotonic() - begun)


def main() -> None:
    """Run it all and print what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, default=31_400)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    csv_path, parquet_path, total = write_files(options.folder, options.events)
    cluster, engine = prepare(options.folder, options.port)
    try:
        for path in (csv_path, parquet_path):
            document, seconds, memory = run_import(path, "--complete", "done")
            print(
                f"{path.name}: {total:,} lines, {document['accepted']:,} new, {total / seconds:,.0f}/s, {memory:,.0f} MB"
            )
        print(f"PostgreSQL's own COPY into the table: {copy_rate(engine):,.0f} events/s")
        for scope, figures in ask_all(engine).items():
            print(f"{scope}: " + ", ".join(f"{name} {value:,.0f} ms" for name, value in figures.items()))
        with engine.connect() as connection:
            sizes = text(
                "SELECT relname, pg_size_pretty(pg_total_relation_size(oid)) FROM pg_class WHERE relname IN ('run_fact', 'actor_bucket')"
            )
            print(dict(connection.execute(sizes).tuples().all()))
    finally:
        engine.dispose()
        cluster.stop()


if __name__ == "__main__":
    main()
