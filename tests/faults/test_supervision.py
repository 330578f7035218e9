"""Any process may be killed at any time: the environment comes back by itself, or by the next ./run up."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from leitstand.embedded import processes
from leitstand.embedded.environment import Environment
from leitstand.embedded.supervisor import NAME as SUPERVISOR
from leitstand.services import MARK, SERVICES
from leitstand.settings import REPOSITORY
from tests.services import free_base_port
from tests.stack import Stack, start_stack, stop_stack

pytestmark = [pytest.mark.stack, pytest.mark.slow]
PATIENCE = 120


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """An environment of this module's own, to break."""
    stack = start_stack()
    yield stack
    stop_stack(stack)


def services(stack: Stack) -> dict[str, dict[str, object]]:
    """Name -> what `status` says."""
    return {service["name"]: service for service in stack.json("status", check=False)["services"]}


def wait_up(stack: Stack) -> dict[str, dict[str, object]]:
    """Wait until every service is up and supervised."""
    deadline = time.monotonic() + PATIENCE
    while True:
        document = stack.json("status", check=False)
        if document["ok"]:
            return {service["name"]: service for service in document["services"]}
        assert time.monotonic() < deadline, document
        time.sleep(0.5)


def alive(stack: Stack) -> list[processes.Known]:
    """Every process of this environment, supervised or not."""
    named = [known for known in processes.known(stack.folder / "pids") if known.alive()]
    return named + processes.marked(MARK, stack.data_dir)


def test_a_second_start_changes_nothing(stack: Stack) -> None:
    before = wait_up(stack)
    again = stack.json("up", "--detach")
    assert (again["ok"], again["changed"], again["owner"]) == (True, False, None)
    assert {name: service["pid"] for name, service in services(stack).items()} == {
        name: service["pid"] for name, service in before.items()
    }


def test_another_port_is_refused_while_it_runs(stack: Stack) -> None:
    refused = stack.run("up", "--detach", "--port", str(stack.port + 100), check=False)
    assert refused.returncode != 0
    assert f"runs on port {stack.port}" in refused.stderr
    assert stack.json("status")["ok"]


@pytest.mark.fault(20)
def test_a_killed_service_is_started_again(stack: Stack) -> None:
    """One that no other test of the shared stack asks; all of them in the next test."""
    kill_and_wait(stack, "query")


@pytest.mark.long
@pytest.mark.parametrize("name", [service.name for service in SERVICES])
def test_each_killed_service_is_started_again(own: Stack, name: str) -> None:
    kill_and_wait(own, name)
    assert httpx.get(f"{own.base_url}/sign-in").status_code == 200


def kill_and_wait(stack: Stack, name: str) -> None:
    """Kill a service, and wait until another process serves in its place and all is well."""
    pid = int(str(wait_up(stack)[name]["pid"]))
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while (now := services(stack)[name])["pid"] in {0, pid} or now["state"] != "up":
        assert time.monotonic() < deadline, now
        time.sleep(0.3)
    wait_up(stack)


@pytest.mark.long
def test_a_new_start_takes_over_what_a_killed_supervisor_left(own: Stack) -> None:
    before = wait_up(own)
    (supervisor,) = [known for known in processes.known(own.folder / "pids") if known.name == SUPERVISOR]
    os.kill(supervisor.pid, signal.SIGKILL)
    assert not processes.wait_gone([supervisor], PATIENCE)
    orphaned = own.json("status", check=False)
    assert (orphaned["ok"], orphaned["supervised"]) == (False, False)
    again = own.json("up", "--detach", timeout=400)
    assert (again["ok"], again["changed"], again["owner"]) == (True, True, None)
    assert not {service["pid"] for service in before.values()} & {
        service["pid"] for service in again["services"]
    }


@pytest.mark.long
def test_stopping_leaves_no_process_and_no_open_port(own: Stack) -> None:
    wait_up(own)
    own.run("down")
    assert alive(own) == []
    assert own.json("status", check=False)["ok"] is False
    assert list((own.folder / "pids").iterdir()) == []
    assert not list(Path("/tmp").glob(f"seaweedfs-*-{own.port + 10}.sock"))
    own.run("dev", "check")
    assert "Nothing was running" in own.run("down").stdout


@pytest.mark.long
def test_what_was_there_is_there_after_a_stop_and_a_start(own: Stack) -> None:
    own.run("down")
    again = own.json("up", "--detach", timeout=400)
    assert (again["ok"], again["owner"]) == (True, None)
    assert again["last_start"]["kind"] == "warm"
    report = own.json("insights", "report", "--workspace", "demo")
    assert report["events"] > 50_000


@pytest.mark.long
def test_stopping_works_when_half_of_it_is_dead(own: Stack) -> None:
    wait_up(own)
    known = {known.name: known for known in processes.known(own.folder / "pids")}
    for name in (SUPERVISOR, "web", "objects"):
        os.kill(known[name].pid, signal.SIGKILL)
    processes.wait_gone([known[SUPERVISOR]], PATIENCE)
    assert "Everything is stopped" in own.run("down").stdout
    assert alive(own) == []


@pytest.mark.long
def test_the_postgresql_lock_of_a_dead_server_with_a_reused_pid_does_not_stop_a_start(own: Stack) -> None:
    own.run("down")
    lock = Environment(own.folder, own.port).postgres_dir / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{lock.parent}\n")
    lock.chmod(0o600)
    assert own.json("up", "--detach", timeout=400)["ok"]


@pytest.mark.fault(25)
@pytest.mark.long
def test_an_interrupted_start_leaves_nothing_running(tmp_path: Path) -> None:
    port = free_base_port()
    stack = Stack(f"http://127.0.0.1:{port}", port, str(tmp_path / "data"), "", "")
    process = subprocess.Popen(
        [sys.executable, "-m", "leitstand", "up", "--detach"],
        env=stack.variables(),
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + PATIENCE
    while not (stack.folder / "pids" / "postgres.json").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    assert alive(stack) == []
