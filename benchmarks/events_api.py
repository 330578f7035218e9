"""How fast events come in through the API, beside PostgreSQL's own COPY into the same table.

    python -m benchmarks.events_api --folder /tmp/benchmark

Starts a PostgreSQL of its own (as `./run up` configures it) and the API with some worker processes on 127.0.0.1, and
sends realistic events (those of `benchmarks.environment`) in batches from several connections. Each answer comes
after its events are durable and in the facts. Then everything is sent again, which must add nothing. On a machine that
others use too, the processor time an event says more than the rate.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import psutil
from sqlalchemy import Engine

from benchmarks.environment import BEGIN, STEPS, columns, prepare
from benchmarks.insights_import import copy_rate
from leitstand.catalogue.companions import ensure_companion
from leitstand.db.engine import transaction
from leitstand.db.ids import derived_uuid7
from leitstand.events.partitions import ensure_partitions
from leitstand.identity import people, tokens
from leitstand.identity.workspaces import ensure_workspace
from leitstand.services import API

PASSWORD = "benchmark of events"


def batches(events: int, size: int) -> list[bytes]:
    """The bodies to send, gzipped NDJSON."""
    made = columns(events)
    stamps = np.datetime_as_string(BEGIN + made["at"].astype("timedelta64[s]")).tolist()
    names = ("run", "place", "companion", "actor")
    rows = zip(*(made[name].tolist() for name in names), stamps, strict=True)
    lines = [
        json.dumps(
            {
                "kind": "answered", "companion": f"companion-{companion}", "run_key": f"run-{run}", "seq": place,
                "step": str(STEPS[place]), "actor_key": f"visitor-{actor}", "occurred_at": f"{stamp}Z",
            }
        )
        for run, place, companion, actor, stamp in rows
    ]  # fmt: skip
    return [
        gzip.compress("\n".join(lines[begin : begin + size]).encode(), 1)
        for begin in range(0, len(lines), size)
    ]


def workspace(engine: Engine, events: int) -> str:
    """A workspace with the companions and months of the events, and a token that may send them."""
    made = columns(events)
    months = (
        np.unique((BEGIN + made["at"].astype("timedelta64[s]")).astype("datetime64[D]")).astype("O").tolist()
    )
    from datetime import UTC, datetime

    ensure_partitions(
        engine, [derived_uuid7(datetime(day.year, day.month, day.day, tzinfo=UTC), b"") for day in months]
    )
    with transaction(engine) as session:
        found = ensure_workspace(session, slug="benchmark")
        for number in np.unique(made["companion"]).tolist():
            ensure_companion(session, workspace_id=found.id, key=f"companion-{number}")
        email = f"{time.time_ns()}@benchmark.test"
        people.create_owner(session, email=email, name="Owner", password=PASSWORD, workspace_id=found.id)
        principal = tokens.owner(session, workspace_id=found.id, email=email, name="benchmark")
        made_token = tokens.create(
            session, principal=principal, name="benchmark", permissions=["events:write"]
        )
    return made_token.secret


def serve(port: int, workers: int) -> subprocess.Popen[bytes]:
    """The API in a process of its own, once it is ready."""
    argv = [
        sys.executable, "-m", "uvicorn", "--factory", "api.app:create", "--host", "127.0.0.1", "--port", str(port),
        "--workers", str(workers), "--log-level", "warning", "--no-access-log",
    ]  # fmt: skip
    log = subprocess.DEVNULL
    process = subprocess.Popen(argv, stderr=log, env=os.environ | {"LEITSTAND_LOG_LEVEL": "WARNING"})
    for _ in range(600):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                return process
        except httpx.HTTPError:
            time.sleep(0.1)
    process.terminate()
    raise SystemExit("the API did not start")


def send(
    port: int, secret: str, bodies: list[bytes], connections: int
) -> tuple[dict[str, int], float, list[float]]:
    """What became of the events, in how many seconds, and the seconds of each batch."""
    headers = {
        "Authorization": f"Bearer {secret}", "Content-Type": "application/x-ndjson", "Content-Encoding": "gzip",
    }  # fmt: skip
    counts = {"accepted": 0, "duplicate": 0, "refused": 0}
    with httpx.Client(headers=headers, timeout=60) as client, ThreadPoolExecutor(connections) as pool:

        def one(body: bytes) -> tuple[dict[str, int], float]:
            begun = time.monotonic()
            answer = client.post(f"http://127.0.0.1:{port}/api/v1/events", content=body)
            answer.raise_for_status()
            return answer.json(), time.monotonic() - begun

        begun = time.monotonic()
        answers = list(pool.map(one, bodies))
        seconds = time.monotonic() - begun
    for answer, _ in answers:
        for name in counts:
            counts[name] += answer[name]
    return counts, seconds, sorted(took for _, took in answers)


def processor_seconds(*pids: int) -> list[float]:
    """Processor time that each of these processes and its children have had so far."""
    found = []
    for pid in pids:
        root = psutil.Process(pid)
        times = [process.cpu_times() for process in [root, *root.children(recursive=True)]]
        found.append(sum(time.user + time.system for time in times))
    return found


def measure(name: str, port: int, secret: str, bodies: list[bytes], connections: int, pids: list[int]) -> str:
    """Send it all and say how fast it went."""
    before = processor_seconds(*pids)
    counts, seconds, times = send(port, secret, bodies, connections)
    total, p95 = sum(counts.values()), times[int(len(times) * 0.95)]
    api, postgres = (
        (after - begun) / total * 1e6 for begun, after in zip(before, processor_seconds(*pids), strict=True)
    )
    return (
        f"{name}: {total / seconds:,.0f} events/s, p95 of a batch {p95 * 1000:,.0f} ms, {counts};"
        f" processor time an event: API {api:.0f} µs, PostgreSQL {postgres:.0f} µs"
    )


def options() -> argparse.Namespace:
    """What to do, from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, default=31_500)
    return parser.parse_args()


def main() -> None:
    """Run it all and print what came out."""
    given = options()
    given.folder.mkdir(parents=True, exist_ok=True)
    bodies = batches(given.events, given.batch)
    os.environ["LEITSTAND_SESSION_SECRET"] = "benchmark"
    cluster, engine = prepare(given.folder, given.port)
    try:
        secret, port = workspace(engine, given.events), given.port + API.offset
        process = serve(port, given.workers)
        try:
            pids = [process.pid, int((cluster.data / "postmaster.pid").read_text().split()[0])]
            for name in ("sent", "sent again"):
                print(measure(name, port, secret, bodies, given.connections, pids))
        finally:
            process.terminate()
            process.wait()
        print(f"PostgreSQL's own COPY into the table: {copy_rate(engine):,.0f} events/s")
    finally:
        engine.dispose()
        cluster.stop()


if __name__ == "__main__":
    main()
