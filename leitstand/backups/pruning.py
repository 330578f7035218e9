"""Retention carried out: reconcile the catalogue, plan, remove what the plan says, then the log that nothing needs.

One run at a time. A run that is killed, or stopped by the store, is marked failed by the next one, which finishes what
it began before it plans anew. A backup that turns out to be locked, kept or in use stays, and so does its log.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from leitstand.backups import entries, pins, wal
from leitstand.backups.catalogue import COMPLETE, KINDS, MISSING, REMOVING, RUNNING
from leitstand.backups.caution import Caution, cautions
from leitstand.backups.engines.interface import LogRemoval
from leitstand.backups.engines.registry import engine_of, engine_of_archive
from leitstand.backups.places import copies_of
from leitstand.backups.reconciling import reconcile
from leitstand.backups.removing import Removal, locked_words, remove_backup
from leitstand.backups.retention import Entry, LogNeed, Plan, plan
from leitstand.backups.work import Progress
from leitstand.db.engine import transaction
from leitstand.db.exclusive import check_held, exclusive
from leitstand.db.models import Backup, PruneRun
from leitstand.db.models.base import new_id
from leitstand.errors import Conflict, LeitstandError, PreconditionFailed
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.storage.removal import Locked, clock_difference
from leitstand.storage.retries import MOST_SKEW_SECONDS
from leitstand.telemetry.logs import get_logger
from leitstand.words import N_, joined, msg

LOCK = N_("prune")
RUN_COMPLETE, RUN_FAILED, RUN_REFUSED = "complete", "failed", "refused"
TIMELINE_DIGITS = 8
POSTGRES = "postgres"

log = get_logger("backups")


@dataclass(frozen=True)
class Proposal:
    """What retention would do now.

    Args:
        cautions: why only a person may have it done; empty when it may run unattended.
    """

    plan: Plan
    entries: tuple[Entry, ...]
    cautions: tuple[Caution, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {**self.plan.to_dict(), "cautions": [caution.says for caution in self.cautions]}


@dataclass
class PruneResult:
    """How a run went.

    Args:
        removed: ids of the backups that are gone.
        left: those that were to go and are still there, with the reason.
        skipped: kinds whose catalogues were not reconciled, because a backup of the kind was running.
    """

    run_id: UUID
    plan_sha256: str = ""
    removed: list[str] = field(default_factory=list)
    left: list[Removal] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    logs: list[LogRemoval] = field(default_factory=list)
    bytes: int = 0

    @property
    def log_removed(self) -> int:
        """Files of the archived log that are gone."""
        return sum(one.removed for one in self.logs)

    def to_dict(self) -> dict[str, Any]:
        """The `--json` document."""
        return {
            "run_id": str(self.run_id),
            "plan_sha256": self.plan_sha256,
            "removed": self.removed,
            "left": [removal.to_dict() for removal in self.left],
            "skipped": self.skipped,
            "log_removed": self.log_removed,
            "logs": [one.to_dict() for one in self.logs],
            "bytes": self.bytes,
        }


def propose(session: Session, settings: Settings, *, now: datetime | None = None) -> Proposal:
    """What retention would do now; changes nothing.

    Raises:
        NotFound, Unavailable, PreconditionFailed: as the store says.
    """
    now = now or datetime.now(UTC)
    bucket = settings.bucket_backups
    used = pins.used(ObjectStorage(settings), bucket, now)
    judged = select(Backup).where(Backup.status.in_((RUNNING, COMPLETE, MISSING, REMOVING)))
    found = tuple(entry_of(row, bucket, used) for row in session.scalars(judged))
    made = plan(found, now)
    return Proposal(made, found, cautions(made, found))


def log_stays_since(session: Session, settings: Settings, backup: Backup) -> bool:
    """Whether all of the archived log since a backup stays, so that any second after it can be restored; asks no store."""
    bucket = settings.bucket_backups
    judged = select(Backup).where(Backup.kind == backup.kind, Backup.status.in_((COMPLETE, MISSING, RUNNING)))
    found = [entry_of(row, bucket) for row in session.scalars(judged)]
    return plan(found, datetime.now(UTC)).has_log_since(entry_of(backup, bucket))


def entry_of(backup: Backup, bucket: str, used: Iterable[str] = ()) -> Entry:
    """A row as retention judges it."""
    manifest = backup.manifest
    size = int(manifest.get("segment_bytes", wal.SEGMENT_BYTES))
    stop = manifest.get("stop_lsn")
    parent = backup.parent_id or manifest.get("parent_id")
    return Entry(
        id=str(backup.id),
        kind=backup.kind,
        status=backup.status,
        started_at=backup.started_at,
        finished_at=backup.finished_at,
        parent_id=str(parent) if parent else "",
        proven_at=backup.verified_at,
        verified=(manifest.get("verification") or {}).get("ok"),
        kept=backup.kept,
        pinned=str(backup.id) in used,
        ours=backup.status == RUNNING or entries.is_ours(backup.location, backup.kind, backup.id, bucket),
        archive=str(manifest.get("archive") or manifest.get("system_identifier", "")),
        first_position=str(manifest.get("start_segment", ""))[TIMELINE_DIGITS:],
        last_position=wal.segment_of(wal.lsn_number(stop), 0, size)[TIMELINE_DIGITS:] if stop else "",
    )


def prune(
    engine: Engine,
    settings: Settings,
    *,
    confirmed: str = "",
    requested_by: str = "",
    progress: Progress | None = None,
) -> PruneResult:
    """Carry out what `propose` says.

    Args:
        confirmed: hash of the plan that a person has seen and wants; empty when nobody has.
        requested_by: who wants it, for the record.

    Raises:
        Conflict: another run is going on, or the plan is not the confirmed one any more.
        PreconditionFailed: the clock differs from the store's; or the plan is suspicious and nobody has confirmed it.
        LeitstandError: as the store says; what was begun is finished by the next run.
    """
    with exclusive(engine, LOCK) as lock:
        run_id = _begin(engine, requested_by)
        run = _Run(engine, settings, lock, PruneResult(run_id), progress or (lambda _: None))
        try:
            run.go(confirmed)
        except BaseException as error:
            _end(engine, run.result, run.status, error)
            raise
        _end(engine, run.result, RUN_COMPLETE, None)
        return run.result


@dataclass
class _Run:
    engine: Engine
    settings: Settings
    lock: Connection
    result: PruneResult
    say: Progress
    status: str = RUN_FAILED

    def __post_init__(self) -> None:
        self.storage, self.bucket = ObjectStorage(self.settings), self.settings.bucket_backups
        self.copies = copies_of(self.settings)

    def go(self, confirmed: str) -> None:
        refuse_skewed_clock(self.storage, self.bucket)
        pins.clear_worn_off(self.storage, self.bucket, datetime.now(UTC))
        self._reconcile()
        self._finish_begun()
        proposal = self._proposal()
        self.result.plan_sha256 = proposal.plan.sha256
        self._keep_plan(proposal)
        self._refuse_doubtful(proposal, confirmed)
        tried = {removal.id for removal in self.result.left}
        for verdict in (one for one in proposal.plan.removed if one.id not in tried):
            self._remove(verdict.id, verdict.kind, verdict.words)
        for need in self._log_needs():
            self._remove_log(need)

    def _reconcile(self) -> None:
        for kind in KINDS:
            try:
                with exclusive(self.engine, msg("backup of {kind}", kind=kind)):
                    reconcile(self.engine, self.storage, self.bucket, kind)
            except Conflict:
                self.result.skipped.append(kind)

    def _finish_begun(self) -> None:
        """What an earlier run was allowed to remove; increments before their parents."""
        with transaction(self.engine) as session:
            begun = select(Backup).where(Backup.status == REMOVING).order_by(Backup.started_at.desc())
            rows = list(session.scalars(begun))
        for row in rows:
            self._remove(str(row.id), row.kind, row.reason)

    def _proposal(self) -> Proposal:
        with transaction(self.engine) as session:
            return propose(session, self.settings)

    def _keep_plan(self, proposal: Proposal) -> None:
        with transaction(self.engine) as session:
            run = session.get_one(PruneRun, self.result.run_id)
            run.plan, run.plan_sha256 = proposal.to_dict(), proposal.plan.sha256

    def _refuse_doubtful(self, proposal: Proposal, confirmed: str) -> None:
        if confirmed and not self._is_confirmed(proposal.plan, confirmed):
            self.status = RUN_REFUSED
            raise Conflict(
                "The plan has changed since it was confirmed.", hint="Look at it again and confirm it again."
            )
        if proposal.cautions and not confirmed:
            self.status = RUN_REFUSED
            raise PreconditionFailed(
                msg(
                    "Nothing is removed: {reasons}",
                    reasons=joined(*(caution.says for caution in proposal.cautions)),
                ),
                hint="Look at the plan with `leitstand backup prune --dry-run`; when it is right, `leitstand backup prune` carries it out.",
            )

    def _is_confirmed(self, current: Plan, confirmed: str) -> bool:
        """Also what is left of a confirmed plan whose run was killed, or of one that was carried out meanwhile."""
        if confirmed == current.sha256:
            return True
        earlier = select(PruneRun.plan).where(
            PruneRun.plan_sha256 == confirmed, PruneRun.status.in_((RUN_FAILED, RUN_COMPLETE))
        )
        with transaction(self.engine) as session:
            known = list(session.scalars(earlier))
        wanted = {verdict.id for verdict in current.removed}
        return any(
            wanted <= {backup["id"] for backup in one["backups"] if not backup["keep"]} for one in known
        )

    def _remove(self, backup_id: str, kind: str, reason: str) -> None:
        check_held(self.lock, LOCK)
        self.say(f"removing the backup {backup_id} of {kind}: {reason}")
        try:
            removal = remove_backup(
                self.engine,
                self.storage,
                self.bucket,
                backup_id,
                kind=kind,
                reason=reason,
                copies=self.copies,
                outside=self._remove_outside,
            )
        except Locked as error:
            removal = Removal(backup_id, left=locked_words(error.until))
        if removal.left:
            self.say(f"{backup_id} stays: {removal.left}")
            self.result.left.append(removal)
        else:
            self.result.removed.append(backup_id)
            self.result.bytes += removal.bytes

    def _remove_outside(self, backup: Backup) -> int:
        manifest = {**backup.manifest, "id": str(backup.id), "engine": backup.engine}
        return engine_of(manifest).remove(self.settings, manifest) if backup.kind == POSTGRES else 0

    def _log_needs(self) -> tuple[LogNeed, ...]:
        """Planned anew from what is there now: whatever was to go and did not keeps its log."""
        now_there = self._proposal()
        left = {removal.id: removal for removal in self.result.left}
        found = [
            replace(entry, status=COMPLETE, kept=True, pinned=entry.pinned or left[entry.id].in_use)
            if entry.id in left
            else entry
            for entry in now_there.entries
        ]
        return plan(found, now_there.plan.now).logs

    def _remove_log(self, need: LogNeed) -> None:
        size = self._segment_bytes(need.archive)
        done = engine_of_archive(need.archive).remove_log(
            self.settings, need, segment_bytes=size, check=lambda: check_held(self.lock, LOCK)
        )
        self.say(f"log of cluster {need.archive}: {done.removed} files removed, {done.left} left")
        self.result.logs.append(done)
        self.result.bytes += done.bytes

    def _segment_bytes(self, archive: str) -> int:
        newest = (
            select(Backup.manifest["segment_bytes"].as_integer())
            .where(Backup.manifest["system_identifier"].as_string() == archive.rpartition(":")[2])
            .order_by(Backup.started_at.desc())
        )
        with transaction(self.engine) as session:
            return session.scalar(newest.limit(1)) or wal.SEGMENT_BYTES


def refuse_skewed_clock(storage: ObjectStorage, bucket: str) -> None:
    """Ages are only as good as the clock: one that differs from the store's by more than five minutes decides nothing.

    Raises:
        PreconditionFailed: it does.
        NotFound: there is no such bucket.
    """
    ahead = clock_difference(storage, bucket)
    if abs(ahead) > MOST_SKEW_SECONDS:
        raise PreconditionFailed(
            msg(
                "Nothing is removed: this machine's clock is {seconds:.0f} s ahead of the object store's.",
                seconds=ahead,
            )
            if ahead > 0
            else msg(
                "Nothing is removed: this machine's clock is {seconds:.0f} s behind the object store's.",
                seconds=-ahead,
            ),
            hint="Set the clock (timedatectl set-ntp true) and try again.",
        )


def _begin(engine: Engine, requested_by: str) -> UUID:
    """The row of this run; who holds the lock knows that a run still called running was killed."""
    run_id = new_id()
    with transaction(engine) as session:
        for run in session.scalars(select(PruneRun).where(PruneRun.status == "running")):
            run.status, run.finished_at = RUN_FAILED, datetime.now(UTC)
            run.error = N_("Its process ended before it was complete.")
        session.add(PruneRun(id=run_id, requested_by=requested_by))
    return run_id


def _end(engine: Engine, result: PruneResult, status: str, error: BaseException | None) -> None:
    reason = error.message if isinstance(error, LeitstandError) else type(error).__name__ if error else ""
    report = log.error if error else log.info
    report("prune ended", run=str(result.run_id), status=status, removed=len(result.removed), reason=reason)
    with suppress(SQLAlchemyError), transaction(engine) as session:
        run = session.get_one(PruneRun, result.run_id)
        run.status, run.finished_at, run.error = status, datetime.now(UTC), reason
        run.removed, run.log_removed, run.figures = len(result.removed), result.log_removed, result.to_dict()
