"""The copier: brings the copies of the workspaces up to the facts, one copier at a time.

A workspace's changed months are written from one snapshot. Everything that transactions before the snapshot's oldest
running one did is in it; that transaction's id is the copy's watermark, and what later ones change is in the log of
changes, which the copy's readers heed. The parts' list and the watermark are written in one transaction at the end, so
that a copier which is killed leaves the copy that was there before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.orm import Session

from leitstand.db.engine import transaction
from leitstand.db.exclusive import check_held, exclusive
from leitstand.db.models import FactCopy, RunFact, Workspace
from leitstand.errors import Unavailable
from leitstand.insights.copy import manifest, parts, tidying
from leitstand.insights.copy.facts import FACTS, Fact, month_of, months_between
from leitstand.insights.copy.snapshots import Snapshot, snapshot
from leitstand.insights.copy.state import CopyState, Part, read_state
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.storage.store import store_of
from leitstand.telemetry.logs import get_logger
from leitstand.words import N_, msg

LOCK = N_("copy of the facts")
# So many days that still change (and the one after) are read from PostgreSQL; more are worth a copy at once.
MOST_WARM_DAYS = 4
NOW = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, system_identifier::text FROM pg_control_system()"
SPAN = "SELECT (min({at}) AT TIME ZONE 'UTC')::date, (max({at}) AT TIME ZONE 'UTC')::date FROM {table} WHERE workspace_id = '{workspace}'"
log = get_logger("insights")


@dataclass(frozen=True)
class Copied:
    """What was done about one workspace: how many parts were written, with how many rows and bytes."""

    workspace: str
    written: int
    rows: int
    bytes: int


def copy_facts(
    engine: Engine, settings: Settings, *, workspace: str | None = None, settled: bool = False
) -> list[Copied]:
    """Bring the copies up to date.

    Args:
        workspace: the slug of the only one to copy; None: every one that has enough runs.
        settled: leave days alone that have changed since the last look, as today always has: they would be out of date
            again at once. Days that came to rest are copied, with the others of their workspace.

    Returns:
        A line for each workspace of which something was copied.

    Raises:
        Conflict: another copier is at work.
        Unavailable: the store or the database did not answer; what was copied until then stands.
    """
    import adbc_driver_manager

    storage = store_of(settings)
    with exclusive(engine, LOCK) as lock:
        parts.sweep(parts.folder_of(settings))
        try:
            copier = Copier(engine, storage, lock, tidying.look(storage))
            done = [copier.copy(found, settled=settled) for found in _chosen(engine, settings, workspace)]
        except adbc_driver_manager.Error as error:
            raise Unavailable(
                msg("The facts could not be read: {name}.", name=type(error).__name__)
            ) from error
        tidying.tidy(engine, storage)
    return [copied for copied in done if copied]


def _chosen(engine: Engine, settings: Settings, slug: str | None) -> list[Workspace]:
    """The workspaces whose facts are copied."""
    with transaction(engine) as session:
        wanted = select(Workspace).order_by(Workspace.slug)
        found = session.scalars(wanted if slug is None else wanted.where(Workspace.slug == slug)).all()
        return [
            it for it in found if slug or _worth_copying(session, it.id, settings.insights_copy_from_runs)
        ]


def _worth_copying(session: Session, workspace_id: UUID, least: int) -> bool:
    if session.get(FactCopy, workspace_id):
        return True
    some = select(RunFact.run_key).where(RunFact.workspace_id == workspace_id).limit(max(least, 1)).subquery()
    return (session.scalar(select(func.count()).select_from(some)) or 0) >= max(least, 1)


class Copier:
    """Copies workspaces while it holds the lock.

    Args:
        kept: the keys that are in the store.
    """

    def __init__(self, engine: Engine, storage: ObjectStorage, lock: Connection, kept: set[str]) -> None:
        self._engine = engine
        self._storage = storage
        self._lock = lock
        self._kept = kept

    def copy(self, workspace: Workspace, *, settled: bool) -> Copied | None:
        """Bring one workspace's copy up to date; None where nothing is to do."""
        with snapshot(self._storage.settings, timeout_ms=0) as view:
            watermark, cluster = view.rows(NOW)[0]
            state = read_state(view, workspace.id)
            lost = self._lost(state)
            if state and settled and not lost and not worthwhile(state):
                self._seen(state, watermark)
                return None
            months = sorted(self._months(view, workspace.id, state, lost), key=lambda it: (it[1], it[0].name))
            if state and not months:
                return None
            made = {(fact.name, month): self._made(view, workspace, fact, month) for fact, month in months}
        check_held(self._lock, LOCK)
        with transaction(self._engine) as session:
            manifest.write(session, workspace.id, state, made, watermark=watermark, cluster=cluster)
        written = [part for part in made.values() if part]
        log.info("facts copied", workspace=workspace.slug, parts=len(written))
        return Copied(
            workspace.slug, len(written), sum(it.rows for it in written), sum(it.bytes for it in written)
        )

    def _made(self, view: Snapshot, workspace: Workspace, fact: Fact, month: date) -> Part | None:
        return parts.make_part(self._storage, view, workspace_id=workspace.id, fact=fact, month=month)

    def _lost(self, state: CopyState | None) -> set[str]:
        """The keys of parts that are no longer in the store."""
        copied = state.parts.values() if state else ()
        return {part.key for of_fact in copied for part in of_fact} - self._kept

    def _months(
        self, view: Snapshot, workspace_id: UUID, state: CopyState | None, lost: set[str]
    ) -> Iterator[tuple[Fact, date]]:
        """The months of each fact that must be written: the changed and the lost ones; all where there is no copy."""
        for fact in FACTS:
            if state:
                gone = {part.month for part in state.parts[fact.name] if part.key in lost}
                yield from ((fact, month) for month in gone | set(map(month_of, state.days(fact))))
            else:
                span = SPAN.format(at=fact.at, table=fact.table, workspace=workspace_id)
                first, last = view.rows(span)[0]
                yield from ((fact, month) for month in (months_between(first, last) if first else ()))

    def _seen(self, state: CopyState, watermark: int) -> None:
        with transaction(self._engine) as session:
            manifest.see(session, state, watermark)


def worthwhile(state: CopyState) -> bool:
    """Whether a changed day has come to rest since the last look, or more of them change than questions should read."""
    changes = [last for days in state.changed.values() for last in days.values()]
    return any(last < state.seen for last in changes) or len(state.changed_days()) > MOST_WARM_DAYS
