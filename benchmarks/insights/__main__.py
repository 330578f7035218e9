"""The questions of a dashboard over ten million events, asked in the ways that there are.

    ./run bench insights --folder /tmp/benchmark [--events 10000000] [--repeats 20]

Makes the events (see `dataset`), then asks every question of the largest workspace and of its most used companion, over
all 180 days and over the last 30, in one run on one machine: Leitstand (first answers, none of them remembered), its facts
in PostgreSQL without the copy, SQL on the ledger's partitions, DuckDB on Parquet of the events, and Umami's way. Compares
the figures of the first, third and fourth, and says which targets are met. Times are milliseconds: of Leitstand the 95th
percentile of the repeats, of the others the fastest of three (their best).
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from benchmarks.environment import prepare
from benchmarks.insights.dataset import FUNNEL, Dataset, make
from benchmarks.insights.rivals import Raw
from leitstand.embedded.objects import ObjectStore
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
from leitstand.insights.sources import Facts, Source
from leitstand.settings import Settings, load_settings

RIVAL_REPEATS = 3
MONTH = timedelta(days=30)
TARGETS = {"30 days": 100.0, "180 days": 300.0}
TIMES_RAW = 10
WAYS = ("Leitstand", "its facts in PostgreSQL", "SQL on events", "DuckDB on events", "Umami's way")
QUESTIONS: dict[str, Callable[[Source, Scope], Any]] = {
    "traffic": traffic.traffic,
    "active users": activity.active_users,
    "rolling": activity.by_day,
    "completion": completion.completion,
    "steps": lambda source, scope: steps.steps(source, scope, FUNNEL),
    "companions": companions.top,
    "popular": popularity.popular,
    "retention": retention.retention,
    "sessions": sessions.sessions,
}
# What of an answer is compared: numbers that every way gives.
FIGURES: dict[str, tuple[Callable[[Any], Any], Callable[[Sequence[Any]], Any]]] = {
    "traffic": (
        lambda found: found[["viewed", "started", "completed"]].to_numpy().tolist(),
        lambda rows: [list(row[1:]) for row in rows],
    ),
    "active users": (lambda found: found, lambda rows: rows[0][0]),
    "rolling": (
        lambda found: found[found["dau"] > 0][["dau", "wau", "mau"]].to_numpy().tolist(),
        lambda rows: [list(row[1:]) for row in rows],
    ),
    "completion": (
        lambda found: (found.viewed, found.started, found.completed, round(found.p95 or 0, 6)),
        lambda rows: (*rows[0][:3], round(rows[0][4] or 0, 6)),
    ),
    "steps": (
        lambda found: found[found["reached"] > 0][["reached", "dropped"]].to_numpy().tolist(),
        lambda rows: [list(row[1:]) for row in rows],
    ),
    "companions": (
        lambda found: sorted(found["runs"].tolist()),
        lambda rows: sorted(row[1] for row in rows),
    ),
    "popular": (
        lambda found: [round(score, 4) for score in found["score"]],
        lambda rows: [round(float(row[1]), 4) for row in rows],
    ),
    "retention": (
        lambda found: int(found["actors"].sum()),
        lambda rows: sum(row[2] for row in rows),
    ),
    "sessions": (lambda found: found, lambda rows: rows[0][0]),
}


@dataclass
class Asked:
    """Milliseconds of one question in each way (None: it has no such question), and whether the figures agree."""

    milliseconds: list[float | None]
    agree: bool


def best(ask: Callable[[], Any]) -> tuple[float, Any]:
    """The fastest of a few, and the answer."""
    found = [timed(ask) for _ in range(RIVAL_REPEATS)]
    return min(milliseconds for milliseconds, _ in found), found[0][1]


def p95(ask: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """The 95th percentile of some, and the answer."""
    found = [timed(ask) for _ in range(repeats)]
    return sorted(milliseconds for milliseconds, _ in found)[int(0.95 * (repeats - 1))], found[0][1]


def timed(ask: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds, and the answer."""
    begun = time.perf_counter()
    answer = ask()
    return (time.perf_counter() - begun) * 1000, answer


@contextmanager
def copied(settings: Settings, scope: Scope) -> Iterator[Facts]:
    """The facts as the dashboards read them, with nothing remembered."""
    with snapshot(settings, timeout_ms=0) as view:
        state = read_state(view, scope.workspace_id)
        if state is None:
            raise SystemExit("there is no copy of the facts")
        with columnar_facts(settings, view, state) as facts:
            yield facts


def ask(question: str, session: Session, facts: Facts, raw: Raw, file: Raw, repeats: int) -> Asked:
    """One question of one scope in every way."""
    here, there = FIGURES[question]
    own, answer = p95(lambda: QUESTIONS[question](facts, raw.scope), repeats)
    plain, _ = best(lambda: QUESTIONS[question](session, raw.scope))
    cursor = session.connection().connection.cursor()
    rows, found = best(lambda: cursor.execute(raw.statement(question)).fetchall())
    with duckdb.connect(config={"threads": 2}) as database:
        columnar, found_there = best(lambda: database.execute(file.statement(question)).fetchall())
    umami = raw.umami(question)
    theirs = best(lambda: cursor.execute(umami).fetchall())[0] if umami else None
    agree = here(answer) == there(found) == there(found_there)
    return Asked([own, plain, rows, columnar, theirs], agree)


def scopes_of(session: Session, data: Dataset) -> dict[str, Scope]:
    """Workspace and companion, all days and the last 30."""
    whole = resolve(session, workspace_id=data.workspace_id)
    month = replace(whole, start=whole.end - MONTH)
    return {
        "workspace, 30 days": month,
        "workspace, 180 days": whole,
        "companion, 30 days": replace(month, companion_id=data.companion_id),
        "companion, 180 days": replace(whole, companion_id=data.companion_id),
    }


def run(engine: Engine, settings: Settings, data: Dataset, repeats: int) -> bool:
    """Ask everything, print a table a scope; whether all figures agreed."""
    agreed = True
    with Session(engine) as session:
        for title, scope in scopes_of(session, data).items():
            opening, _ = timed(lambda scope=scope: _open(settings, scope))
            print(f"\n{title} (opened once a page in {opening:,.0f} ms)\n\n| question | {' | '.join(WAYS)} |")
            print("|---|" + "---|" * len(WAYS), flush=True)
            raw = Raw(scope, "event")
            file = Raw(scope, f"'{data.parquet}'", duckdb=True)
            with copied(settings, scope) as facts:
                asked = {name: ask(name, session, facts, raw, file, repeats) for name in QUESTIONS}
            for name, one in asked.items():
                cells = ["" if value is None else f"{value:,.0f}" for value in one.milliseconds]
                print(f"| {name} | {' | '.join(cells)} |{'' if one.agree else ' FIGURES DIFFER'}")
                agreed &= one.agree
            judge(title, asked)
    return agreed


def judge(title: str, asked: dict[str, Asked]) -> None:
    """Say which targets are met."""
    target = TARGETS[title.rpartition(", ")[2]]
    late = [name for name, one in asked.items() if (one.milliseconds[0] or 0) > target]
    slow = [
        name
        for name, one in asked.items()
        if TIMES_RAW * (one.milliseconds[0] or 0) > (one.milliseconds[2] or 0)
    ]
    print(f"\nWithin {target:,.0f} ms: {len(asked) - len(late)} of {len(asked)}{_named(late)}.")
    print(
        f"At least {TIMES_RAW} times as fast as SQL on the events: {len(asked) - len(slow)} of {len(asked)}{_named(slow)}.",
        flush=True,
    )


def _named(names: list[str]) -> str:
    return f", not {', '.join(names)}" if names else ""


def _open(settings: Settings, scope: Scope) -> None:
    with copied(settings, scope):
        pass


def main() -> None:
    """Run it all and print what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, default=31_400)
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    cluster, engine = prepare(options.folder, options.port)
    os.environ |= {"LEITSTAND_S3_ACCESS_KEY": "benchmark", "LEITSTAND_S3_SECRET_KEY": "benchmark"}
    store = ObjectStore(options.folder / "objects", options.port, "benchmark", "benchmark").start()
    try:
        begun = time.monotonic()
        data = make(engine, options.folder, options.events)
        print(
            f"{data.events:,} events, {data.largest:,} in the largest workspace; ready in {time.monotonic() - begun:,.0f} s",
            flush=True,
        )
        settings = load_settings()
        for it in copy_facts(engine, settings, workspace="benchmark-0"):
            print(f"copied {it.rows:,} rows of facts: {it.bytes / 1e6:,.0f} MB")
        agreed = run(engine, settings, data, options.repeats)
    finally:
        store.kill()
        store.wait()
        engine.dispose()
        cluster.stop()
    if not agreed:
        sys.exit("error: the ways did not give the same figures")


if __name__ == "__main__":
    main()
