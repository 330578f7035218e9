"""Go on with a runbook where an earlier run of it stopped: the same parameters, and the target's name typed again."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from leitstand.backups.work import Progress
from leitstand.db.engine import transaction
from leitstand.db.models import Drill
from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.runbooks import documents
from leitstand.runbooks.journal import journal_of
from leitstand.runbooks.library import RUNBOOKS, find
from leitstand.runbooks.parameters import checked
from leitstand.runbooks.pending import RUNBOOK, Note, find_pending
from leitstand.runbooks.records import PASSED, RUNNING
from leitstand.runbooks.results import DrillResult
from leitstand.runbooks.running import Run, note_of
from leitstand.runbooks.runs import find_run
from leitstand.settings import Settings
from leitstand.words import msg


def resume_runbook(
    engine: Engine,
    settings: Settings,
    run_id: UUID | str,
    *,
    confirmed: str = "",
    requested_by: str = "",
    new_id: UUID | None = None,
    progress: Progress | None = None,
    patience: float = 0.0,
) -> DrillResult:
    """Run the runbook of an earlier run again, as a run of its own that names the earlier one and has its journal.

    Args:
        confirmed: the name of the target, typed again: it is kept nowhere.
        new_id: id of the new run, where it was given already.
        patience: seconds to wait for a drill or another runbook to end.

    Raises:
        NotFound: there is no such run, or its runbook is gone.
        InvalidInput: it is a drill, or the runbook has other parameters by now.
        Conflict: it runs, it came to its end, or another run goes on with it already; or a runbook is running.
    """
    earlier = find_earlier(engine, settings, run_id)
    notebook = find(settings, RUNBOOKS, earlier.name)
    values = checked(documents.read(notebook.path), earlier.parameters)
    note = note_of(
        notebook, category=RUNBOOK, parameters=dict(values), requested_by=requested_by, run_id=new_id
    )
    note = replace(note, resumed_from=earlier.run_id, lineage=earlier.lineage)
    run = Run(
        engine, settings, notebook, note,
        progress=progress or (lambda _: None), confirmed=confirmed, patience=patience,
    )  # fmt: skip
    return run.go(check=lambda: _check_open(engine, settings, earlier, note.run_id))


def find_earlier(engine: Engine, settings: Settings, run_id: UUID | str) -> Note:
    """What is known of an earlier run, from the catalogue or, without one, from this machine.

    Raises:
        NotFound: there is no such run.
        InvalidInput: it is a drill.
    """
    note = _waiting_here(settings, str(run_id))
    if note is None:
        try:
            with transaction(engine) as session:
                note = note_of_row(find_run(session, run_id))
        except SQLAlchemyError as error:
            raise NotFound(
                msg(
                    "No run {run_id} waits on this machine, and the database does not answer.", run_id=run_id
                ),
                hint="Without a database a run is resumed by its whole id, on the machine that ran it.",
            ) from error
    if note.category != RUNBOOK:
        raise InvalidInput(
            msg("Run {run_id} is a drill, which leaves nothing to go on with.", run_id=note.run_id),
            hint=msg("Run it again: `leitstand drill run {name}`.", name=note.name),
        )
    return note


def note_of_row(row: Drill) -> Note:
    """The note of a run of the catalogue."""
    return Note(
        run_id=row.id, name=row.kind, category=row.category, file_name="", title="", prefix="", began=row.started_at,
        lineage=row.lineage or row.id, parameters=row.parameters, requested_by=row.requested_by,
        resumed_from=row.resumed_from, backup_id=row.backup_id,
    )  # fmt: skip


def _waiting_here(settings: Settings, run_id: str) -> Note | None:
    try:
        found = find_pending(settings, UUID(run_id))
    except ValueError:
        return None
    return found.note if found else None


def _check_open(engine: Engine, settings: Settings, earlier: Note, new_id: UUID) -> None:
    """Under the lock, so that what is still called running was killed; brings the journal back where this machine lost it."""
    waiting = find_pending(settings, earlier.run_id)
    record = waiting.record if waiting else None
    if record is not None and not record["error"]:
        raise _ended(earlier)
    try:
        with transaction(engine) as session:
            row = session.get(Drill, earlier.run_id)
            follower = session.scalar(
                select(Drill.id).where(Drill.resumed_from == earlier.run_id, Drill.id != new_id).limit(1)
            )
    except SQLAlchemyError:
        return
    if row is not None and row.status == PASSED:
        raise _ended(earlier)
    if row is not None and row.status not in (RUNNING, PASSED) and follower is not None:
        raise Conflict(
            msg(
                "Run {follower} goes on with run {run_id} already.", follower=follower, run_id=earlier.run_id
            ),
            hint="Resume that one.",
        )
    _bring_back(settings, earlier, row.figures if row else {})


def _bring_back(settings: Settings, earlier: Note, figures: dict[str, Any]) -> None:
    journal = journal_of(settings, earlier.lineage, earlier.run_id)
    if figures.get("journal") and not journal.entries():
        journal.replace(figures["journal"])


def _ended(earlier: Note) -> Conflict:
    return Conflict(
        msg("Run {run_id} came to its end: there is nothing to go on with.", run_id=earlier.run_id),
        hint=msg("Run the runbook again: `leitstand runbook run {name}`.", name=earlier.name),
    )
