"""How fast each question is answered by PostgreSQL and from the columnar copy, over four ranges.

    python -m benchmarks.insights_import --events 10000000 --folder /tmp/benchmark
    python -m benchmarks.insights_engines --folder /tmp/benchmark

Copies the facts that `insights_import` left in the folder, then asks every question of the largest workspace anew (no
answer is remembered). The columns are milliseconds of the slowest of the repeats, and of processor time of the copy's fastest.
"""

import argparse
import os
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from benchmarks.environment import prepare
from leitstand.embedded.objects import ObjectStore
from leitstand.identity.workspaces import find_workspace
from leitstand.insights import (
    activity,
    companions,
    completion,
    popularity,
    retention,
    sessions,
    steps,
    traffic,
)
from leitstand.insights.columnar.facts import columnar_facts
from leitstand.insights.copy.copier import copy_facts
from leitstand.insights.copy.snapshots import snapshot
from leitstand.insights.copy.state import read_state
from leitstand.insights.scope import Scope, resolve
from leitstand.insights.sources import Source
from leitstand.settings import Settings, load_settings

REPEATS = 5
QUESTIONS: dict[str, Callable[[Source, Scope], object]] = {
    "traffic": traffic.traffic,
    "events by day": traffic.events_by,
    "active users": activity.active_users,
    "DAU/WAU/MAU": activity.by_day,
    "completion": completion.completion,
    "completion by day": completion.by_day,
    "steps": steps.steps,
    "companions": companions.top,
    "popular": popularity.popular,
    "retention": retention.retention,
    "sessions": sessions.sessions,
}


def processor_ms() -> float:
    """Milliseconds of processor time that this process, DuckDB with it, has taken."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1000


def asked(
    ask: Callable[[Source, Scope], object], source: Source, scope: Scope, repeats: int
) -> tuple[float, float]:
    """Milliseconds of the slowest, and of processor time of the fastest, of the repeats."""
    slowest, least = 0.0, float("inf")
    for _ in range(repeats):
        begun, used = time.monotonic(), processor_ms()
        ask(source, scope)
        slowest = max(slowest, (time.monotonic() - begun) * 1000)
        least = min(least, processor_ms() - used)
    return slowest, least


def compare(session: Session, settings: Settings, scope: Scope, repeats: int) -> None:
    """Print a line for each question of a scope."""
    begun = time.monotonic()
    with snapshot(settings, timeout_ms=0) as view:
        state = read_state(view, scope.workspace_id)
        if state is None:
            raise SystemExit("there is no copy")
        with columnar_facts(settings, view, state) as facts:
            print(f"{scope.days} days: opened in {(time.monotonic() - begun) * 1000:,.0f} ms")
            print(f"  {'':<20}{'PostgreSQL':>12}{'copy':>10}{'processor':>12}")
            for name, ask in QUESTIONS.items():
                slowest, used = asked(ask, facts, scope, repeats)
                known, _ = asked(ask, session, scope, repeats)
                print(f"  {name:<20}{known:>12,.0f}{slowest:>10,.0f}{used:>12,.0f}", flush=True)


def run(engine: Engine, settings: Settings, repeats: int) -> None:
    """Copy the facts and compare every range."""
    begun = time.monotonic()
    for copied in copy_facts(engine, settings, workspace="benchmark"):
        seconds = time.monotonic() - begun
        print(f"copied {copied.rows:,} rows, {copied.bytes / 1e6:,.0f} MB in {seconds:,.1f} s")
    with Session(engine) as session:
        whole = resolve(session, workspace_id=find_workspace(session, "benchmark").id)
        for days in (2, 7, 30, whole.days):
            scope = replace(whole, start=whole.end - timedelta(days=days))
            compare(session, settings, scope, repeats)


def main() -> None:
    """Run it all and print what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, default=31_400)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    options = parser.parse_args()
    cluster, engine = prepare(options.folder, options.port)
    os.environ |= {"LEITSTAND_S3_ACCESS_KEY": "benchmark", "LEITSTAND_S3_SECRET_KEY": "benchmark"}
    store = ObjectStore(options.folder / "objects", options.port, "benchmark", "benchmark").start()
    try:
        run(engine, load_settings(), options.repeats)
    finally:
        store.kill()
        store.wait()
        engine.dispose()
        cluster.stop()


if __name__ == "__main__":
    main()
