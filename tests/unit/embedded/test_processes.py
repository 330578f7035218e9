"""Processes are known by pid and birth, ended for sure, and counted with what they started."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from leitstand.embedded import processes
from leitstand.embedded.processes import Known

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', \"print('up', flush=True); b = bytearray(50_000_000); import time; time.sleep(60)\"])"


@pytest.fixture
def spawned() -> Iterator[list["subprocess.Popen[str]"]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def spawn(started: list["subprocess.Popen[str]"], code: str, **variables: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | variables,
        start_new_session=True,
    )
    started.append(process)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def test_a_process_knows_itself(tmp_path: Path) -> None:
    processes.record(tmp_path, "me")
    (me,) = processes.known(tmp_path)
    assert (me.name, me.pid, me.alive()) == ("me", os.getpid(), True)


def test_another_process_with_the_same_pid_is_not_the_one_that_was_recorded(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(json.dumps({"pid": os.getpid(), "born": "1"}))
    (old,) = processes.known(tmp_path)
    assert not old.alive()
    old.signal(signal.SIGKILL)  # must reach nobody: this test goes on


def test_pids_that_are_not_there_are_dead() -> None:
    assert not Known("none", 2**22 + 1, "1").alive()
    assert not Known("none", os.getpid(), "").alive()


def test_an_ended_process_that_nobody_waited_for_is_dead(spawned: list["subprocess.Popen[str]"]) -> None:
    process = spawn(spawned, "print('up', flush=True)")
    deadline = time.monotonic() + 10
    while processes.birth(process.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert processes.birth(process.pid) == ""


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"pid": "x", "born": "1"}'])
def test_a_broken_pid_file_is_removed(content: str, tmp_path: Path) -> None:
    (tmp_path / "web.json").write_text(content)
    assert processes.known(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_one_that_does_not_listen_is_killed(spawned: list["subprocess.Popen[str]"]) -> None:
    process = spawn(spawned, STUBBORN)
    processes.end(Known("stubborn", process.pid, processes.birth(process.pid)), signal.SIGTERM, patience=0.5)
    assert process.wait(10) == -signal.SIGKILL


def test_memory_counts_descendants(spawned: list["subprocess.Popen[str]"]) -> None:
    process = spawn(spawned, PARENT)
    deadline = time.monotonic() + 10
    while (
        memory := processes.memory_of([process.pid])[process.pid]
    ) < 50_000_000 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert 50_000_000 < memory < 500_000_000


def test_memory_of_nobody_is_nothing() -> None:
    assert processes.memory_of([]) == {}
    assert processes.own_memory(2**22 + 1) == 0


def test_the_owner_of_a_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert str(os.getpid()) in processes.owner_of_port(server.getsockname()[1])


def test_marked_processes_are_found_by_their_environment(spawned: list["subprocess.Popen[str]"]) -> None:
    ours = spawn(spawned, STUBBORN, LEITSTAND_TEST_MARK="this one")
    spawn(spawned, STUBBORN, LEITSTAND_TEST_MARK="another")
    assert [known.pid for known in processes.marked("LEITSTAND_TEST_MARK", "this one")] == [ours.pid]


def test_the_caller_is_never_among_the_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "from leitstand.embedded import processes; "
        "print([k.pid for k in processes.marked('LEITSTAND_TEST_MARK', 'self')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"LEITSTAND_TEST_MARK": "self"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
