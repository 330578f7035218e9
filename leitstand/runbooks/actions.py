"""What a person does with runbooks on the page and by the API: start one, go on with a run, sign it."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.db.models import Drill, Membership
from leitstand.db.models.base import new_id
from leitstand.errors import Conflict, InvalidInput
from leitstand.identity import audit
from leitstand.identity.access import Principal, require, require_person
from leitstand.identity.membership import holds, permits, with_role
from leitstand.jobs.queue import enqueue
from leitstand.runbooks import documents
from leitstand.runbooks.chain import Link
from leitstand.runbooks.library import RUNBOOKS, find
from leitstand.runbooks.parameters import checked, for_real
from leitstand.runbooks.pending import RUNBOOK
from leitstand.runbooks.records import WAITING
from leitstand.runbooks.running import RUN_ID
from leitstand.runbooks.runs import JOB, is_under_way, view
from leitstand.runbooks.signing import sign
from leitstand.settings import Settings
from leitstand.words import msg

PERMISSION = "runbook:run"


def start(
    session: Session,
    settings: Settings,
    name: str,
    parameters: dict[str, object],
    *,
    typed: str,
    principal: Principal,
) -> UUID:
    """Have the queue worker run a runbook; the id of the run.

    Args:
        parameters: text is converted; what is left out has its default.
        typed: the name of the target, for a run that is no dry run.

    Raises:
        Forbidden: without `runbook:run`.
        NotFound: there is no such runbook.
        InvalidInput: a parameter is unknown or of another type, or a run for real lacks the plan's hash or the name.
        Conflict: it is waiting or running already.
    """
    require(principal, PERMISSION)
    notebook = find(settings, RUNBOOKS, name)
    if RUN_ID in parameters:
        raise InvalidInput(msg("{run_id} is given by the run itself.", run_id=RUN_ID))
    values = checked(documents.read(notebook.path), parameters)
    _check_gate(values, typed)
    run_id = _wait(session, notebook.name, values, principal)
    _enqueue(session, run_id, notebook.name, values, typed, principal)
    return run_id


def resume(
    session: Session, settings: Settings, run_id: UUID | str, *, typed: str, principal: Principal
) -> UUID:
    """Have the queue worker go on with a run; the id of the new run.

    Raises:
        Forbidden: without `runbook:run`.
        NotFound: there is no such run.
        InvalidInput: it was no dry run, and the name of the target was not typed again.
        Conflict: it can't be resumed, or its runbook is waiting or running already.
    """
    require(principal, PERMISSION)
    earlier = view(session, run_id)
    if not earlier.resumable:
        raise Conflict(
            msg(
                "Run {id} is {status}: there is nothing to go on with.",
                id=earlier.row.id,
                status=earlier.status,
            ),
            hint="Only a run that was interrupted or failed, and that no other goes on with, is resumed.",
        )
    notebook = find(settings, RUNBOOKS, earlier.row.kind)
    _check_gate(earlier.row.parameters, typed)
    row_id = _wait(session, notebook.name, earlier.row.parameters, principal, earlier.row)
    _enqueue(session, row_id, notebook.name, earlier.row.parameters, typed, principal, earlier.row.id)
    return row_id


def sign_off(
    session: Session, settings: Settings, run_id: UUID | str, *, note: str, principal: Principal
) -> Link:
    """Sign a run; who ran it may do so only where nobody else of the workspace could.

    Raises:
        Forbidden: without `runbook:run`, or by an API token.
        NotFound, InvalidInput, Conflict, Unavailable, IntegrityFailed: as `signing.sign` says.
    """
    require(principal, PERMISSION)
    require_person(principal)
    link = sign(
        session,
        settings,
        run_id,
        signer=principal.actor,
        note=note,
        alone=not others_may(session, principal),
    )
    audit.record(
        session,
        principal=principal,
        action="runbook.sign",
        target=f"run:{link.run_id}",
        after={"link": link.sequence, "four_eyes": link.content["four_eyes"]},
    )
    return link


def others_may(session: Session, principal: Principal) -> bool:
    """Whether anybody else of the workspace could sign."""
    count = with_role(
        select(func.count())
        .select_from(Membership)
        .where(
            Membership.workspace_id == principal.workspace_id,
            permits(PERMISSION),
            holds(),
            Membership.person_id != principal.person_id,
        )
    )
    return bool(session.scalar(count))


def _check_gate(values: dict[str, Any], typed: str) -> None:
    """The runbook compares both itself; without them it need not even begin."""
    if not for_real(values):
        return
    if not values.get("plan_sha256"):
        raise InvalidInput(
            "A run that is no dry run needs the hash of the plan.",
            hint="Make a dry run first and take plan_sha256 from it.",
        )
    if not typed:
        raise InvalidInput(
            "The name of the target was not typed.", hint="The dry run's plan says what the target is."
        )


def _wait(
    session: Session, name: str, values: dict[str, Any], principal: Principal, earlier: Drill | None = None
) -> UUID:
    """The row of a run that waits for the worker; of which line it is stands there at once, should it be refused."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"runbook:{name}", 0))))
    if is_under_way(session, name):
        raise Conflict(
            msg("{name} is waiting or running already.", name=name), hint="Wait until it has ended."
        )
    run_id = new_id()
    session.add(
        Drill(
            id=run_id,
            kind=name,
            category=RUNBOOK,
            status=WAITING,
            parameters=values,
            requested_by=principal.actor,
            resumed_from=earlier.id if earlier else None,
            lineage=(earlier.lineage or earlier.id) if earlier else None,
        )
    )
    session.flush()
    return run_id


def _enqueue(
    session: Session,
    run_id: UUID,
    name: str,
    values: dict[str, Any],
    typed: str,
    principal: Principal,
    resumed_from: UUID | None = None,
) -> None:
    number = enqueue(
        session,
        JOB,
        run_id=run_id,
        name=name,
        parameters=values,
        typed=typed,
        requested_by=principal.actor,
        resumed_from=str(resumed_from or ""),
    )
    after = {"name": name, "parameters": values, "job": number, "for_real": for_real(values)}
    action = "runbook.resume" if resumed_from else "runbook.start"
    audit.record(session, principal=principal, action=action, target=f"run:{run_id}", after=after)


def may_begin(session: Session, run_id: UUID | str) -> bool:
    """Whether a run that was started still waits: a job that is taken a second time must not run it again."""
    run = view(session, run_id)
    return run.row.status == WAITING and run.resumed_by is None
