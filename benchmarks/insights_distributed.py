"""How fast a dashboard's questions are answered by PostgreSQL, by DuckDB and by a Spark cluster, all on one machine.

    ./run bench insights_distributed --folder /tmp/benchmark [--events 10000000] [--repeats 3] [--memory 2g]

Makes the events (see `benchmarks.insights.dataset`), copies the facts of the largest workspace, starts a cluster of two
workers with a core each, and asks every question (none is remembered) over the last 30 days and over all 180. Times are
milliseconds, the fastest of the repeats after one that warms up. Needs Java.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from benchmarks.environment import started
from benchmarks.insights.__main__ import MONTH
from benchmarks.insights.dataset import make
from benchmarks.insights.questions import QUESTIONS
from benchmarks.insights.timing import Took, timed
from leitstand.insights.columnar.facts import columnar_facts
from leitstand.insights.copy.copier import copy_facts
from leitstand.insights.copy.snapshots import snapshot
from leitstand.insights.copy.state import read_state
from leitstand.insights.distributed.facts import distributed_facts
from leitstand.insights.distributed.session import cluster_of
from leitstand.insights.scope import Scope, resolve
from leitstand.settings import Settings, load_settings
from tests.spark import spark_cluster

JVM = "-XX:+UseParallelGC"
# Seconds that a question may take here, the first one of a cold cluster included.
PATIENCE = 600


def fastest(ask: Callable[[], Any], repeats: int) -> Took:
    """The fastest repeat after a first one."""
    timed(ask)
    return min((timed(ask) for _ in range(repeats)), key=lambda it: it.milliseconds)


def same(left: Any, right: Any) -> bool:
    """Whether two answers are equal."""
    return bool(left.equals(right) if hasattr(left, "equals") else left == right)


def compare(session: Session, settings: Settings, scope: Scope, repeats: int) -> bool:
    """Print a table of a scope; whether all figures agreed."""
    agreed = True
    with snapshot(settings, timeout_ms=0) as view:
        state = read_state(view, scope.workspace_id)
        if state is None:
            raise SystemExit("there is no copy of the facts")
        with (
            columnar_facts(settings, view, state) as columnar,
            distributed_facts(settings, view, state) as cluster,
        ):
            print(f"\n{scope.days} days\n\n| question | PostgreSQL | DuckDB | Spark |\n|---|---|---|---|")
            for name, ask in QUESTIONS.items():
                found = [
                    fastest(lambda source=source, ask=ask: ask(source, scope), repeats)
                    for source in (session, columnar, cluster)
                ]
                equal = all(same(found[0].answer, it.answer) for it in found[1:])
                agreed &= equal
                times = " | ".join(map(str, found))
                print(f"| {name} | {times} |{'' if equal else ' FIGURES DIFFER'}", flush=True)
    return agreed


def run(engine: Engine, settings: Settings, options: argparse.Namespace) -> bool:
    """Make events and their copy, start the cluster, compare; whether all figures agreed."""
    begun = time.monotonic()
    data = make(engine, options.folder, options.events)
    for it in copy_facts(engine, settings, workspace="benchmark-0"):
        print(
            f"{data.largest:,} events of the largest workspace: {it.rows:,} rows of facts, {it.bytes / 1e6:,.0f} MB"
        )
    print(f"ready in {time.monotonic() - begun:,.0f} s", flush=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        spark_cluster(Path(folder), memory=options.memory, jvm=JVM, configuration={}) as cluster,
        Session(engine) as session,
    ):
        chosen = settings.model_copy(
            update={
                "insights_distributed_url": cluster.url,
                "insights_distributed_token": SecretStr(cluster.token),
            }
        )
        cluster_of(chosen).limit = PATIENCE
        whole = resolve(session, workspace_id=data.workspace_id)
        month = replace(whole, start=whole.end - MONTH)
        agreed = [compare(session, chosen, scope, options.repeats) for scope in (month, whole)]
        print(f"\ntasks by worker: {cluster.tasks_of_executors()}")
    return all(agreed)


def main() -> None:
    """Run it all and print what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, default=31_400)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", default="2g")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with started(options.folder, options.port) as engine:
        agreed = run(engine, load_settings(), options)
    if not agreed:
        sys.exit("error: the engines did not give the same figures")


if __name__ == "__main__":
    main()
