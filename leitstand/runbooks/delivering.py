"""From what a run left on this machine to the store, the chain and the catalogue; at once, or when they answer again."""

from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from leitstand.backups import entries
from leitstand.backups.work import Progress
from leitstand.db.engine import transaction
from leitstand.errors import LeitstandError
from leitstand.runbooks import archiving, pending, records
from leitstand.runbooks.chain import Link
from leitstand.runbooks.holding import one_at_a_time
from leitstand.runbooks.pending import Pending
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.telemetry.logs import get_logger

NO_DATABASE = "the database does not answer, or its schema is not this version's"

log = get_logger("drills")


@dataclass(frozen=True)
class Delivered:
    """How far the evidence of a run came.

    Args:
        stored: it is in the store.
        link: its link of the chain; None while it waits.
        waiting: why it waits, empty when it does not.
    """

    stored: bool
    link: Link | None
    waiting: str = ""


def deliver(engine: Engine, settings: Settings, waiting: Pending) -> Delivered:
    """Store and link the evidence of one run that came to its end; what does not work now is left for the next time."""
    record = waiting.record
    if record is None:
        raise ValueError(f"{waiting.folder} holds no record")
    stored = False
    try:
        content = archiving.store(waiting, record, settings)
        stored = True
        with transaction(engine) as session:
            link = archiving.link_up(session, settings, waiting, content)
            proven = records.proven_backups(session, waiting.note.run_id)
    except LeitstandError as error:
        return _waits(waiting, stored, error.message)
    except SQLAlchemyError as error:
        log.warning("the catalogue took no evidence", reason=type(error).__name__)
        return _waits(waiting, stored, NO_DATABASE)
    for backup in proven:
        with suppress(LeitstandError):  # the next backup brings both catalogues together
            entries.store(ObjectStorage(settings), settings.bucket_backups, backup)
    waiting.remove()
    return Delivered(True, link)


def _waits(waiting: Pending, stored: bool, why: str) -> Delivered:
    log.warning("evidence waits on this machine", run=waiting.folder.name, stored=stored, reason=why)
    return Delivered(stored, None, why)


@dataclass(frozen=True)
class TakenUpRun:
    """One run that waited: `waiting` says why it still does, empty when the catalogue has it."""

    run_id: str
    name: str
    waiting: str


def adopt(engine: Engine, settings: Settings, *, progress: Progress | None = None) -> list[TakenUpRun]:
    """Take up what earlier runs left on this machine, oldest first; `leitstand runbook adopt`.

    Raises:
        Conflict: a drill or a runbook is running.
        OperationalError: the database does not answer.
    """
    with one_at_a_time(engine, settings, need_database=True):
        return adopt_all(engine, settings, progress=progress)


def adopt_all(engine: Engine, settings: Settings, *, progress: Progress | None = None) -> list[TakenUpRun]:
    """The same for who holds the lock already: nobody else writes these folders."""
    taken = []
    pending.remove_rests(settings)
    for waiting in pending.pending(settings):
        note = waiting.note
        why = deliver(engine, settings, waiting).waiting if waiting.record else _ended(engine, waiting)
        taken.append(TakenUpRun(str(note.run_id), note.name, why))
        if progress:
            progress(f"run {note.run_id} of {note.name}: {why or 'taken up into the catalogue'}")
    return taken


def _ended(engine: Engine, waiting: Pending) -> str:
    """A run that was killed, on a day without a database."""
    note = waiting.note
    try:
        with transaction(engine) as session:
            records.end(session, note, status=records.ended_status(note.category), error=records.KILLED)
    except SQLAlchemyError:
        return NO_DATABASE
    waiting.remove()
    return ""
