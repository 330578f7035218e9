"""Answers of the assistant by a model: rows before anything happens, written as they come, by the next worker if need be."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from leitstand.catalogue import grants
from leitstand.conversations import talking
from leitstand.conversations.export import document, export
from leitstand.conversations.lost import pick_up
from leitstand.db.engine import transaction
from leitstand.db.models import Workspace
from leitstand.errors import Conflict, NotFound
from leitstand.jobs.failures import keep
from leitstand.jobs.recovery import WORKER_DIED
from leitstand.language_models import reading
from leitstand.settings import REPOSITORY
from tests.integration.conversations.at_talk import AtTalk, anna, bare, boss, talk, work
from tests.integration.conversations.test_conversations import fill
from tests.model_server import models, refuses, says
from tests.people import acting, join
from tests.receiver import receiver
from tests.waiting import wait_until

__all__ = ["anna", "bare", "boss", "models", "receiver", "talk", "work"]
BONUS = "The yearly bonus is paid in November.\n"


@pytest.fixture(autouse=True)
def salaries(talk: AtTalk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A space that everybody may read; what comes is told at once."""
    monkeypatch.setattr(reading, "TELL_SECONDS", 0.0)
    fill(talk.work.session, talk.work.boss, "Salaries", BONUS)
    talk.work.session.commit()


def test_a_model_answers_with_what_was_said_before(talk: AtTalk) -> None:
    talk.work.models.answer(says("It is paid in November [1]."), says("Yes, each November [1]."))
    made = talk.with_assistant()
    assert talk.said(made)[-1] == ("assistant", "", "writing")
    talk.do_jobs()
    shown = talk.last(made)
    assert (shown.text, shown.message.status, shown.message.model) == (
        "It is paid in November [1].", "done", "small",
    )  # fmt: skip
    assert [one["number"] for one in shown.citations] == [1] and "small" in str(shown.message.note)
    session = talk.work.session
    talking.go_on(session, principal=talk.anna, item_id=made.item_id, question="The bonus each year?")
    talk.do_jobs()
    assert talk.said(made)[-1][1] == "Yes, each November [1]."
    assert "It is paid in November" in str(talk.work.models.told())


def test_where_the_model_fails_the_documents_are_quoted_and_it_says_so(talk: AtTalk) -> None:
    talk.work.models.answer(refuses(400))
    made = talk.with_assistant()
    talk.do_jobs()
    shown = talk.last(made)
    assert shown.message.status == "done" and "November" in shown.text and not shown.message.model
    assert "could not be asked" in str(shown.message.note)


def test_it_is_stopped_and_what_comes_afterwards_changes_nothing(talk: AtTalk, workspace: Workspace) -> None:
    held = threading.Event()
    talk.work.models.answer(says("It is paid in November [1], as it always was.", held=held))
    made = talk.with_assistant()
    writing = talk.last(made).message.id
    session = talk.work.session
    reader = acting(session, workspace, join(session, workspace, role="admin", name="Olaf"))
    grants.share(session, principal=talk.anna, item_id=made.item_id, person_id=reader.person_id)
    session.commit()
    with talk.answering(writing):
        wait_until(lambda: talk.last(made).text)
        assert talk.opened(made, reader).messages[-1].withheld, "on what it rests is not known yet"
        talking.stop(session, principal=talk.anna, item_id=made.item_id, message_id=writing)
        session.commit()
        held.set()
    assert talk.last(made).message.status == "stopped" and "always" not in talk.last(made).text
    with pytest.raises(Conflict):
        talking.stop(session, principal=talk.anna, item_id=made.item_id, message_id=writing)


def test_a_killed_workers_successor_answers_again(talk: AtTalk, tmp_path: Path) -> None:
    held = threading.Event()
    talk.work.models.answer(says("It is only the beginning [1] of it.", held=held), says("In November [1]."))
    made = talk.with_assistant()
    message_id = talk.last(made).message.id
    command = [sys.executable, "-m", "tests.integration.conversations.run_answer", str(message_id)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: talk.last(made).text)
    finally:
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    held.set()
    assert talk.last(made).message.status == "writing"
    talk.do_jobs()
    assert talk.said(made)[-1] == ("assistant", "In November [1].", "done")
    assert talk.last(made).message.attempts == 2


def test_of_two_workers_only_the_last_one_writes(talk: AtTalk) -> None:
    held = threading.Event()
    talk.work.models.answer(says("It is the first [1] of the two.", held=held), says("The second [1]."))
    made = talk.with_assistant()
    message_id = talk.last(made).message.id
    with talk.answering(message_id):
        wait_until(lambda: talk.last(made).text)
        talk.answer(message_id)
        held.set()
    assert talk.said(made)[-1] == ("assistant", "The second [1].", "done")


def test_two_tabs_ask_once(talk: AtTalk) -> None:
    made, session = talk.with_assistant(), talk.work.session
    given = {"principal": talk.anna, "item_id": made.item_id, "question": "And then?"}
    with pytest.raises(Conflict, match="still being written"):
        talking.go_on(session, **given, after=2)  # type: ignore[arg-type]
    talk.do_jobs()
    talking.go_on(session, **given, after=2)  # type: ignore[arg-type]
    talk.do_jobs()
    with pytest.raises(Conflict, match="moved on meanwhile"):
        talking.go_on(session, **given, after=2)  # type: ignore[arg-type]
    assert len(talk.said(made)) == 4


def test_edited_and_answered_again_nothing_is_lost(talk: AtTalk) -> None:
    talk.work.models.decide = lambda asked: says(f"Answer {len(talk.work.models.asked)} [1].")
    made, session = talk.with_assistant(), talk.work.session
    own = {"principal": talk.anna, "item_id": made.item_id}
    talk.do_jobs()
    first = talk.message(made, 1).id
    talking.regenerate(session, **own, message_id=first)  # type: ignore[arg-type]
    talk.do_jobs()
    question = talk.message(made, 0).id
    talking.edit(session, **own, message_id=question, question="When is the bonus paid?")  # type: ignore[arg-type]
    talk.do_jobs()
    assert [one[1] for one in talk.said(made)] == ["When is the bonus paid?", "Answer 3 [1]."]
    assert (talk.opened(made).messages[0].place.number, talk.last(made).place.count) == (2, 1)
    talking.choose(session, **own, message_id=question)  # type: ignore[arg-type]
    session.commit()
    assert [one[1] for one in talk.said(made)][1] == "Answer 2 [1]."
    talking.choose(session, **own, message_id=first)  # type: ignore[arg-type]
    session.commit()
    place = talk.last(made).place
    assert (place.number, place.count, place.previous) == (1, 2, None) and place.following
    markdown = export(session, principal=talk.anna, item_id=made.item_id, form="md")
    assert "Answer 1" in markdown and "Answer 2" not in markdown
    told = document(talk.opened(made))["messages"]
    assert [(one["position"], one["parent"], one["chosen"]) for one in told] == [
        (1, None, True), (2, 1, True), (3, 1, False), (4, None, False), (5, 4, False),
    ]  # fmt: skip
    with pytest.raises(NotFound):
        talking.edit(session, **own, message_id=first, question="Mine?")  # type: ignore[arg-type]


def test_answers_that_nobody_writes_are_picked_up(talk: AtTalk) -> None:
    lost, broken, waits = (talk.with_assistant(f"Bonus {n}?") for n in range(3))
    session = talk.work.session
    numbers = session.scalars(text("SELECT id FROM procrastinate_jobs ORDER BY id")).all()
    for number, status in zip(numbers, ("succeeded", "failed"), strict=False):
        query = (
            "UPDATE procrastinate_jobs SET status = CAST(:status AS procrastinate_job_status) WHERE id = :id"
        )
        session.execute(text(query), {"status": status, "id": number})
    keep(session, job_id=numbers[1], attempt=8, reason=WORKER_DIED, request_id="")
    session.commit()
    assert pick_up(talk.work.engine) == 2
    message = talk.last(broken).message
    assert message.status == "failed" and "The worker that ran it died." in message.error
    assert pick_up(talk.work.engine) == 0
    talk.do_jobs()
    assert [talk.last(one).message.status for one in (lost, waits)] == ["done", "done"]


def test_whoever_may_not_ask_any_more_gets_no_answer(talk: AtTalk, session: Session) -> None:
    made = talk.with_assistant()
    with transaction(talk.work.engine) as other:
        other.execute(text("DELETE FROM membership WHERE person_id = :id"), {"id": talk.anna.person_id})
    talk.do_jobs()
    assert talk.last(made).message.status == "failed" and not talk.work.models.asked


@pytest.mark.long
@pytest.mark.parametrize("seconds", [0.2, 0.6, 1.2, 2.0])
def test_killed_at_any_moment_it_is_answered_once(talk: AtTalk, tmp_path: Path, seconds: float) -> None:
    talk.work.models.answer(says("It is paid in November [1], as ever.", piece=1, pause=0.05))
    made = talk.with_assistant()
    message_id = talk.last(made).message.id
    command = [sys.executable, "-m", "tests.integration.conversations.run_answer", str(message_id)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        worker.wait(timeout=1.0 + seconds)
    except subprocess.TimeoutExpired:
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    talk.do_jobs()
    assert talk.said(made)[-1] == ("assistant", "It is paid in November [1], as ever.", "done")
