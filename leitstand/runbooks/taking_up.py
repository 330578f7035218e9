"""How a notebook takes up its work: the folder that was prepared for it, or, run by itself, a sandbox."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from leitstand.backups.catalogue import COMPLETE, get_backup, newest_complete
from leitstand.backups.operations import run_backup
from leitstand.backups.work import Progress
from leitstand.db.engine import make_engine, transaction
from leitstand.db.models import Backup
from leitstand.errors import InvalidInput
from leitstand.runbooks import holding, scratch
from leitstand.runbooks.journal import Journal, journal_in
from leitstand.settings import Settings, get_settings
from leitstand.telemetry.logs import configure_logging
from leitstand.words import msg

LOCK = holding.LOCK
SANDBOX = "sandbox"
NAMES = {"postgres": "PostgreSQL"}
EVIDENCE, POINT, CONFIRMED = "evidence.json", "source.json", "confirmed"


@dataclass
class TakenUp:
    """What a notebook works with.

    Args:
        engine: the database, which need not answer: a runbook asks `database_answers` where that matters.
        folder: its own, under <data_dir>/scratch.
        sandbox: it runs by itself: nothing is archived and the folder goes when it ends.
    """

    settings: Settings
    engine: Engine
    folder: Path
    sandbox: bool
    held: ExitStack

    @property
    def confirmed(self) -> str:
        """What a person typed as the name of the target, to have it done for real; empty: it is a dry run."""
        try:
            return (self.folder / CONFIRMED).read_text().strip()
        except FileNotFoundError:
            return ""

    @property
    def journal(self) -> Journal:
        """What this run, and those that it resumes, have done."""
        return journal_in(self.folder)

    def database_answers(self) -> bool:
        """Whether the database takes a connection now."""
        try:
            with self.engine.connect():
                return True
        except OperationalError:
            return False

    def release(self) -> None:
        """Give back the lock; a sandbox's folder goes."""
        if self.sandbox:
            scratch.remove(self.folder)
        self.held.close()


def take_up(run_id: str) -> TakenUp:
    """Take up the run that was prepared under `run_id`, or open a sandbox.

    Raises:
        Conflict: another drill or runbook is running.
        InvalidInput: `run_id` is none.
    """
    if not scratch.is_run_id(run_id):
        raise InvalidInput(
            msg("{run_id!r} is no run id.", run_id=run_id),
            hint="Leave it at 'sandbox', or run `leitstand drill run`.",
        )
    settings = get_settings()
    configure_logging("runbook", "WARNING")
    engine = make_engine(settings, statement_timeout_ms=0, application="leitstand-drill")
    held = ExitStack()
    if run_id != SANDBOX:
        folder = scratch.scratch_root(settings).resolve() / f"{scratch.PREFIX}{run_id}"
        return TakenUp(settings, engine, folder, False, held)
    held.enter_context(holding.one_at_a_time(engine, settings))
    scratch.remove_leftovers(settings)
    return TakenUp(settings, engine, scratch.make_folder(settings, SANDBOX), True, held)


def ensure_backup(
    engine: Engine, settings: Settings, kind: str = "postgres", *, progress: Progress | None = None
) -> Backup:
    """The newest complete backup of a kind; where there is none, one is taken first."""
    with transaction(engine) as session:
        backup = newest_complete(session, kind)
    if backup is not None and (kind != "secrets" or "fingerprints" in backup.manifest):
        return backup
    if progress:
        progress(
            f"there is no backup of {NAMES.get(kind, kind)} yet that a drill can check: taking one first"
        )
    return run_backup(engine, settings, kind, progress=progress)


def chosen_backup(engine: Engine, settings: Settings, backup_id: str, kind: str = "postgres") -> Backup:
    """The backup that a notebook was given, or, by itself, the newest of its kind.

    Raises:
        NotFound: there is none of this id.
        InvalidInput: it is of another kind, or not complete.
    """
    if not backup_id:
        return ensure_backup(engine, settings, kind)
    with transaction(engine) as session:
        backup = get_backup(session, backup_id)
    if backup.kind != kind or backup.status != COMPLETE:
        raise InvalidInput(
            msg("Backup {id} is no complete backup of {get}.", id=backup.id, get=NAMES.get(kind, kind)),
            hint="`leitstand backup list` shows them.",
        )
    return backup
