"""A worker works on a thread: it reads the rows, does what comes next, and writes it down, until nothing comes any more."""

import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, Engine, select

from leitstand.agents import tools
from leitstand.agents.following import Ask, Use, Wait, following, reached, seconds_left, tokens_left
from leitstand.agents.keeping import AGENT_GONE, MAY_NOT, Gone, Keeping, Taken, View, asker_of
from leitstand.agents.remembering import messages
from leitstand.agents.starting import JOB
from leitstand.db.engine import transaction
from leitstand.db.exclusive import check_held, exclusive
from leitstand.db.models import Thread
from leitstand.errors import Conflict, LeitstandError
from leitstand.jobs.queue import enqueue_at
from leitstand.language_models.calls import ask
from leitstand.language_models.chat import spent_on
from leitstand.outgoing.connections import Stopped
from leitstand.telemetry.logs import get_logger
from leitstand.words import N_, Message, joined, msg

QUESTION_SECONDS, TOOL_SECONDS = 180.0, 60.0
# Letters of one answer, and how many one token has at most.
LONGEST, LETTERS_A_TOKEN = 100_000, 8
LOOK_SECONDS = 1.0
NO_MODEL = N_("No model is connected.")
CONNECT = N_("An admin connects one under Settings, Integrations, Model endpoints.")
CHOOSE_OR_CONNECT = N_(
    "Choose another model for the agent, or have an admin connect one under Settings, Integrations, Model endpoints."
)
TAKEN_SECONDS = 5.0
log = get_logger("agents")


def run(engine: Engine, *, thread_id: UUID) -> None:
    """Work on a thread until it has ended or waits for a person; whoever comes while another works comes again later."""
    name = f"thread {thread_id}"
    with ExitStack() as stack:
        try:
            lock = stack.enter_context(exclusive(engine, name))
        except Conflict:
            _come_again(engine, thread_id)
            return
        keeping = Keeping(engine, thread_id)
        try:
            while keeping.take() and _go_on(keeping, lock, name):
                pass
        except Gone:
            log.info("thread deleted while it was worked on", thread=str(thread_id))
        except Taken:
            _come_again(engine, thread_id)


def _come_again(engine: Engine, thread_id: UUID) -> None:
    with transaction(engine) as session:
        status = session.scalar(select(Thread.status).where(Thread.id == thread_id))
        if status in ("queued", "running"):
            at = datetime.now(UTC) + timedelta(seconds=TAKEN_SECONDS)
            enqueue_at(session, JOB, at=at, thread_id=thread_id)


def _go_on(keeping: Keeping, lock: Connection, name: str) -> bool:
    """Do what comes next; whether something may come after it."""
    check_held(lock, name)
    view = keeping.look()
    then = following(view.steps)
    if (ended := _must_end(view, then)) is not None:
        return _end(keeping, *ended)
    if isinstance(then, Ask):
        return _ask(keeping, view, then)
    if isinstance(then, Use):
        return _use(keeping, view, then)
    keeping.wait()
    return True


def _must_end(view: View, then: Ask | Use | Wait) -> tuple[str, str] | None:
    """How a thread ends before anything else happens, and why; None where it goes on."""
    if view.thread.cancel_requested_at is not None:
        return "cancelled", ""
    if view.principal is None:
        return "failed", MAY_NOT
    if not view.agent_there:
        return "failed", AGENT_GONE
    if isinstance(then, Wait):
        return None
    begun = then.again is not None if isinstance(then, Ask) else then.cut_off
    over = reached(view.thread, view.steps, further=not begun)
    return None if over is None else ("failed", over)


def _end(keeping: Keeping, status: str, reason: str = "") -> bool:
    keeping.end(status, reason)
    log.info("thread ended", thread=str(keeping.thread_id), status=status, reason=str(reason))
    return False


def _ask(keeping: Keeping, view: View, then: Ask) -> bool:
    thread, target = view.thread, view.target
    if target is None:
        return _end(keeping, "failed", _nobody(thread))
    step_id = keeping.question(view, target, then.again)
    try:
        reply = ask(
            keeping.engine,
            target,
            messages(thread, view.steps),
            asker=asker_of(thread),
            tools=[one.definition for one in view.tools],
            seconds=min(QUESTION_SECONDS, seconds_left(thread)),
            longest=min(LONGEST, max(tokens_left(thread), 100) * LETTERS_A_TOKEN),
            on_text=lambda text: keeping.told(step_id, text),
            stopped=_Now(keeping),
        )
    except Stopped as error:
        keeping.given_up(step_id, spent_on(error), target)
        return False
    except LeitstandError as error:
        keeping.unanswered(step_id, error, spent_on(error), target)
        return False
    return not keeping.answered(step_id, reply, target, view.tools)


def _use(keeping: Keeping, view: View, then: Use) -> bool:
    step, principal, tool = then.step, view.principal, view.tool(then.step.name)
    if then.cut_off and not (tool is not None and tool.repeatable):
        keeping.unknown(step.id)
        return False
    if tool is None or principal is None:
        keeping.not_there(view, step)
        return True
    if tool.needs_approval and step.decided_by is None:
        keeping.ask_person(view, step)
        return True
    keeping.use(view, step)
    try:
        given = tools.use(
            keeping.engine,
            principal=principal,
            offered=tool,
            arguments=step.arguments,
            spaces=view.thread.agent.get("spaces", []),
            key=str(step.id),
            seconds=min(TOOL_SECONDS, seconds_left(view.thread)),
        )
    except LeitstandError as error:
        keeping.failed(step.id, error.said)
    else:
        keeping.used(step.id, given)
    return True


def _nobody(thread: Thread) -> Message:
    """Why no model can be asked, and where one is connected."""
    model = str(thread.agent.get("model", ""))
    if not model:
        return joined(NO_MODEL, CONNECT)
    offers = msg("No model endpoint that is on offers the model {model}.", model=model)
    return joined(offers, CHOOSE_OR_CONNECT)


class _Now:
    """Whether the thread was cancelled, asked of the database about once a second."""

    def __init__(self, keeping: Keeping) -> None:
        self._keeping = keeping
        self._looked_at, self._stopped = 0.0, False

    def __call__(self) -> bool:
        if not self._stopped and time.monotonic() - self._looked_at >= LOOK_SECONDS:
            self._stopped = self._keeping.stopped()
            self._looked_at = time.monotonic()
        return self._stopped
