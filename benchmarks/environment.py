"""A PostgreSQL of a benchmark's own, and how a benchmark says what came out."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from sqlalchemy import Engine

from leitstand.db import migrate
from leitstand.db.cluster import Cluster
from leitstand.db.engine import make_engine
from leitstand.embedded.objects import ObjectStore
from leitstand.services import POSTGRES
from leitstand.settings import load_settings

START_SECONDS = 300


def prepare(folder: Path, port: int) -> tuple[Cluster, Engine]:
    """A PostgreSQL as `./run up` configures it, migrated and empty but for what an earlier run left."""
    os.environ |= {
        "LEITSTAND_DATA_DIR": str(folder / "data"),
        "LEITSTAND_PORT": str(port),
        "LEITSTAND_DATABASE_PASSWORD": "benchmark",
    }
    cluster = Cluster(folder / "data" / "postgres", port + POSTGRES.offset, "benchmark")
    cluster.create()
    cluster.start()
    cluster.prepare("leitstand")
    engine = make_engine(load_settings(), statement_timeout_ms=0)
    migrate.upgrade(engine)
    return cluster, engine


@contextmanager
def started(folder: Path, port: int) -> Iterator[Engine]:
    """PostgreSQL and an object store of the benchmark's own, which end with the block."""
    cluster, engine = prepare(folder, port)
    os.environ |= {"LEITSTAND_S3_ACCESS_KEY": "benchmark", "LEITSTAND_S3_SECRET_KEY": "benchmark"}
    try:
        store = ObjectStore(folder / "objects", port, "benchmark", "benchmark").start()
        try:
            yield engine
        finally:
            store.kill()
            store.wait()
    finally:
        engine.dispose()
        cluster.stop()


@dataclass
class Server:
    """The process of a server that runs, and its port on 127.0.0.1."""

    pid: int
    port: int


def start_server(factory: str, port: int) -> "subprocess.Popen[bytes]":
    """Start a process of `./run up`'s kind and wait until it answers."""
    argv = [
        sys.executable, "-P", "-m", "uvicorn", factory, "--factory", "--host", "127.0.0.1", "--port", str(port),
        "--proxy-headers", "--forwarded-allow-ips", "127.0.0.1", "--no-server-header", "--no-access-log",
        "--log-level", "warning",
    ]  # fmt: skip
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(f"http://127.0.0.1:{port}/readyz", process, seconds=START_SECONDS)
    return process


@contextmanager
def server(factory: str, port: int) -> Iterator[Server]:
    """A process of `./run up`'s kind."""
    process = start_server(factory, port)
    try:
        yield Server(process.pid, port)
    finally:
        process.terminate()
        process.wait()


def processor_seconds(*pids: int) -> list[float]:
    """Processor time that each of these processes and its children have had so far."""
    found = []
    for pid in pids:
        root = psutil.Process(pid)
        times = [process.cpu_times() for process in [root, *root.children(recursive=True)]]
        found.append(sum(time.user + time.system for time in times))
    return found


def verdict(what: str, reached: float, target: float, unit: str) -> str:
    """What was reached beside what is promised."""
    says = "reached" if reached >= target else "MISSED"
    return f"{what}: {reached:,.4g} {unit}; target at least {target:,.4g} {unit}: {says}"


def wait_for(address: str, process: "subprocess.Popen[bytes]", *, seconds: float) -> None:
    """Wait until a service that is starting answers; ends the benchmark where it does not, or where it ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        with suppress(httpx.TransportError):
            if httpx.get(address).is_success:
                return
        time.sleep(0.2)
    raise SystemExit(f"error: {address} did not answer within {seconds:.0f} s")
