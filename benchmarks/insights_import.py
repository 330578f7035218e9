"""In how much memory event files come in, and how fast the figures are afterwards; how fast they do: events_import.

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

import psutil
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from benchmarks.environment import prepare
from benchmarks.event_files import write_files
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

REPEATS = 3


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
