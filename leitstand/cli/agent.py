"""leitstand agent: agents at work for a person, begun, followed, listed and cancelled."""

import json
import time
from typing import Any
from uuid import UUID

import click
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leitstand.agents import starting, threads
from leitstand.agents.threads import STATUSES, Filters, Opened, Row
from leitstand.catalogue.visibility import visible
from leitstand.cli._identity import member
from leitstand.cli._options import database
from leitstand.db.engine import transaction
from leitstand.db.models import Item, ThreadStep
from leitstand.errors import InvalidInput, NotFound
from leitstand.identity.access import Principal, system_principal
from leitstand.identity.workspaces import find_workspace

EVERY_SECONDS = 0.5
workspace_option = click.option("--workspace", required=True, metavar="W", help="The workspace.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group("agent")
def group() -> None:
    """Agents at work: ask one, see its threads, cancel them."""


@group.command("run")
@click.argument("agent")
@click.argument("text")
@workspace_option
@click.option("--email", required=True, metavar="E", help="For whom it works, with what they may do.")
@click.option("--wait", is_flag=True, help="Wait until it has ended, or needs a person's approval.")
@json_option
@click.pass_context
def run(
    context: click.Context, *, agent: str, text: str, workspace: str, email: str, wait: bool, as_json: bool
) -> None:
    """Ask the AGENT (its id or its title) TEXT. With --wait the exit code is 1 unless it succeeded.

    The queue worker does the work; ending this command does not end it.
    """
    with database() as engine:
        with transaction(engine) as session:
            principal = member(session, workspace, email)
            thread_id = starting.begin(
                session,
                principal=principal,
                agent_id=_agent(session, principal, agent),
                text=text,
                begun_by="program",
            ).id
        opened = _followed(engine, principal, thread_id) if wait else _see(engine, principal, thread_id)
    _show(opened, as_json=as_json)
    context.exit(int(wait and opened.row.thread.status != "succeeded"))


@group.command("threads")
@workspace_option
@click.option("--status", type=click.Choice(STATUSES), default=None, help="Only of this status.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 200))
@json_option
def list_threads(*, workspace: str, status: str | None, limit: int, as_json: bool) -> None:
    """The threads of a workspace, the newest first."""
    with database() as engine, transaction(engine) as session:
        principal = _operator(session, workspace)
        found = threads.find(session, principal=principal, filters=Filters(status=status or ""), limit=limit)
    if as_json:
        click.echo(json.dumps({"threads": [_row(row) for row in found.rows]}, ensure_ascii=False))
        return
    for row in found.rows:
        thread = row.thread
        click.echo(f"{thread.id}  {thread.status:<9}  {thread.steps:>3} steps  {row.person}: {thread.title}")
    if not found.rows:
        click.echo("There is no such thread.")


@group.command("show")
@click.argument("thread", type=click.UUID)
@workspace_option
@json_option
def show(*, thread: UUID, workspace: str, as_json: bool) -> None:
    """A THREAD (its id) with its steps and its answer."""
    with database() as engine:
        with transaction(engine) as session:
            principal = _operator(session, workspace)
        opened = _see(engine, principal, thread)
    for step in opened.steps if not as_json else ():
        click.echo(_step_line(step))
    _show(opened, as_json=as_json)


@group.command("cancel")
@click.argument("thread", type=click.UUID)
@workspace_option
@json_option
def cancel(*, thread: UUID, workspace: str, as_json: bool) -> None:
    """End a THREAD: at once where it waits, else as soon as its worker sees it."""
    with database() as engine, transaction(engine) as session:
        principal = _operator(session, workspace)
        status = starting.cancel(session, principal=principal, thread_id=thread).status
    if as_json:
        click.echo(json.dumps({"id": str(thread), "status": status}))
    else:
        click.echo("It is cancelled." if status == "cancelled" else "Its worker ends it in a moment.")


def _operator(session: Session, workspace: str) -> Principal:
    return system_principal(find_workspace(session, workspace).id, "command line")


def _agent(session: Session, principal: Principal, named: str) -> UUID:
    """The id of an agent that the person may see, by its id or its title."""
    try:
        return UUID(named)
    except ValueError:
        pass
    query = select(Item.id).where(visible(principal), Item.kind == "agent", Item.title == named)
    found = session.scalars(query.limit(2)).all()
    if len(found) > 1:
        raise InvalidInput(
            f"Several agents are called {named}.", hint="Name the one that you mean by its id."
        )
    if not found:
        raise NotFound(
            f"There is no agent {named} that {principal.email} may see.",
            hint="`leitstand item list --kind agent` shows the agents of a workspace.",
        )
    return found[0]


def _see(engine: Engine, principal: Principal, thread_id: UUID) -> Opened:
    with transaction(engine) as session:
        return threads.open_one(session, principal=principal, thread_id=thread_id)


def _followed(engine: Engine, principal: Principal, thread_id: UUID) -> Opened:
    """Tell each step on standard error, until a person is needed or nothing comes any more."""
    told: set[UUID] = set()
    while True:
        opened = _see(engine, principal, thread_id)
        for step in opened.steps:
            if step.finished_at is not None and step.id not in told:
                click.echo(_step_line(step), err=True)
                told.add(step.id)
        if opened.row.ended or opened.row.thread.status == "waiting":
            return opened
        time.sleep(EVERY_SECONDS)


def _step_line(step: ThreadStep) -> str:
    return f"{step.position:>3}  {step.kind:<5}  {step.status:<9}  {step.name}" + (
        f"  {step.error}" if step.error else ""
    )


def _show(opened: Opened, *, as_json: bool) -> None:
    thread = opened.row.thread
    if as_json:
        steps = [
            {
                "id": str(step.id), "position": step.position, "kind": step.kind, "status": step.status,
                "name": step.name, "arguments": step.arguments, "result": step.result, "error": str(step.error),
            }
            for step in opened.steps
        ]  # fmt: skip
        document = _row(opened.row) | {"output": thread.output, "steps": steps}
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    if thread.status == "succeeded":
        click.echo(thread.output)
    elif thread.status == "waiting":
        waiting = ", ".join(step.name for step in opened.steps if step.status == "waiting")
        click.echo(f"{thread.id} waits for approval of: {waiting}. Decide at /threads/{thread.id}.")
    else:
        click.echo(f"{thread.id} {thread.status}" + (f": {thread.error}" if thread.error else ""))


def _row(row: Row) -> dict[str, Any]:
    thread = row.thread
    return {
        "id": str(thread.id), "title": thread.title, "status": thread.status,
        "agent": thread.agent.get("title", ""), "agent_id": str(thread.agent_id) if thread.agent_id else None,
        "person": row.person, "begun_by": thread.begun_by, "steps_begun": thread.steps,
        "prompt_tokens": thread.prompt_tokens, "completion_tokens": thread.completion_tokens, "cost": thread.cost,
        "error": str(thread.error), "created_at": thread.created_at.isoformat(),
        "finished_at": thread.finished_at.isoformat() if thread.finished_at else None,
    }  # fmt: skip
