"""The questions of a dashboard over ten million events, asked in the ways that there are.

    ./run bench insights --folder /tmp/benchmark [--events 10000000] [--repeats 20] [--limit 60] [--minutes 12]

Makes the events (see `dataset`; a folder that has them already is used again), then asks every question of the largest
workspace and of its most used companion, over all 180 days and over the last 30, in one run on one machine: Leitstand
(first answers, none of them remembered), its facts in PostgreSQL without the copy, SQL on the ledger's partitions, DuckDB on
Parquet of the events, and Umami's way. Compares the figures of the first, third and fourth, and says which targets are met.
Times are milliseconds: of Leitstand the 95th percentile of the repeats, of the others the faster of two (of what takes over
ten seconds the only one). A rival's statement is stopped after `--limit` seconds; after `--minutes` no rival is asked any more.
"""

import argparse
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import psutil
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from benchmarks.environment import started
from benchmarks.insights.dataset import Dataset, make
from benchmarks.insights.questions import FIGURES, QUESTIONS
from benchmarks.insights.rivals import Raw
from benchmarks.insights.timing import Patience, Took, columnar, p95, postgres, timed
from leitstand.insights.columnar.facts import columnar_facts
from leitstand.insights.copy.copier import copy_facts
from leitstand.insights.copy.snapshots import snapshot
from leitstand.insights.copy.state import read_state
from leitstand.insights.opening import WORTH_ROWS, copied_rows
from leitstand.insights.scope import Scope, resolve
from leitstand.insights.sources import Facts
from leitstand.settings import Settings, load_settings

MONTH = timedelta(days=30)
TARGETS = {"30 days": 100.0, "180 days": 300.0}
TIMES_RAW = 10
WAYS = ("Leitstand", "its facts in PostgreSQL", "SQL on events", "DuckDB on events", "Umami's way")
CROSSING_DAYS = (1, 2, 4, 7, 14, 30)
CROSSING_REPEATS = 3


@dataclass(frozen=True)
class Asked:
    """One question in each way (None: it has no such question), and whether the figures agree."""

    took: list[Took | None]
    agree: bool

    @property
    def own(self) -> float:
        """Milliseconds of Leitstand."""
        return self.took[0].milliseconds if self.took[0] else 0.0

    @property
    def raw(self) -> float:
        """Milliseconds of SQL on the events, at least; 0 where it was not asked."""
        return self.took[2].milliseconds if self.took[2] else 0.0


@contextmanager
def copied(settings: Settings, scope: Scope) -> Iterator[Facts]:
    """The facts as the dashboards read them, with nothing remembered."""
    with snapshot(settings, timeout_ms=0) as view:
        state = read_state(view, scope.workspace_id)
        if state is None:
            raise SystemExit("there is no copy of the facts")
        with columnar_facts(settings, view, state) as facts:
            yield facts


@dataclass(frozen=True)
class Rivals:
    """The other ways to ask about one scope.

    Args:
        session: reads Leitstand's facts in PostgreSQL.
        cursor: asks statements in PostgreSQL, outside of any transaction.
    """

    session: Session
    cursor: Any
    patience: Patience
    raw: Raw
    file: Raw

    def ask(self, question: str) -> list[Took | None]:
        """The question in each of the ways behind the first."""
        best, umami = self.patience.best, self.raw.umami(question)
        events = best(lambda limit: postgres(self.cursor, self.raw.statement(question), limit))
        return [
            best(lambda limit: self._facts(question, limit)),
            events,
            best(lambda limit: columnar(self.file.statement(question), limit)),
            best(lambda limit: postgres(self.cursor, umami, limit)) if umami else None,
        ]

    def _facts(self, question: str, limit: int) -> Any:
        self.session.rollback()
        self.session.execute(text(f"SET LOCAL statement_timeout = {limit}"))
        return QUESTIONS[question](self.session, self.raw.scope)


def ask(question: str, facts: Facts, rivals: Rivals, repeats: int) -> Asked:
    """One question of one scope in every way."""
    own = p95(lambda: QUESTIONS[question](facts, rivals.raw.scope), repeats)
    others = rivals.ask(question)
    here, there = FIGURES[question]
    theirs = [there(it.answer) for it in (others[1], others[2]) if it and not it.cut]
    return Asked([own, *others], all(figures == here(own.answer) for figures in theirs))


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


def run(engine: Engine, settings: Settings, data: Dataset, repeats: int, patience: Patience) -> bool:
    """Ask everything, print a table a scope; whether all figures agreed."""
    agreed = True
    with Session(engine) as session, engine.connect().execution_options(isolation_level="AUTOCOMMIT") as rows:
        cursor = rows.connection.cursor()
        for title, scope in scopes_of(session, data).items():
            raw = Raw(scope, "event")
            rivals = Rivals(session, cursor, patience, raw, Raw(scope, f"'{data.parquet}'", duckdb=True))
            opening = timed(lambda scope=scope: _open(settings, scope))
            print(f"\n{title} (opened once a page in {opening} ms)\n\n| question | {' | '.join(WAYS)} |")
            print("|---|" + "---|" * len(WAYS), flush=True)
            asked = {}
            with copied(settings, scope) as facts:
                for name in QUESTIONS:
                    asked[name] = one = ask(name, facts, rivals, repeats)
                    cells = ["" if it is None else str(it) for it in one.took]
                    print(
                        f"| {name} | {' | '.join(cells)} |{'' if one.agree else ' FIGURES DIFFER'}",
                        flush=True,
                    )
                    agreed &= one.agree
            judge(title, asked)
    return agreed


def judge(title: str, asked: dict[str, Asked]) -> None:
    """Say which targets are met."""
    target = TARGETS[title.rpartition(", ")[2]]
    late = [name for name, one in asked.items() if one.own > target]
    compared = {name: one.raw for name, one in asked.items() if one.raw}
    slow = [name for name, raw in compared.items() if TIMES_RAW * asked[name].own > raw]
    print(f"\nWithin {target:,.0f} ms: {len(asked) - len(late)} of {len(asked)}{_named(late)}.")
    fast = f"{len(compared) - len(slow)} of {len(compared)}{_named(slow)}"
    print(f"At least {TIMES_RAW} times as fast as SQL on the events: {fast}.", flush=True)


def crossing(engine: Engine, settings: Settings, data: Dataset) -> None:
    """Print from how many rows on the copy is faster than PostgreSQL: all questions together, each opened anew."""
    print(
        f"\nWhere the engines cross (`WORTH_ROWS` is {WORTH_ROWS:,})\n\n| days | rows | PostgreSQL | copy |"
    )
    print("|---|---|---|---|")
    with Session(engine) as session:
        whole = resolve(session, workspace_id=data.workspace_id)
        for days in CROSSING_DAYS:
            scope = replace(whole, start=whole.end - timedelta(days=days))
            plain = _all(lambda name, scope=scope: QUESTIONS[name](session, scope))
            opened = timed(lambda scope=scope: _open(settings, scope)).milliseconds
            with copied(settings, scope) as facts:
                found = opened + _all(lambda name, scope=scope, facts=facts: QUESTIONS[name](facts, scope))
            print(f"| {days} | {copied_rows(session, scope):,} | {plain:,.0f} | {found:,.0f} |", flush=True)


def _all(ask: Callable[[str], Any]) -> float:
    """Milliseconds of all questions, the fastest of each."""
    return sum(
        min(timed(lambda name=name: ask(name)).milliseconds for _ in range(CROSSING_REPEATS))
        for name in QUESTIONS
    )


def _named(names: list[str]) -> str:
    return f", not {', '.join(names)}" if names else ""


def _open(settings: Settings, scope: Scope) -> None:
    with copied(settings, scope):
        pass


def describe(engine: Engine, settings: Settings, data: Dataset) -> None:
    """Bring the copy up to date, and print what else a reader of the figures needs to know."""
    processors, memory = psutil.cpu_count(), psutil.virtual_memory().total / 1e9
    print(
        f"{processors} processors ({platform.machine()}), {memory:,.0f} GB of memory; DuckDB {duckdb.__version__}"
    )
    print(f"{data.events:,} events, {data.largest:,} in the largest workspace")
    begun = time.monotonic()
    for it in copy_facts(engine, settings, workspace="benchmark-0"):
        print(f"copied {it.rows:,} rows in {time.monotonic() - begun:,.1f} s")
    sums = text(
        "SELECT fact, sum(rows), sum(bytes) FROM fact_part WHERE replaced_at IS NULL GROUP BY 1 ORDER BY 1"
    )
    with engine.connect() as connection:
        version = connection.scalar(text("SHOW server_version"))
        for fact, rows, size in connection.execute(sums):
            print(
                f"fact {fact}: {rows:,} rows of the largest workspace, {float(size) / 1e6:,.1f} MB in the copy"
            )
    print(f"PostgreSQL {version}", flush=True)


def options() -> argparse.Namespace:
    """What to do, from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, default=31_400)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--limit", type=int, default=60, help="seconds of a rival's statement")
    parser.add_argument("--minutes", type=float, default=12, help="after which no rival is asked")
    parser.add_argument("--make-only", action="store_true", help="make the events and facts for a later run")
    return parser.parse_args()


def main() -> None:
    """Run it all and print what came out."""
    given = options()
    given.folder.mkdir(parents=True, exist_ok=True)
    with started(given.folder, given.port) as engine:
        settings, begun = load_settings(), time.monotonic()
        data = make(engine, given.folder, given.events)
        print(f"ready in {time.monotonic() - begun:,.0f} s")
        describe(engine, settings, data)
        if given.make_only:
            return
        crossing(engine, settings, data)
        patience = Patience(given.limit * 1000, time.monotonic() + 60 * given.minutes)
        agreed = run(engine, settings, data, given.repeats, patience)
    if not agreed:
        sys.exit("error: the ways did not give the same figures")


if __name__ == "__main__":
    main()
