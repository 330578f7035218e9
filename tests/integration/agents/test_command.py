"""leitstand agent: asked, followed, listed, shown and cancelled at the command line."""

import json
import threading

from click.testing import CliRunner, Result
from sqlalchemy import select

from leitstand.agents import running
from leitstand.cli.agent import group
from leitstand.db.engine import transaction
from leitstand.db.models import Thread, Workspace
from leitstand.errors import Conflict, Forbidden, InvalidInput, NotFound
from tests.integration.agents.at_work import AtWork, bare, work
from tests.model_server import calls, models, refuses, says
from tests.people import join
from tests.receiver import receiver
from tests.waiting import wait_until

__all__ = ["bare", "models", "receiver", "work"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, [*arguments, "--workspace", "demo"])


def asked(work: AtWork, *arguments: str) -> Result:
    """What `run` gives, while a worker does the work."""

    def newest() -> Thread | None:
        with transaction(work.engine) as session:
            return session.scalars(select(Thread).where(Thread.status == "queued")).one_or_none()

    def working() -> None:
        if (found := wait_until(newest, 20)) is not None:
            running.run(work.engine, thread_id=found.id)

    worker = threading.Thread(target=working)
    worker.start()
    done = run("run", *arguments, "--email", work.boss.email, "--wait")
    worker.join(20)
    return done


def test_an_agent_is_asked_and_followed_to_its_end(work: AtWork) -> None:
    work.tool("send", needs_approval=True)
    agent = work.agent("send")
    work.models.answer(says("Forty-two."))
    done = asked(work, agent.title, "What is it?")
    assert (done.exit_code, done.stdout) == (0, "Forty-two.\n") and "model  succeeded  small" in done.stderr
    thread = work.session.scalars(select(Thread)).one()
    assert (thread.begun_by, thread.person_id, thread.input["text"]) == ("program", work.boss.person_id, "What is it?")  # fmt: skip
    work.models.answer(refuses(503))
    failed = asked(work, str(agent.id), "And now?", "--json")
    document = json.loads(failed.stdout)
    assert (failed.exit_code, document["status"]) == (1, "failed") and "answers 503" in document["error"]
    work.models.answer(calls(("send", {"text": "x"})))
    waits = asked(work, agent.title, "Send it.")
    assert waits.exit_code == 1 and "waits for approval of: send. Decide at /threads/" in waits.stdout


def test_threads_are_listed_shown_and_cancelled(work: AtWork) -> None:
    agent = work.agent()
    begun = json.loads(run("run", agent.title, "Do it.", "--email", work.boss.email, "--json").stdout)
    assert (begun["status"], begun["steps"], begun["person"]) == ("queued", [], "Boss")
    listed = json.loads(run("threads", "--status", "open", "--json").stdout)["threads"]
    assert [one["id"] for one in listed] == [begun["id"]]
    assert "queued" in run("threads").stdout and "no such" in run("threads", "--status", "failed").stdout
    assert json.loads(run("cancel", begun["id"], "--json").stdout)["status"] == "cancelled"
    assert isinstance(run("cancel", begun["id"]).exception, Conflict)
    assert run("show", begun["id"]).stdout == f"{begun['id']} cancelled\n"
    assert json.loads(run("show", begun["id"], "--json").stdout)["output"] == ""


def test_nothing_is_done_for_who_may_not(work: AtWork, workspace: Workspace) -> None:
    agent, twin = work.agent(), work.agent()
    twin.title = agent.title
    work.session.commit()
    analyst = join(work.session, workspace, role="analyst")

    def refused(named: str, email: str) -> BaseException | None:
        return run("run", named, "Do it.", "--email", email).exception

    assert isinstance(refused(agent.title, work.boss.email), InvalidInput)
    assert isinstance(refused("None of ours", work.boss.email), NotFound)
    assert isinstance(refused(str(agent.id), "nobody@demo.test"), NotFound)
    assert isinstance(refused(str(agent.id), analyst.email), Forbidden)
    assert work.session.scalars(select(Thread)).all() == []
