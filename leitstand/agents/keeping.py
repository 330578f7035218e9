"""The rows of a thread as its worker changes them: each change is one short transaction, and none is open in between."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from leitstand.agents.conversing import tell
from leitstand.agents.following import BEGUN, reached, seconds_left
from leitstand.agents.remembering import messages
from leitstand.agents.starting import CANCELLED
from leitstand.agents.tools import Given, Offered, checked_arguments, offered
from leitstand.catalogue.visibility import visible
from leitstand.db.engine import transaction
from leitstand.db.models import Item, Thread, ThreadStep
from leitstand.db.models.base import new_id
from leitstand.errors import Conflict, InvalidInput, LeitstandError, NotFound, TooLarge
from leitstand.identity.access import Principal
from leitstand.identity.standing import principal_of
from leitstand.language_models.calls import Asker, cost_of, record
from leitstand.language_models.endpoints import Target, choose
from leitstand.language_models.messages import Call, Message, Reply, Spent, estimated, estimated_prompt
from leitstand.words import N_, joined, msg

MAY_NOT = N_("Whoever this was for may not have agents work for them any more.")
AGENT_GONE = N_("The agent is gone, or whoever this was for may not see it any more.")
CUT_OFF = N_("The worker was ended while this tool was used. Whether it took effect is not known.")
LOOK_THERE = N_("Look at the tool's server, and run the thread again where it did not.")
TOOL_GONE = N_("This tool is not there any more, or is off.")


class Gone(NotFound):
    """The thread was deleted."""


class Taken(Conflict):
    """Another worker goes on with the thread: this one lost its lock with its connection to the database."""


@dataclass(frozen=True)
class View:
    """A thread as it stands.

    Args:
        principal: for whom it works; None where they may not any more.
        agent_there: whether they may still see the agent.
        tools: what the model is offered.
        target: where the model is asked; None where nothing offers it.
    """

    thread: Thread
    steps: Sequence[ThreadStep]
    principal: Principal | None
    agent_there: bool
    tools: Sequence[Offered]
    target: Target | None

    def tool(self, name: str) -> Offered | None:
        """The tool of that name, where it is offered."""
        return next((one for one in self.tools if one.name == name), None)


class Keeping:
    """One thread in the hands of the worker that holds its lock.

    What it writes holds only where the rows still are as it left them, so that one that lost its lock changes nothing.
    """

    def __init__(self, engine: Engine, thread_id: UUID) -> None:
        self.engine, self.thread_id = engine, thread_id
        self._attempts: dict[UUID, int] = {}
        self._since = time.monotonic()

    def take(self) -> bool:
        """Begin, or go on where another worker left; False where there is nothing to do."""
        with self._changing() as (_, thread):
            if thread.status not in ("queued", "running"):
                return False
            thread.status = "running"
            thread.started_at = thread.started_at or datetime.now(UTC)
        return True

    def look(self) -> View:
        """How it stands now."""
        with self._changing() as (session, thread):
            principal = _person(session, thread)
            spaces = thread.agent.get("spaces", [])
            return View(
                thread,
                _steps(session, thread),
                principal,
                principal is not None and _agent_there(session, principal, thread),
                offered(session, workspace_id=thread.workspace_id, names=thread.agent.get("tools", []), spaces=spaces),
                choose(session, thread.workspace_id, thread.agent.get("model", "")),
            )  # fmt: skip

    def stopped(self) -> bool:
        """Whether it was cancelled, or is not this worker's any more."""
        with transaction(self.engine) as session:
            query = select(Thread.status, Thread.cancel_requested_at).where(Thread.id == self.thread_id)
            row = session.execute(query).one_or_none()
        return row is None or row[0] != "running" or row[1] is not None

    def question(self, view: View, target: Target, again: ThreadStep | None) -> UUID:
        """A model is about to be asked.

        Args:
            again: the step whose answer was cut off.
        """
        with self._changing(view) as (session, thread):
            if again is None:
                step = _add(session, thread, "model", target.model, status="running")
            else:
                step = self._step(session, again.id)
                _pay_for_cut_off(session, thread, step, target, messages(view.thread, view.steps))
            step.name, step.result = target.model, {}
            self._begin(session, thread, step)
            return step.id

    def told(self, step_id: UUID, text: str) -> None:
        """So much of an answer has come."""
        with self._changing() as (session, _):
            self._mine(session, step_id).result = {"text": text}

    def answered(self, step_id: UUID, reply: Reply, target: Target, tools: Sequence[Offered]) -> bool:
        """The model answered: the tools that it wants become steps; without any the thread has ended, and that is given."""
        with self._changing() as (session, thread):
            step = self._mine(session, step_id)
            step.result = _result(reply)
            _pay(thread, step, target, Spent(reply.prompt_tokens, reply.completion_tokens))
            _settle(step, "succeeded")
            if not reply.calls:
                _answer(thread, step, reply)
                return True
            for call in reply.calls:
                _want(session, thread, call, {one.name: one for one in tools})
            session.flush()
            _count(session, thread)
            return False

    def unanswered(self, step_id: UUID, error: LeitstandError, spent: Spent, target: Target) -> None:
        """The model could not be asked for good: the thread has failed."""
        with self._changing() as (session, thread):
            step = self._mine(session, step_id)
            _pay(thread, step, target, spent)
            _settle(step, "failed", error.said)
            # An answer that was given up because of a limit failed by the limit, not by the endpoint.
            limited = isinstance(error, TooLarge) or seconds_left(thread) < 1
            over = reached(thread, _steps(session, thread), further=False) if limited else None
            _end(thread, "failed", over or error.said)

    def given_up(self, step_id: UUID, spent: Spent, target: Target) -> None:
        """The thread was cancelled while the model answered."""
        with self._changing() as (session, thread):
            step = self._mine(session, step_id)
            _pay(thread, step, target, spent)
            _settle(step, "failed", CANCELLED)
            _end(thread, "cancelled")

    def use(self, view: View, step: ThreadStep) -> None:
        """A tool is about to be used."""
        with self._changing(view) as (session, thread):
            self._begin(session, thread, self._step(session, step.id))

    def used(self, step_id: UUID, given: Given) -> None:
        """A tool gave something."""
        with self._changing() as (session, _):
            step = self._mine(session, step_id)
            step.result = {"text": given.text}
            if given.spaces:
                step.result = step.result | {"spaces": [str(one) for one in given.spaces]}
            _settle(step, "succeeded")

    def failed(self, step_id: UUID, reason: str) -> None:
        """A tool failed, which the model is told."""
        with self._changing() as (session, _):
            _settle(self._mine(session, step_id), "failed", reason)

    def not_there(self, view: View, step: ThreadStep) -> None:
        """A tool is gone since the model wanted it, which it is told."""
        with self._changing(view) as (session, thread):
            _settle(self._step(session, step.id), "failed", TOOL_GONE)
            session.flush()
            _count(session, thread)

    def ask_person(self, view: View, step: ThreadStep) -> None:
        """A tool needs approval since the model wanted it."""
        with self._changing(view) as (session, _):
            self._step(session, step.id).status = "waiting"

    def unknown(self, step_id: UUID) -> None:
        """A tool was cut off that is never used twice: the thread has failed."""
        with self._changing() as (session, thread):
            step = self._step(session, step_id)
            _settle(step, "unknown", CUT_OFF)
            # What else was to come does not, as nobody knows what it would build on.
            _stop(session, thread, CUT_OFF)
            said = msg(
                "The worker was ended while the tool {name} was used, and nobody knows whether it took effect.",
                name=step.name,
            )
            _end(thread, "failed", joined(said, LOOK_THERE))

    def wait(self) -> None:
        """A person decides: the thread rests until then."""
        with self._changing() as (session, thread):
            # Whoever decided in between saw a thread that still ran.
            waiting = any(step.status == "waiting" for step in _steps(session, thread))
            if waiting:
                thread.status = "waiting"

    def end(self, status: str, reason: str = "") -> None:
        """The thread has ended; steps that were still to come do not."""
        with self._changing() as (session, thread):
            _stop(session, thread, reason or CANCELLED)
            _end(thread, status, reason)

    def lost(self, reason: str) -> None:
        """Nobody works on it any more: it has failed, unless it ended or rests after all."""
        with self._changing() as (session, thread):
            if thread.status in ("queued", "running"):
                _stop(session, thread, reason)
                _end(thread, "failed", reason)

    @contextmanager
    def _changing(self, view: View | None = None) -> Iterator[tuple[Session, Thread]]:
        """A transaction with the thread's row held, and how long was worked brought up to date.

        Raises:
            Taken: the steps are not any more as `view` has them.
            Gone: the thread was deleted.
        """
        with transaction(self.engine) as session:
            thread = session.scalar(select(Thread).where(Thread.id == self.thread_id).with_for_update())
            if thread is None:
                raise Gone("The thread is gone.")
            if view is not None and _mark(_steps(session, thread)) != _mark(view.steps):
                raise Taken("Another worker goes on with this thread.")
            now = time.monotonic()
            thread.worked_ms += round((now - self._since) * 1_000)
            self._since = now
            goes_on = thread.finished_at is None
            yield session, thread
            if goes_on and thread.finished_at is not None:
                session.flush()
                tell(session, thread)

    def _begin(self, session: Session, thread: Thread, step: ThreadStep) -> None:
        step.status, step.attempts, step.started_at = "running", step.attempts + 1, datetime.now(UTC)
        self._attempts[step.id] = step.attempts
        session.flush()
        _count(session, thread)

    def _mine(self, session: Session, step_id: UUID) -> ThreadStep:
        """A step that this worker began.

        Raises:
            Taken: another one went on with it.
        """
        step = self._step(session, step_id)
        if step.status != "running" or step.attempts != self._attempts.get(step_id):
            raise Taken("Another worker goes on with this thread.")
        return step

    def _step(self, session: Session, step_id: UUID) -> ThreadStep:
        query = select(ThreadStep).where(ThreadStep.thread_id == self.thread_id, ThreadStep.id == step_id)
        return session.execute(query).scalar_one()


def _person(session: Session, thread: Thread) -> Principal | None:
    if thread.person_id is None:
        return None
    found = principal_of(session, workspace_id=thread.workspace_id, person_id=thread.person_id)
    return found if found is not None and found.may("item:read") else None


def _agent_there(session: Session, principal: Principal, thread: Thread) -> bool:
    query = select(Item.id).where(visible(principal), Item.id == thread.agent_id)
    return session.scalar(query) is not None


def _steps(session: Session, thread: Thread) -> Sequence[ThreadStep]:
    query = select(ThreadStep).where(
        ThreadStep.workspace_id == thread.workspace_id, ThreadStep.thread_id == thread.id
    )
    return session.scalars(query.order_by(ThreadStep.position)).all()


def _count(session: Session, thread: Thread) -> None:
    """Keep how many steps were begun."""
    query = select(func.count()).where(ThreadStep.thread_id == thread.id, ThreadStep.status.in_(BEGUN))
    thread.steps = session.scalar(query) or 0


def _add(session: Session, thread: Thread, kind: str, name: str, **values: Any) -> ThreadStep:
    last = select(func.max(ThreadStep.position)).where(ThreadStep.thread_id == thread.id)
    step = ThreadStep(
        id=new_id(), workspace_id=thread.workspace_id, thread_id=thread.id, kind=kind, name=name,
        position=(session.scalar(last) or 0) + 1, attempts=0, prompt_tokens=0, completion_tokens=0, cost=0, **values,
    )  # fmt: skip
    session.add(step)
    session.flush()
    return step


def _want(session: Session, thread: Thread, call: Call, tools: dict[str, Offered]) -> None:
    """A tool that the model wants becomes a step: to be used, to be decided, or refused at once with the reason."""
    tool, arguments, reason = tools.get(call.name), {}, ""
    if tool is None:
        names = ", ".join(tools) or "none"
        reason = msg("There is no tool {name}; those that there are: {names}.", name=call.name, names=names)
    else:
        try:
            arguments = checked_arguments(tool, call.arguments)
        except InvalidInput as error:
            reason = error.said
    status = "failed" if tool is None or reason else "waiting" if tool.needs_approval else "approved"
    step = _add(session, thread, "tool", call.name, status=status, call_id=call.id, arguments=arguments)
    if reason:
        _settle(step, "failed", reason)


def _stop(session: Session, thread: Thread, reason: str) -> None:
    """Steps that were still to come do not; of one that was cut off nobody knows."""
    for step in _steps(session, thread):
        if step.status == "running" and step.kind == "tool":
            _settle(step, "unknown", CUT_OFF)
        elif step.status in ("waiting", "approved", "running"):
            _settle(step, "refused" if step.kind == "tool" else "failed", reason)


def _result(reply: Reply) -> dict[str, Any]:
    """An answer as it is kept; `finish` stands there where it ended before the model was done."""
    calls = [{"id": one.id, "name": one.name, "arguments": one.arguments} for one in reply.calls]
    cut = {} if reply.finish in ("stop", "tool_calls") else {"finish": reply.finish}
    return {"text": reply.text, "calls": calls, **cut}


def _answer(thread: Thread, step: ThreadStep, reply: Reply) -> None:
    """The model answered without a tool: the thread has ended."""
    thread.output = reply.text
    if thread.cancel_requested_at:
        _end(thread, "cancelled")
    elif reply.text.strip():
        _end(thread, "succeeded")
    else:
        _end(thread, "failed", msg("The model {model} answered with nothing ({finish}).", model=step.name, finish=reply.finish))  # fmt: skip


def _mark(steps: Sequence[ThreadStep]) -> list[tuple[UUID, str, int]]:
    """What of steps changes with each thing that happens."""
    return [(step.id, step.status, step.attempts) for step in steps]


def _settle(step: ThreadStep, status: str, reason: str = "") -> None:
    step.status, step.error, step.finished_at = status, reason, datetime.now(UTC)


def _end(thread: Thread, status: str, reason: str = "") -> None:
    thread.status, thread.error, thread.finished_at = status, reason, datetime.now(UTC)


def _pay(thread: Thread, step: ThreadStep, target: Target, spent: Spent) -> None:
    cost = cost_of(target, spent)
    for row in (thread, step):
        row.prompt_tokens += spent.prompt_tokens
        row.completion_tokens += spent.completion_tokens
        row.cost += cost


def _pay_for_cut_off(
    session: Session, thread: Thread, step: ThreadStep, target: Target, asked: Sequence[Message]
) -> None:
    """What a worker that was ended had asked for was answered all the same, as far as anybody knows."""
    spent = Spent(estimated_prompt(asked), estimated(str(step.result.get("text", ""))))
    began = step.started_at or datetime.now(UTC)
    record(
        session,
        target=target,
        asker=asker_of(thread),
        spent=spent,
        succeeded=False,
        milliseconds=min(round((datetime.now(UTC) - began).total_seconds() * 1_000), 2**31 - 1),
    )
    _pay(thread, step, target, spent)


def asker_of(thread: Thread) -> Asker:
    """For what models are asked in a thread."""
    return Asker(thread.workspace_id, "agent", thread.agent_id, thread.person_id, thread.id)
