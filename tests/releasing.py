"""Fixtures: a machine on which releases are tried, and people who use it meanwhile."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from leitstand.releases.asking import ask
from tests.caddy import wait_until
from tests.local_host import BROKEN, FAILING, NEW, OLD, REPOSITORY, LocalHost
from tests.released import FAILING as FAILS
from tests.released import UNREADY
from tests.services import free_base_port


class Load:
    """People who ask for one page again and again until it is stopped, and how often they got something else."""

    def __init__(self, port: int, path: str = "/sign-in", *, people: int = 2) -> None:
        self.url = f"http://127.0.0.1:{port}{path}"
        self.answered, self.failed = 0, list[str]()
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(people)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join(30)

    def _ask(self) -> None:
        while not self._done.wait(0.01):
            answer = ask(self.url, 20)
            if answer.status == 200:
                self.answered += 1
            else:
                self.failed.append(f"{answer.status} {answer.body[:80]}")


@pytest.fixture(scope="module")
def forking() -> Iterator[str]:
    """A process that forks the small service: its socket."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/forker"
        argv = [sys.executable, "-P", "-m", "tests.forker", path, "tests.released"]
        process = subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, cwd=REPOSITORY)
        try:
            wait_until(Path(path).exists)
            yield path
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def machine(tmp_path: Path, forking: str) -> Iterator[LocalHost]:
    """A machine with a proxy on which nothing was released yet."""
    images = {OLD: {}, NEW: {}, BROKEN: {UNREADY: "1"}, FAILING: {FAILS: "1"}}
    host = LocalHost(tmp_path, free_base_port(), "tests.released:create", images, forker=forking)
    try:
        host.begin()
        yield host
    finally:
        host.end()
