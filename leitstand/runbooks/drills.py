"""Run a restore drill or a runbook: one at a time, in its own folder, its evidence archived, also when it fails."""

from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from leitstand.backups.work import Progress
from leitstand.db.models import Backup
from leitstand.errors import InvalidInput
from leitstand.runbooks import documents
from leitstand.runbooks.library import DRILLS, RUNBOOKS, find
from leitstand.runbooks.parameters import checked
from leitstand.runbooks.pending import DRILL, RUNBOOK
from leitstand.runbooks.random_time import draw
from leitstand.runbooks.results import DrillResult, public
from leitstand.runbooks.running import RUN_ID, Run, note_of
from leitstand.runbooks.taking_up import ensure_backup
from leitstand.settings import Settings
from leitstand.words import msg

__all__ = ["DrillResult", "public", "run_drill", "run_runbook"]

# The kinds of backup that a drill restores, where it is not PostgreSQL alone; its record names one of the last.
BACKUPS_OF = {
    "objects-sample": ("objects",),
    "secrets-decrypt": ("secrets",),
    "full-environment": ("secrets", "objects", "postgres"),
}
RANDOM_TIME = "postgres-random-time"


def run_drill(
    engine: Engine,
    settings: Settings,
    name: str,
    *,
    requested_by: str = "",
    progress: Progress | None = None,
) -> DrillResult:
    """Rehearse the restore called `name` (as postgres-latest) on a backup of its kind; where there is none, one is taken first.

    A drill that proves nothing is a result with `ok` False, archived as well. The live service is never touched.

    Args:
        requested_by: who wants it, for the record; empty: the schedule.

    Raises:
        NotFound: there is no such drill.
        Conflict: another drill is running.
    """
    notebook = find(settings, DRILLS, name)

    def prepare() -> tuple[Backup, dict[str, Any]]:
        if notebook.name == RANDOM_TIME:
            drawn = draw(engine, settings, progress=progress)
            return drawn.backup, drawn.parameters()
        kinds = BACKUPS_OF.get(notebook.name, ("postgres",))
        return [ensure_backup(engine, settings, kind, progress=progress) for kind in kinds][-1], {}

    note = note_of(notebook, category=DRILL, parameters={}, requested_by=requested_by)
    return Run(engine, settings, notebook, note, progress=progress or (lambda _: None)).go(prepare)


def run_runbook(
    engine: Engine,
    settings: Settings,
    name: str,
    parameters: dict[str, object],
    *,
    confirmed: str = "",
    requested_by: str = "",
    run_id: UUID | None = None,
    progress: Progress | None = None,
    patience: float = 0.0,
) -> DrillResult:
    """Execute a runbook with parameters and archive it; without a database too, and then the evidence waits on this machine.

    Args:
        confirmed: what was typed as the name of the target. A runbook that writes to what is running compares it;
            it is no parameter, so that none can be started from a kept list of parameters.
        requested_by: who runs it, for the record.
        run_id: id of the run, where it was given already.
        patience: seconds to wait for a drill or another runbook to end.

    Raises:
        NotFound: there is no such runbook.
        InvalidInput: it does not have such parameters.
        Conflict: a drill or another runbook is running.
    """
    notebook = find(settings, RUNBOOKS, name)
    values = checked(documents.read(notebook.path), parameters)
    if RUN_ID in parameters:
        raise InvalidInput(msg("{run_id} is given by the run itself.", run_id=RUN_ID))
    note = note_of(
        notebook, category=RUNBOOK, parameters=dict(values), requested_by=requested_by, run_id=run_id
    )
    return Run(
        engine, settings, notebook, note,
        progress=progress or (lambda _: None), confirmed=confirmed, patience=patience,
    ).go()  # fmt: skip
