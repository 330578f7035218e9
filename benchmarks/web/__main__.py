"""How fast the pages are that people open every day, beside a bare FastAPI endpoint with one indexed query.

    ./run bench web --folder /tmp/benchmark [--items 100000] [--workspaces 10] [--members 1000] [--rounds 7]

Makes workspaces of items (see `benchmarks.web.dataset`) and starts the web service, and the bare endpoint, as `./run up`
starts the web service: one process each, on 127.0.0.1. A member of a workspace opens its pages, from another process. In
every round each page is asked for after the bare endpoint, over one connection, then over several; so that whatever
else the machine does concerns both. What is said is the median of the rounds:

- p50, p95: milliseconds over one connection, from sending the request to the last byte of the answer; a bit more than
  the server's own time;
- requests a second over several connections, and the share of what the bare endpoint had right before;
- processor: milliseconds that the server's process had of it for a request.
"""

import argparse
import os
import statistics
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.environment import Server, processor_seconds, server, started
from benchmarks.web.dataset import Dataset, make
from benchmarks.web.load import Answered, client, load
from leitstand.identity.sessions import COOKIE
from leitstand.services import WEB

BARE = "bare endpoint"
# Below these shares of the bare endpoint's requests a second, or above these milliseconds (p95), a target is missed.
SHARES = {"home": 0.25, "list": 0.35}
LIMITS_MS = {"home": 30.0, "search": 50.0}
QUERIES = ("bil", "support", "survey tra", "trainign", "museum weather", "in", "newslettr")
# Of fewer requests a 95th percentile says nothing.
FEWEST = 40


@dataclass
class Found:
    """What was measured of one page, a value a round."""

    p50: list[float] = field(default_factory=list)
    p95: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    share: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    size: float = 0.0


def pages(data: Dataset) -> dict[str, list[str]]:
    """The addresses of each page that are asked for in turn."""
    lists = [
        "/companions",
        "/agents",
        "/boards?sort=title",
        "/companions?status=published",
        "/collections?owner=me",
    ]
    return {
        "home": ["/"],
        "list": lists,
        "search": [f"/search?q={query.replace(' ', '+')}" for query in QUERIES],
        "item": [f"/companions/{item_id}" for item_id in data.companions],
        "popular, a piece of home": ["/home/popular"],
        "usage, a piece of home": ["/home/usage"],
    }


class Measuring:
    """One run of the benchmark."""

    def __init__(
        self,
        pool: Executor,
        web: Server,
        bare: Server,
        data: Dataset,
        seconds: float,
        fewest: int = FEWEST,
    ) -> None:
        self.pool, self.web, self.bare, self.seconds, self.fewest = pool, web, bare, seconds, fewest
        self.cookie = f"{COOKIE}={data.token}"
        self.bare_paths = [f"/items/{item_id}" for item_id in data.companions]
        self.found: dict[str, Found] = {}

    def round(self, name: str, paths: list[str], connections: int) -> None:
        """Ask for the bare endpoint, then for the page."""
        beside = self._measure(BARE, self.bare, self.bare_paths, connections)
        found = self._measure(name, self.web, paths, connections)
        self.found[name].share.append(found.rate / beside.rate)

    def _measure(self, name: str, server: Server, paths: list[str], connections: int) -> Answered:
        found = self.found.setdefault(name, Found())
        # The first ones also warm up; what one costs says how many are asked for.
        few = self._load(server, paths, 2 * len(paths), 1)
        count = max(self.fewest, int(self.seconds / statistics.median(few.times) * 1000 / 2))
        alone = self._load(server, paths, count, 1)
        [before] = processor_seconds(server.pid)
        many = self._load(server, paths, max(count, connections), connections)
        [after] = processor_seconds(server.pid)
        ordered = sorted(alone.times)
        found.p50.append(ordered[len(ordered) // 2])
        found.p95.append(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))])
        found.rate.append(many.rate)
        found.processor.append((after - before) / len(many.times) * 1000)
        found.busy.append(many.busy)
        found.size = many.size
        return many

    def _load(self, server: Server, paths: list[str], requests: int, connections: int) -> Answered:
        return load(
            self.pool,
            port=server.port,
            cookie=self.cookie,
            paths=paths,
            requests=requests,
            connections=connections,
        )


def report(found: dict[str, Found], data: Dataset) -> list[str]:
    """A table, and which targets are met; the targets that are missed."""
    print(f"\n{data.items:,} items\n")
    print(
        "| page | p50 ms | p95 ms | requests/s | of the bare endpoint's | processor ms | kB |\n|---|---|---|---|---|---|---|"
    )
    for name, one in found.items():
        p50, p95, rate, processor = map(_median, (one.p50, one.p95, one.rate, one.processor))
        share = f"{_median(one.share):.0%}" if one.share else ""
        print(
            f"| {name} | {p50:.1f} | {p95:.1f} | {rate:,.0f} | {share} | {processor:.2f} | {one.size / 1000:.1f} |"
        )
    busiest = max(_median(one.busy) for one in found.values())
    print(f"\nThe client had its processor for {busiest:.0%} of the time at most.")
    missed = []
    for name, target in SHARES.items():
        missed += _said(
            f"{name}, share of the bare endpoint's requests",
            f"{_median(found[name].share):.1%}",
            f"{target:.0%}",
            _median(found[name].share) >= target,
        )
    for name, limit in LIMITS_MS.items():
        missed += _said(
            f"{name}, p95",
            f"{_median(found[name].p95):.1f} ms",
            f"{limit:.0f} ms",
            _median(found[name].p95) <= limit,
        )
    return missed


def _said(what: str, reached: str, target: str, met: bool) -> list[str]:
    print(f"{what}: {reached}; target {target}: {'reached' if met else 'MISSED'}")
    return [] if met else [what]


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


def options() -> argparse.Namespace:
    """What to do, from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, default=31_700)
    parser.add_argument("--items", type=int, default=100_000, help="of each workspace")
    parser.add_argument("--workspaces", type=int, default=10)
    parser.add_argument("--members", type=int, default=1_000, help="of the workspace whose pages are opened")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each page and round")
    parser.add_argument("--connections", type=int, default=4)
    return parser.parse_args()


def main() -> None:
    """Run it all and print what came out."""
    given = options()
    given.folder.mkdir(parents=True, exist_ok=True)
    os.environ["LEITSTAND_SESSION_SECRET"] = "benchmark"
    with ExitStack() as stack:
        engine = stack.enter_context(started(given.folder, given.port))
        data = make(engine, items=given.items, workspaces=given.workspaces, members=given.members)
        bare = stack.enter_context(server("benchmarks.web.bare:create", given.port + WEB.offset + 1))
        web = stack.enter_context(server("web.app:create", given.port + WEB.offset))
        measuring = Measuring(stack.enter_context(client()), web, bare, data, given.seconds)
        for _ in range(given.rounds):
            for name, paths in pages(data).items():
                measuring.round(name, paths, given.connections)
    report(measuring.found, data)


if __name__ == "__main__":
    main()
