"""Workers killed while a model answers and while a tool is used: what may be done again is, and nothing else."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text, update

from flows.tend_agents import tend
from leitstand.agents.keeping import CUT_OFF
from leitstand.agents.lost import PickedUp, pick_up
from leitstand.db.engine import transaction
from leitstand.db.models import Thread
from leitstand.jobs.failures import keep
from leitstand.jobs.recovery import WORKER_DIED, requeue_stalled
from leitstand.settings import REPOSITORY
from tests.integration.agents.at_work import AtWork, bare, work
from tests.integration.jobs.test_process import Process
from tests.model_server import calls, models, says
from tests.receiver import receiver
from tests.waiting import wait_until

__all__ = ["bare", "models", "receiver", "work"]
SEND = ("send", {"text": "hello"})
Start = Callable[[Thread], "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Begins to work on a thread in a process of its own."""
    started: list[subprocess.Popen[bytes]] = []

    def starting(thread: Thread) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.integration.agents.run_thread", str(thread.id)]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        with (tmp_path / "worker.log").open("ab") as log:
            started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=tmp_path))
        return started[-1]

    yield starting
    for process in started:
        process.kill()
        process.wait()


def kill(process: "subprocess.Popen[bytes]") -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def test_a_question_whose_answer_was_cut_off_is_asked_again(work: AtWork, start: Start) -> None:
    held = threading.Event()
    work.models.answer(
        says("This is only the beginning of it.", held=held), says("The whole of it.", usage=(50, 5))
    )
    thread = work.begin()
    process = start(thread)
    wait_until(lambda: [step for step in work.steps(thread) if step.result.get("text")])
    kill(process)
    held.set()
    assert work.told(thread) == [("model", "small", "running")] and work.see(thread).status == "running"
    thread = work.run(thread)
    assert (thread.status, thread.output, thread.steps) == ("succeeded", "The whole of it.", 1)
    (step,) = work.steps(thread)
    lost, answered = work.questions()
    assert step.attempts == 2 and (lost.succeeded, answered.succeeded) == (False, True)
    # What was cut off was paid for as well, as far as anybody knows.
    assert step.prompt_tokens == lost.prompt_tokens + 50 == thread.prompt_tokens and lost.prompt_tokens > 0
    assert thread.cost == lost.cost + answered.cost


def test_a_tool_that_was_cut_off_is_not_used_twice(work: AtWork, start: Start) -> None:
    work.tool("send")
    work.receiver.held = threading.Event()
    work.models.answer(calls(SEND, SEND), says("Never."))
    thread = work.begin("send")
    process = start(thread)
    wait_until(lambda: work.receiver.asked)
    kill(process)
    work.receiver.held.set()
    thread = work.run(thread)
    assert thread.status == "failed" and "nobody knows whether it took effect" in thread.error
    assert [status for _, _, status in work.told(thread)] == ["succeeded", "unknown", "refused"]
    assert str(work.steps(thread)[1].error) == CUT_OFF
    work.run(thread)
    assert len(work.receiver.asked) == 1 and len(work.models.asked) == 1


def test_a_repeatable_tool_that_was_cut_off_is_used_again(work: AtWork, start: Start) -> None:
    work.tool("send", repeatable=True)
    work.receiver.held = threading.Event()
    work.models.answer(calls(SEND), says("It was sent."))
    thread = work.begin("send")
    process = start(thread)
    wait_until(lambda: work.receiver.asked)
    kill(process)
    work.receiver.held.set()
    thread = work.run(thread)
    assert (thread.status, thread.output) == ("succeeded", "It was sent.")
    assert work.steps(thread)[1].attempts == 2 and len(work.models.asked) == 2
    # A server that knows such keys does it once.
    assert len({headers["idempotency-key"] for _, headers, _ in work.receiver.asked}) == 1
    assert len(work.receiver.asked) == 2


def test_a_cut_off_tool_of_a_cancelled_thread_is_told_as_unknown(work: AtWork) -> None:
    work.tool("send")
    work.models.answer(calls(SEND))
    thread = work.begin("send", limits={"steps": 1})
    work.run(thread)
    with transaction(work.engine) as session:
        session.execute(text("UPDATE thread SET status = 'running', cancel_requested_at = now(), error = ''"))
        session.execute(text("UPDATE thread_step SET status = 'running' WHERE kind = 'tool'"))
    thread = work.run(thread)
    assert thread.status == "cancelled" and work.told(thread)[-1] == ("tool", "send", "unknown")


def test_threads_that_nobody_works_on_are_picked_up(work: AtWork) -> None:
    lost, broken, working, rests, ended = (work.begin() for _ in range(5))

    def ending(thread: Thread, status: str) -> None:
        job = {"status": status, "id": str(thread.id)}
        query = "UPDATE procrastinate_jobs SET status = :status WHERE args ->> 'thread_id' = :id"
        work.session.execute(text(query.replace(":status", "CAST(:status AS procrastinate_job_status)")), job)

    ending(lost, "succeeded")
    ending(broken, "failed")
    ending(rests, "succeeded")
    ending(ended, "failed")
    (number,) = work.session.execute(
        text("SELECT id FROM procrastinate_jobs WHERE args ->> 'thread_id' = :id"), {"id": str(broken.id)}
    ).one()
    keep(work.session, job_id=number, attempt=5, reason=WORKER_DIED, request_id="")
    work.session.execute(update(Thread).where(Thread.id == rests.id).values(status="waiting"))
    work.session.execute(update(Thread).where(Thread.id == ended.id).values(status="succeeded"))
    work.session.commit()
    assert pick_up(work.engine) == PickedUp([lost.id], [broken.id])
    assert tend.fn() == {"again": 0, "failed": 0, "begun": 0, "answers": 0}
    assert work.jobs(lost) == 1 and work.jobs(broken) == 0 and work.jobs(working) == 1
    thread = work.see(broken)
    assert thread.status == "failed" and "again and again: The worker that ran it died." in thread.error
    assert (work.see(rests).status, work.see(ended).status) == ("waiting", "succeeded")


@pytest.mark.slow
def test_the_queue_gives_a_thread_of_a_killed_worker_to_the_next(work: AtWork, tmp_path: Path) -> None:
    work.tool("send")
    held = threading.Event()
    work.models.answer(calls(SEND), says("Only the beginning of", held=held), says("Done by the next."))
    thread = work.begin("send")
    first = Process(work.settings, tmp_path, 1)
    try:
        work.models.wait_for(2)
        kill(first.process)
        held.set()
        with transaction(work.engine) as session:
            assert len(requeue_stalled(session, after_seconds=0)) == 1
        second = Process(work.settings, tmp_path, 1)
        try:
            wait_until(lambda: work.see(thread).status == "succeeded")
        finally:
            kill(second.process)
    finally:
        first.process.kill()
    assert work.see(thread).output == "Done by the next."
    assert len(work.receiver.asked) == 1 and len(work.models.asked) == 3


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
def test_killed_at_any_moment_nothing_is_done_twice(work: AtWork, start: Start, seed: int) -> None:
    """The tool that may be used again is, the other one never; the thread ends, and says how."""
    chance = random.Random(seed)
    work.tool("send")
    work.tool("look", repeatable=True)
    look = ("look", {"text": "x"})
    answers = [
        calls(look, piece=2, pause=0.02),
        calls(SEND, look, piece=2, pause=0.02),
        says("Done.", pause=0.05),
    ]
    work.models.decide = lambda asked: answers[
        min(sum(one["role"] == "assistant" for one in asked["messages"]), 2)
    ]
    thread = work.begin("send", "look")
    for _ in range(12):
        if work.see(thread).finished_at:
            break
        process = start(thread)
        try:
            process.wait(timeout=1.0 + chance.random() * 1.5)
        except subprocess.TimeoutExpired:
            kill(process)
    thread = work.run(thread)
    sent = [headers["idempotency-key"] for path, headers, _ in work.receiver.asked if path == "/send"]
    assert len(sent) == len(set(sent)) <= 1
    statuses = {name: status for kind, name, status in work.told(thread) if kind == "tool"}
    if thread.status == "succeeded":
        assert (
            thread.output == "Done."
            and statuses == {"look": "succeeded", "send": "succeeded"}
            and len(sent) == 1
        )
    else:
        assert (thread.status, statuses["send"]) == ("failed", "unknown")
    again = sum(step.attempts - 1 for step in work.steps(thread) if step.kind == "model")
    assert sum(one.succeeded for one in work.questions()) <= 3 + again, "paid for, and not written yet"
