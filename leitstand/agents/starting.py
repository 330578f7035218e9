"""What people do with threads: begin, cancel, retry, and decide about a tool that waits for them.

Each changes the row under the condition that it still is in the state from which this leads, so that of two who act at
once, and of a person and the worker, one is told that it is too late.
"""

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, select, update
from sqlalchemy.orm import Session

from leitstand.agents import threads
from leitstand.agents.conversing import tell
from leitstand.catalogue import contents
from leitstand.catalogue.contents import Opened
from leitstand.catalogue.text import searchable
from leitstand.db.models import Thread, ThreadStep
from leitstand.db.models.agents import OPEN_STATUSES
from leitstand.errors import Conflict, Forbidden, InvalidInput, NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, require, require_member, require_oneself
from leitstand.jobs.queue import enqueue
from leitstand.telemetry.context import current
from leitstand.words import N_, msg
from leitstand.words.letters import without_controls

JOB = "agents.run"
LONGEST_TEXT = 20_000
CANCELLED = N_("The thread was cancelled.")
Limit = Literal["steps", "seconds", "tokens", "cost"]


def begin(
    session: Session,
    *,
    principal: Principal,
    agent_id: UUID,
    text: str,
    inputs: dict[str, Any] | None = None,
    app_id: UUID | None = None,
    limits: dict[str, int] | None = None,
    begun_by: str = "person",
    retry_of: UUID | None = None,
    earlier: Sequence[dict[str, str]] = (),
    material: Sequence[dict[str, str]] = (),
) -> Thread:
    """Begin a thread of an agent, as it is now; a worker takes it once the caller has committed.

    Args:
        text: what the agent is asked.
        inputs: the values of an app's form, which `text` tells in words.
        app_id: the app that asks; it was checked by the caller.
        limits: less than the agent's own, by name.
        begun_by: person, schedule or program; whoever comes with an API token is a program.
        earlier: what was said in a conversation before, the oldest first, each as {"person", "answer"}.
        material: files that the person gave, each as {"name", "text"}; they are quoted, and never instructions.

    Raises:
        Forbidden: without `item:write`, to people outside, to programs of nobody, or while acting as somebody else.
        NotFound: there is no such agent that the principal may see.
        Conflict: the agent is in the archive.
        InvalidInput: the text is empty or too long.
    """
    require_person(principal)
    require_member(principal)
    found = contents.read(session, principal=principal, item_id=agent_id, kind="agent")
    if found.item.status == "archived":
        raise Conflict(
            msg("The agent {title} is in the archive.", title=found.item.title),
            hint="Take it out of the archive, or choose another one.",
        )
    asked = checked_text(text)
    if begun_by == "person" and principal.token_id:
        begun_by = "program"
    thread = Thread(
        workspace_id=principal.workspace_id, agent_id=agent_id, app_id=app_id, person_id=principal.person_id,
        retry_of=retry_of, title=searchable(asked), begun_by=begun_by, agent=_snapshot(found),
        limits=_limits(found, limits or {}), input=_input(asked, inputs or {}, earlier, material),
        trace=current()["request_id"],
    )  # fmt: skip
    session.add(thread)
    session.flush()
    enqueue(session, JOB, thread_id=thread.id)
    _record(session, principal, "thread.retry" if retry_of else "thread.begin", thread, _origin(thread))
    return thread


def cancel(session: Session, *, principal: Principal, thread_id: UUID) -> Thread:
    """End a thread: at once where it waits; where a worker has it, as soon as that sees it.

    Raises:
        Forbidden: without `item:write`.
        NotFound: there is no such thread.
        Conflict: it has ended.
    """
    require(principal, "item:write")
    thread = threads.get(session, principal=principal, thread_id=thread_id)
    idle = Thread.status.in_(("queued", "waiting"))
    changed = (
        update(Thread)
        .where(_is(principal, thread_id), Thread.status.in_(OPEN_STATUSES))
        .values(
            cancel_requested_at=func.coalesce(Thread.cancel_requested_at, func.now()),
            status=case((idle, "cancelled"), else_=Thread.status),
            finished_at=case((idle, func.now()), else_=Thread.finished_at),
        )
        .returning(Thread.status)
    )
    status = session.scalar(changed)
    session.refresh(thread)
    if status is None:
        raise Conflict("This thread has ended already.", hint="Load the page again.")
    if status == "cancelled":
        waiting = update(ThreadStep).where(
            ThreadStep.workspace_id == thread.workspace_id,
            ThreadStep.thread_id == thread_id,
            ThreadStep.status == "waiting",
        )
        session.execute(waiting.values(status="refused", error=CANCELLED, finished_at=func.now()))
        tell(session, thread)
    _record(session, principal, "thread.cancel", thread)
    return thread


def retry(session: Session, *, principal: Principal, thread_id: UUID) -> Thread:
    """Begin a new thread with what an ended one was given, for the principal and by the agent as it is now.

    Raises:
        Forbidden: as `begin`.
        NotFound: there is no such thread, or its agent is gone.
        Conflict: it has not ended, or the agent is in the archive.
    """
    require_person(principal)
    thread = threads.get(session, principal=principal, thread_id=thread_id)
    require_ended(thread)
    if thread.agent_id is None:
        raise Conflict("The agent of this thread was deleted.", hint="Choose another agent and ask it.")
    return begin(
        session,
        principal=principal,
        agent_id=thread.agent_id,
        text=thread.input["text"],
        inputs=thread.input.get("inputs"),
        app_id=thread.app_id,
        retry_of=thread.id,
        earlier=thread.input.get("earlier", ()),
        material=thread.input.get("material", ()),
    )


def require_ended(thread: Thread) -> None:
    """Refuse what can be done only when nothing happens in a thread any more.

    Raises:
        Conflict: it has not ended.
    """
    if thread.status in OPEN_STATUSES:
        raise Conflict("This thread still goes on.", hint="Wait until it has ended, or cancel it first.")


def decide(
    session: Session, *, principal: Principal, thread_id: UUID, step_id: UUID, approve: bool
) -> Thread:
    """Let a tool be used that waits for approval, or not; the thread goes on when no other of its tools waits.

    Raises:
        Forbidden: without `item:write`, or while acting as somebody else.
        NotFound: there is no such thread, or it has no such step.
        Conflict: the step does not wait any more.
    """
    require_person(principal)
    thread = threads.get(session, principal=principal, thread_id=thread_id, lock=True)
    waits = and_(
        ThreadStep.workspace_id == principal.workspace_id,
        ThreadStep.thread_id == thread_id,
        ThreadStep.status == "waiting",
    )
    step = select(ThreadStep.id).where(ThreadStep.thread_id == thread_id, ThreadStep.id == step_id)
    if session.scalar(step.where(ThreadStep.workspace_id == principal.workspace_id)) is None:
        raise NotFound("There is no such step in this thread.", hint="Load the page again.")
    if thread.status != "waiting" or not _decided(session, principal, waits, step_id, approve):
        raise Conflict(
            "This was decided already, or the thread has ended.",
            hint="Load the page again to see how it stands.",
        )
    if not session.scalar(select(func.count()).where(waits)):
        session.execute(update(Thread).where(_is(principal, thread_id)).values(status="queued"))
        session.refresh(thread)
        enqueue(session, JOB, thread_id=thread_id)
    _record(
        session, principal, "thread.approve" if approve else "thread.refuse", thread, {"step": str(step_id)}
    )
    return thread


def checked_text(text: str) -> str:
    """What an agent is asked, without control characters.

    Raises:
        InvalidInput: nothing is left, or it is too long.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    asked = "\n".join(without_controls(line, keep="\t").rstrip() for line in lines).strip()
    if not asked:
        raise InvalidInput("Nothing is asked.", hint="Write what the agent is to do.")
    if len(asked) > LONGEST_TEXT:
        raise InvalidInput(msg("This may have at most {most:,} characters.", most=LONGEST_TEXT))
    return asked


def require_person(principal: Principal) -> None:
    """Refuse whoever may not have agents work: for others than oneself nobody may.

    Raises:
        Forbidden: without `item:write`, to programs of nobody, or while acting as somebody else.
    """
    require(principal, "item:write")
    require_oneself(principal)
    if principal.person_id is None:
        raise Forbidden("Only a person has agents work for them.")


def _snapshot(found: Opened) -> dict[str, Any]:
    held = found.content.document()
    kept = ("instructions", "model", "tools", "spaces")
    return {"title": found.item.title} | {name: held[name] for name in kept}


def _input(
    text: str,
    inputs: dict[str, Any],
    earlier: Sequence[dict[str, str]],
    material: Sequence[dict[str, str]],
) -> dict[str, Any]:
    """What a thread is given; what it was not given is left out."""
    more = {"earlier": list(earlier), "material": list(material)}
    return {"text": text, "inputs": inputs} | {name: given for name, given in more.items() if given}


def _limits(found: Opened, given: dict[str, int]) -> dict[str, int]:
    """The agent's own, or less; no limit of the cost is 0."""
    own: dict[str, int] = found.content.document()["limits"]
    return {name: min((one for one in (own[name], given.get(name, 0)) if one > 0), default=0) for name in own}


def _decided(
    session: Session, principal: Principal, waits: ColumnElement[bool], step_id: UUID, approve: bool
) -> bool:
    values: dict[str, Any] = {"decided_by": principal.person_id, "decided_at": func.now()}
    values |= {"status": "approved"} if approve else {"status": "refused", "finished_at": func.now()}
    changed = update(ThreadStep).where(waits, ThreadStep.id == step_id).values(**values)
    return session.scalar(changed.returning(ThreadStep.id)) is not None


def _is(principal: Principal, thread_id: UUID) -> ColumnElement[bool]:
    return and_(Thread.workspace_id == principal.workspace_id, Thread.id == thread_id)


def _origin(thread: Thread) -> dict[str, Any]:
    told = {"agent": thread.agent_id, "app": thread.app_id, "retry_of": thread.retry_of}
    return {name: str(value) for name, value in told.items() if value} | {"begun_by": thread.begun_by}


def _record(
    session: Session, principal: Principal, action: str, thread: Thread, after: dict[str, Any] | None = None
) -> None:
    audit.record(session, principal=principal, action=action, target=f"thread:{thread.id}", after=after)
