"""The whole environment, started by the command that people use, on free ports in a temporary folder.

Fixture `stack`: shared by every pytest-xdist worker; the last to leave stops it. Mark tests that take it `stack`. A test that breaks things on purpose starts an environment of its own with `start_stack`.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from leitstand.services import BY_NAME
from leitstand.settings import REPOSITORY
from tests.services import free_base_port

START_SECONDS = 400
STOP_SECONDS = 200
OWNER_EMAIL = "owner@stack.test"
FOREIGN = ("LEITSTAND_", "PREFECT_")


@dataclass(frozen=True)
class Stack:
    """A running environment.

    Args:
        base_url: the proxy, as people type it.
        port: first port of the environment.
        owner_email, owner_password: of the first owner, who owns the workspace `demo`.
    """

    base_url: str
    port: int
    data_dir: str
    owner_email: str
    owner_password: str

    @property
    def folder(self) -> Path:
        """The data folder."""
        return Path(self.data_dir)

    def address_of(self, service: str) -> str:
        """http://host:port of a service, past the proxy."""
        return f"http://127.0.0.1:{self.port + BY_NAME[service].offset}"

    def variables(self) -> dict[str, str]:
        """The environment of a command that belongs to this stack and to no other."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        own = {
            "LEITSTAND_DATA_DIR": self.data_dir,
            "LEITSTAND_PORT": str(self.port),
            "PYTHONPATH": str(REPOSITORY),
        }
        return clean | own

    def run(
        self, *arguments: str, check: bool = True, timeout: float = 300, stdin: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a leitstand command in this environment; with `check`, one that fails fails the test with what it said."""
        done = subprocess.run(
            [sys.executable, "-m", "leitstand", *arguments],
            env=self.variables(),
            cwd=REPOSITORY,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            said = f"{done.stdout}\n{done.stderr}"
            pytest.fail(f"leitstand {' '.join(arguments)} ended with {done.returncode}:\n{said}")
        return done

    def json(self, *arguments: str, check: bool = True, timeout: float = 300) -> Any:
        """Run a leitstand command with --json and give its document."""
        return json.loads(self.run(*arguments, "--json", check=check, timeout=timeout).stdout)

    def log(self, service: str) -> str:
        """What a service has logged so far."""
        return (self.folder / "logs" / f"{service}.log").read_text(errors="replace")


def start_stack() -> Stack:
    """Start a new environment with `leitstand up --detach`; end it with `stop_stack`."""
    data_dir, port = tempfile.mkdtemp(prefix="leitstand-stack-"), free_base_port()
    stack = Stack(f"http://127.0.0.1:{port}", port, data_dir, OWNER_EMAIL, "")
    done = stack.run(
        "up", "--detach", "--json", "--owner-email", OWNER_EMAIL, check=False, timeout=START_SECONDS
    )
    if done.returncode != 0:
        stop_stack(stack)
        raise RuntimeError(f"the environment did not start:\n{done.stderr}")
    owner = json.loads(done.stdout)["owner"]
    return Stack(stack.base_url, port, data_dir, owner["email"], owner["password"])


def stop_stack(stack: Stack) -> None:
    """Stop an environment and delete its folder."""
    stack.run("down", check=False, timeout=STOP_SECONDS)
    shutil.rmtree(stack.data_dir, ignore_errors=True)


@contextmanager
def _shared(root: Path) -> Iterator[Stack]:
    """Start the stack if this is the first worker to want it, stop it if it is the last one to leave."""
    state_file, lock_file = root / "stack.json", root / "stack.lock"
    with lock_file.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = (
            json.loads(state_file.read_text())
            if state_file.exists()
            else {"users": 0, "stack": asdict(start_stack())}
        )
        state["users"] += 1
        state_file.write_text(json.dumps(state))
    try:
        yield Stack(**state["stack"])
    finally:
        with lock_file.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = json.loads(state_file.read_text())
            state["users"] -= 1
            state_file.write_text(json.dumps(state))
            if state["users"] == 0:
                stop_stack(Stack(**state["stack"]))
                state_file.unlink()


class Lease:
    """A worker's hold on the shared stack, which takes a share of the machine for as long as it runs.

    It lasts from the first test that takes the stack to the first that does not: those that do come first.
    """

    def __init__(self) -> None:
        self._held = ExitStack()
        self._stack: Stack | None = None

    def take(self, root: Path) -> Stack:
        """The running stack."""
        if self._stack is None:
            self._stack = self._held.enter_context(_shared(root))
        return self._stack

    def leave(self) -> None:
        """Give it back; the last one stops it."""
        self._stack = None
        self._held.close()


LEASE = Lease()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave the stack before the first test that has no use for it."""
    if not item.get_closest_marker("stack"):
        LEASE.leave()


def pytest_sessionfinish() -> None:
    """Leave the stack when there are no more tests."""
    LEASE.leave()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Stack:
    """The running environment that all tests share: change nothing that others rely on."""
    base = tmp_path_factory.getbasetemp()
    return LEASE.take(base if worker_id == "master" else base.parent)


@pytest.fixture
def drill_turn(stack: Stack) -> Iterator[None]:
    """This test's turn to drill: the shared environment runs one drill at a time, and refuses a second one."""
    with (stack.folder / "drill.turn").open("a") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield
