"""How many visitors the runtime serves and how many questions the query service answers, beside a bare endpoint.

    ./run bench runtime --folder /tmp/benchmark [--sets FOLDER …] [--rounds 5] [--seconds 6] [--connections 10] [--kills 5]

The services run as `./run up` starts them: one process each, on 127.0.0.1, with a PostgreSQL of the benchmark's own that
waits for the disk at every commit. Visitors go through a published flow from its first page to its end: six answers with
a branch and a loop, each a transaction and a redirect to the page behind it. In every round the bare endpoint (one INSERT a
request) is loaded right before, over as many connections, so that whatever else the machine does concerns both.

Then visitors go on while the runtime is killed with SIGKILL again and again. Every answer that was acknowledged must be in
its run, and every transition of every run must have exactly its events.

With sets in the format of `leitstand query evaluate`, their questions are put to `/query/v1/ask`, which answers from a space
of their sentences: again and again, as frequent questions come, which the service knows by then; and each once only.
"""

import argparse
import json
import os
import signal
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine, text

from benchmarks.environment import Server, server, start_server, started, verdict
from benchmarks.query.dataset import questions_of, space_of
from benchmarks.runtime.dataset import ANSWERS, Dataset, make, without_limits
from benchmarks.runtime.load import Requests, Visits, Went, load
from benchmarks.web.load import client
from leitstand.identity.sessions import COOKIE
from leitstand.services import RUNTIME

BARE, VISITS, ASK, ANEW = "bare INSERT", "visits", "ask", "ask anew"
SHARE = 0.4
# A question that nobody has asked before is to be understood, looked for and quoted: how much that costs is only told.
PROMISED = (VISITS, ASK)
# How many questions come again and again; and of new ones, more than are answered in a round.
QUESTIONS, NEW = 200, 10_000
PLAIN = Requests((("/rows?content=Friday+at+three", b""),))
# A transition of revision n is recorded as one event; a run begins with one and has one more at its end.
WRONG = text("""
    SELECT run.id, run.revision, run.completed_at IS NOT NULL AS completed, run.answers, seen.viewed, seen.answered, seen.ended
    FROM flow_run AS run
    LEFT JOIN LATERAL (
        SELECT count(*) FILTER (WHERE kind = 'viewed') AS viewed, count(*) FILTER (WHERE kind = 'answered') AS answered,
               count(*) FILTER (WHERE kind = 'completed') AS ended
        FROM event WHERE event.workspace_id = run.workspace_id AND event.companion_id = run.companion_id
                     AND event.run_key = run.id::text
    ) AS seen ON true
    WHERE run.workspace_id = :workspace
      AND (seen.viewed <> 1 OR seen.answered <> run.revision OR seen.ended <> (run.completed_at IS NOT NULL)::int)
""")
REVISIONS = text("SELECT id::text, revision FROM flow_run WHERE workspace_id = :workspace")


class Measuring:
    """One run of the benchmark."""

    def __init__(self, pool: Executor, bare: Server, connections: int, seconds: float) -> None:
        self.pool, self.bare, self.connections, self.seconds = pool, bare, connections, seconds
        self.found: dict[str, list[Went]] = {}
        self.shares: dict[str, list[float]] = {}

    def round(
        self, name: str, what: Visits | Requests, server: Server, *, warm: Requests | None = None
    ) -> None:
        """Load the bare endpoint, then the service.

        Args:
            warm: what it is warmed up with, where that must not be the same.
        """
        beside = self._measure(BARE, PLAIN, self.bare, PLAIN)
        found = self._measure(name, what, server, warm or what)
        self.shares.setdefault(name, []).append(found.rate / beside.rate)

    def _measure(self, name: str, what: Visits | Requests, server: Server, warm: Visits | Requests) -> Went:
        for load_, seconds in ((warm, min(1.0, self.seconds)), (what, self.seconds)):
            begun = load(self.pool, load_, port=server.port, connections=self.connections, seconds=seconds)
            went = begun.result()
        self.found.setdefault(name, []).append(went)
        return went


def killed(pool: Executor, data: Dataset, port: int, *, kills: int, connections: int, seconds: float) -> Went:
    """Visitors who go on while their server is killed and started again; what they were told."""
    process = start_server("api.runtime:create", port)
    try:
        visits = Visits(data.slug, ANSWERS)
        begun = load(pool, visits, port=port, connections=connections, seconds=kills * (seconds + 1))
        for _ in range(kills):
            time.sleep(seconds)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            process = start_server("api.runtime:create", port)
        return begun.result()
    finally:
        process.terminate()
        process.wait()


def lost(engine: Engine, workspace_id: UUID, acknowledged: dict[str, int]) -> tuple[int, int]:
    """How many acknowledged answers are in no run, and how many runs have not exactly their events."""
    with engine.connect() as connection:
        there = dict(connection.execute(REVISIONS, {"workspace": workspace_id}).tuples().all())
        wrong = connection.execute(WRONG, {"workspace": workspace_id}).all()
    for row in wrong[:5]:
        print(f"not as it should be: {row}")
    return sum(max(0, revision - there.get(run, 0)) for run, revision in acknowledged.items()), len(wrong)


def report(found: dict[str, list[Went]], shares: dict[str, list[float]]) -> list[str]:
    """A table, and which targets are met; the targets that are missed."""
    print(
        "\n| what | requests/s | of the bare endpoint's | runs/s | p50 ms | p95 ms | p99 ms | errors |\n|---|---|---|---|---|---|---|---|"
    )
    for name, rounds in found.items():
        rate = statistics.median(one.rate for one in rounds)
        runs = statistics.median(one.runs / one.seconds for one in rounds)
        times = sorted(ms for one in rounds for ms in one.steps + one.pages)
        p50, p95, p99 = (times[min(len(times) - 1, int(share * len(times)))] for share in (0.5, 0.95, 0.99))
        share = f"{statistics.median(shares[name]):.0%}" if name in shares else ""
        errors = [error for one in rounds for error in one.errors]
        print(
            f"| {name} | {rate:,.0f} | {share} | {f'{runs:,.1f}' if runs else ''} | {p50:.1f} | {p95:.1f} | {p99:.1f} | {len(errors)} |"
        )
        for error in errors[:3]:
            print(f"error: {error}")
    print(
        f"\nThe client had its processor for {max(one.busy for rounds in found.values() for one in rounds):.0%} of the time at most."
    )
    promised = {name: statistics.median(shares[name]) for name in PROMISED if name in shares}
    missed = [name for name, share in promised.items() if share < SHARE]
    for name, share in promised.items():
        print(verdict(f"{name}, share of the bare endpoint's requests", share, SHARE, ""))
    failed = [name for name, rounds in found.items() if any(one.errors for one in rounds)]
    return missed + failed


def report_kills(went: Went, kills: int, answers: int, runs: int) -> list[str]:
    """What the kills did; what was lost."""
    acknowledged = sum(went.acknowledged.values())
    print(
        f"\n{kills} kills: {went.runs:,} runs, {acknowledged:,} acknowledged answers, {went.broken:,} broken connections,"
        f" {len(went.errors)} errors; {answers} acknowledged answers lost, {runs} runs without exactly their events:"
        f" {'MISSED' if answers or runs or went.errors else 'reached'}"
    )
    for error in went.errors[:3]:
        print(f"error: {error}")
    return ["kills"] if answers or runs or went.errors else []


def questions(sets: Sequence[Path], token: str) -> Requests:
    """The sets' questions as requests."""
    return _requests(questions_of(sets, QUESTIONS), token)


def new_questions(sets: Sequence[Path], token: str, *, already: int) -> Requests:
    """Questions that differ from all others by a number at their end.

    Args:
        already: how often this was called for the same service.
    """
    asked, first = questions_of(sets, QUESTIONS), already * NEW
    return _requests(
        [f"{asked[number % len(asked)]} {number}" for number in range(first, first + NEW)], token
    )


def _requests(asked: Sequence[str], token: str) -> Requests:
    bodies = (json.dumps({"question": one}).encode() for one in asked)
    return Requests(tuple(("/query/v1/ask", body) for body in bodies), f"{COOKIE}={token}")


def options() -> argparse.Namespace:
    """What to do, from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, default=31_750)
    parser.add_argument(
        "--sets", type=Path, nargs="*", default=[], help="retrieval sets whose questions are asked"
    )
    parser.add_argument("--passages", type=int, default=2_000, help="of the space that is asked")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each load")
    parser.add_argument("--connections", type=int, default=10, help="at once; wrk has as many")
    parser.add_argument("--kills", type=int, default=5)
    return parser.parse_args()


def main() -> None:
    """Run it all and print what came out."""
    given = options()
    given.folder.mkdir(parents=True, exist_ok=True)
    os.environ["LEITSTAND_SESSION_SECRET"] = "benchmark"
    without_limits()
    with ExitStack() as stack:
        engine = stack.enter_context(started(given.folder, given.port))
        data = make(engine, space_of(engine, given.sets, passages=given.passages) if given.sets else None)
        pool = stack.enter_context(client())
        ports = iter(range(given.port + RUNTIME.offset + 50, given.port + 99))
        bare = stack.enter_context(server("benchmarks.runtime.bare:create", next(ports)))
        measuring = Measuring(pool, bare, given.connections, given.seconds)
        with server("api.runtime:create", next(ports)) as runtime:
            for _ in range(given.rounds):
                measuring.round(VISITS, Visits(data.slug, ANSWERS), runtime)
        if given.sets:
            frequent = questions(given.sets, data.token)
            with server("api.query:create", next(ports)) as query:
                for already in range(given.rounds):
                    measuring.round(ASK, frequent, query)
                    anew = new_questions(given.sets, data.token, already=already)
                    measuring.round(ANEW, anew, query, warm=frequent)
        missed = report(measuring.found, measuring.shares)
        went = killed(
            pool, data, next(ports), kills=given.kills, connections=given.connections, seconds=given.seconds
        )
        answers, runs = lost(engine, data.workspace_id, went.acknowledged)
        missed += report_kills(went, given.kills, answers, runs)
    if missed:
        raise SystemExit(f"missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
