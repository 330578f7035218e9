"""What the operations area lists and starts: executions of flows, data checks, backups and drills through the queue."""

from collections.abc import Sequence

from sqlalchemy import ARRAY, Text, cast, func, select, text, true
from sqlalchemy.orm import Session, aliased

from leitstand.db.models import CheckRun, FlowExecution
from leitstand.errors import Conflict, InvalidInput
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.jobs.queue import enqueue
from leitstand.words import msg

BACKUP_KINDS = ("postgres", "objects", "secrets", "dump")
DRILLS = ("postgres-latest",)
UNDER_WAY = text("""
    SELECT EXISTS (
        SELECT FROM procrastinate_jobs
        WHERE task_name = :name AND status IN ('todo', 'doing') AND args ->> :argument = :value
    )
""")


def last_executions(
    session: Session, *, principal: Principal, flows: Sequence[str]
) -> dict[str, FlowExecution]:
    """The last execution of each of these flows that was executed at all.

    Raises:
        Forbidden: without `operations:read`.
    """
    require(principal, "operations:read")
    if not flows:
        return {}
    named = func.unnest(cast(list(flows), ARRAY(Text))).table_valued("name").render_derived()
    newest = (
        select(FlowExecution)
        .where(FlowExecution.flow == named.c.name)
        .order_by(FlowExecution.scheduled_for.desc())
        .limit(1)
        .lateral()
    )
    execution = aliased(FlowExecution, newest)
    found = session.scalars(select(execution).select_from(named.join(newest, true())))
    return {execution.flow: execution for execution in found}


def list_check_runs(session: Session, *, principal: Principal, limit: int = 10) -> list[CheckRun]:
    """The last runs of data checks, newest first.

    Raises:
        Forbidden: without `operations:read`.
    """
    require(principal, "operations:read")
    return list(
        session.scalars(select(CheckRun).order_by(CheckRun.at.desc(), CheckRun.id.desc()).limit(limit))
    )


def start_backup(session: Session, *, principal: Principal, kind: str) -> int:
    """Have the queue worker make a backup; the number of the job.

    Raises:
        Forbidden: without `backup:run`.
        InvalidInput: there is no such kind.
        Conflict: one of that kind is waiting or running.
    """
    require(principal, "backup:run")
    return _start(session, principal, "operations.backup", "kind", kind, BACKUP_KINDS)


def start_drill(session: Session, *, principal: Principal, name: str) -> int:
    """Have the queue worker rehearse a restore; the number of the job.

    Raises:
        Forbidden: without `drill:run`.
        InvalidInput: there is no such drill.
        Conflict: it is waiting or running.
    """
    require(principal, "drill:run")
    return _start(session, principal, "operations.drill", "name", name, DRILLS, requested_by=principal.actor)


def start_checks(session: Session, *, principal: Principal, suite: str, known: Sequence[str]) -> int:
    """Have the queue worker run data checks on the live database; the number of the job.

    Args:
        suite: the name of one, or what stands for several.
        known: the names that there are.

    Raises:
        Forbidden: without `check:run`.
        InvalidInput: there is no such suite.
        Conflict: it is waiting or running.
    """
    require(principal, "check:run")
    return _start(session, principal, "operations.checks", "suite", suite, tuple(known))


def _start(
    session: Session,
    principal: Principal,
    job: str,
    argument: str,
    value: str,
    allowed: tuple[str, ...],
    **more: str,
) -> int:
    if value not in allowed:
        raise InvalidInput(
            msg("There is no {argument} {value!r}.", argument=argument, value=value),
            hint=msg("It is one of: {allowed}.", allowed=", ".join(allowed)),
        )
    # Two people who start the same at once must not both pass the question below.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{job}:{value}", 0))))
    if session.scalar(UNDER_WAY, {"name": job, "argument": argument, "value": value}):
        raise Conflict(
            msg("{value} is waiting or running already.", value=value), hint="Wait until it has ended."
        )
    number = enqueue(session, job, **{argument: value}, **more)
    after = {argument: value, "job": number}
    audit.record(
        session,
        principal=principal,
        action=f"{job.rpartition('.')[2]}.start",
        target=f"job:{number}",
        after=after,
    )
    return number
