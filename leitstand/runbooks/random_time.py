"""The steps of the drill postgres-random-time (notebook dr020): any instant of the recovery window, right on both sides."""

import atexit
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import Engine

from leitstand.backups.catalogue import get_backup
from leitstand.backups.conditions import current_window
from leitstand.backups.log_contents import newest_commit
from leitstand.backups.operations import run_backup
from leitstand.backups.restore import choose
from leitstand.backups.work import Progress
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from leitstand.errors import InvalidInput, PreconditionFailed
from leitstand.runbooks import known_commits
from leitstand.runbooks.evidence import facts, rows
from leitstand.runbooks.point_in_time import instant_of
from leitstand.runbooks.postgres_drill import PostgresDrill, source_of
from leitstand.runbooks.source_point import Point
from leitstand.runbooks.taking_up import SANDBOX, TakenUp, chosen_backup, ensure_backup, take_up
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.words import msg

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 5
LARGEST_SEED = 2**31
ARCHIVED_WITHIN, POLL_SECONDS = 150, 1


@dataclass(frozen=True)
class Reach:
    """The instants that can be recovered to and of which something is known: from `since` on, before `until`."""

    since: datetime
    until: datetime

    def draw(self, seed: int) -> datetime:
        """One of them, to the microsecond; the same seed draws the same of the same."""
        span = (self.until - self.since) // timedelta(microseconds=1)
        at = random.Random(seed).randrange(max(span, 1))  # noqa: S311 - it has to be repeatable, not secret
        return self.since + timedelta(microseconds=at)


@dataclass(frozen=True)
class Drawn:
    """What a drill was given to prove: the instant, the backup it is recovered from, and how it came to it."""

    seed: int
    to_time: datetime
    backup: Backup
    reach: Reach

    def parameters(self) -> dict[str, Any]:
        """The notebook's, from which it goes on with the very same."""
        return {
            "seed": self.seed,
            "to_time": self.to_time.isoformat(),
            "since": self.reach.since.isoformat(),
            "until": self.reach.until.isoformat(),
        }


def draw(engine: Engine, settings: Settings, *, seed: int = 0, progress: Progress | None = None) -> Drawn:
    """Draw an instant of the recovery window, and the backup that a restore to it starts from.

    Args:
        seed: of the choice; 0: another one each time.

    Raises:
        PreconditionFailed: the server keeps no times of commits, or the window is empty.
    """
    ensure_backup(engine, settings, progress=progress)
    reach = reachable(engine, settings)
    if reach is None:
        # The end of a backup closes the log, so that what was committed since the one before is archived.
        run_backup(engine, settings, "postgres", progress=progress)
        reach = _once_archived(engine, settings)
    if reach is None:
        raise PreconditionFailed(
            "The archived log holds no commit since the oldest backup of the window, so there is no instant to restore to.",
            hint="See what the archiver says: SELECT * FROM pg_stat_archiver, and the log of postgres.",
        )
    seed = seed or random.SystemRandom().randrange(1, LARGEST_SEED)
    to_time = reach.draw(seed)
    return Drawn(seed, to_time, starting_from(engine, settings, to_time), reach)


def _once_archived(engine: Engine, settings: Settings) -> "Reach | None":
    """What can be reached as soon as the archiver, which works beside a backup, has come so far."""
    deadline = time.monotonic() + ARCHIVED_WITHIN
    while (reach := reachable(engine, settings)) is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return reach


def reachable(engine: Engine, settings: Settings) -> Reach | None:
    """From the oldest backup of the window, as the catalogue knows it, to the newest commit in the archived log.

    Raises:
        PreconditionFailed: the server keeps no times of commits.
    """
    with transaction(engine) as session:
        known_commits.require_commit_times(session.connection())
        oldest = known_commits.oldest_known(session.connection())
        since = current_window(session, settings).since
    if since is None or oldest is None:
        return None
    manifest = choose(ObjectStorage(settings), settings.bucket_backups)
    until = newest_commit(settings, manifest)
    first = max(since, oldest)
    return Reach(first, until) if until and until > first else None


def starting_from(engine: Engine, settings: Settings, to_time: datetime) -> Backup:
    """The backup that a restore to an instant takes, as the store chooses it without the database.

    Raises:
        NotFound: there is none as old.
    """
    manifest = choose(ObjectStorage(settings), settings.bucket_backups, to_time=to_time)
    with transaction(engine) as session:
        return get_backup(session, manifest["id"])


class RandomTimeDrill(PostgresDrill):
    """The drill of one instant: everything that was committed by then is there, and nothing that came later."""

    PLAN: ClassVar = (
        "draw an instant of the recovery window by its seed, and choose the backup as an operator's restore does",
        "read from the source which transactions and rows were committed just before and just after it",
        "download, check and decrypt every part, and compare every file with PostgreSQL's manifest (pg_verifybackup)",
        "recover to the instant, without an archive of its own and without a TCP port",
        "look for every known transaction and row: all of before, none of after",
        "check structure (pg_amcheck, collations, migrations), counts, and run the data checks",
        "measure RPO and RTO",
        "stop and remove the restored server",
    )

    def __init__(self, work: TakenUp, drawn: Drawn, source: Point) -> None:
        super().__init__(work, drawn.backup, source, drawn.to_time)
        self.instant, self.drawn = drawn.to_time, drawn
        self.known: known_commits.Known | None = None
        self.evidence.figures |= {"seed": drawn.seed, "to_time": drawn.to_time.isoformat()}

    @classmethod
    def begin(
        cls,
        *,
        run_id: str = SANDBOX,
        backup_id: str = "",
        seed: int = 0,
        to_time: str = "",
        since: str = "",
        until: str = "",
    ) -> "RandomTimeDrill":
        """Take up the drill that was prepared under `run_id`, or, by itself, a sandbox that leaves no record.

        Args:
            seed: of the choice; 0: another instant each time, which the evidence names.
            to_time: an instant with its offset instead of one that is drawn.
            since, until: the window that it was drawn from, where that is known already.

        Raises:
            Conflict: another drill is running.
            InvalidInput: `run_id` is none, or an instant has no offset.
            PreconditionFailed: there is no instant to restore to.
        """
        work = take_up(run_id)
        drill = cls(work, _drawn(work, backup_id, seed, to_time, (since, until)), source_of(work))
        atexit.register(drill.close)
        return drill

    def window(self) -> "pd.DataFrame":
        """The recovery window, the instant, and what is known around it."""
        first = len(self.evidence.checks)
        reach = self.drawn.reach
        with self.engine.connect() as connection:
            known_commits.require_commit_times(connection)
            self.known = known_commits.known_at(connection, self.instant)
        inside = reach.since <= self.instant < reach.until
        detail = f"{self.instant.isoformat()} of {reach.since.isoformat()} to {reach.until.isoformat()}"
        self.evidence.check("the instant lies in the window", inside, detail)
        known = self.known
        for side, transactions, found in (
            ("before", known.before, known.rows_before),
            ("after", known.after, known.rows_after),
        ):
            number = sum(len(of_table) for of_table in found.values())
            self.evidence.check(
                f"something is known {side} the instant",
                bool(transactions),
                msg("{count} transactions, {number} rows", count=len(transactions), number=number),
            )
        self.evidence.figures |= {
            "window_since": reach.since.isoformat(),
            "window_until": reach.until.isoformat(),
            "last_commit_before": _iso(max(known.before.values(), default=None)),
            "first_commit_after": _iso(min(known.after.values(), default=None)),
        }
        return self.evidence.table(first)

    def _check_recovered(self, lsn: str) -> None:
        """Recovery ends before the first commit after the instant, and not before the last one until it."""
        expected = max(self._known().before.values(), default=None)
        early = expected is not None and expected - self.recovered_at > known_commits.AT_ONE_MOMENT
        self.evidence.check(
            "recovered to the instant",
            self.recovered_at <= self.instant and not early,
            msg(
                "newest commit {at}, known {expected}, log position {lsn}",
                at=self.recovered_at.isoformat(),
                expected=_iso(expected),
                lsn=lsn,
            ),
        )

    def check_sides(self) -> "pd.DataFrame":
        """Every known transaction and row of before is there, and none of after."""
        first, known = len(self.evidence.checks), self._known()
        engine = self._restored()
        with engine.connect() as restored:
            found = known_commits.compare(restored, known, self.instant)
            newest = known_commits.newest_row(restored)
        engine.dispose()
        self.evidence.check(
            "every transaction until the instant is there",
            not found.lost,
            msg(
                "{count} known, {lost} lost{some}",
                count=len(known.before),
                lost=len(found.lost),
                some=_some(found.lost),
            ),
        )
        self.evidence.check(
            "no transaction after the instant is there",
            not found.too_new,
            msg(
                "{count} known, {there} there{some}",
                count=len(known.after),
                there=len(found.too_new),
                some=_some(found.too_new),
            ),
        )
        self.evidence.check(
            "every row until the instant is there",
            not found.rows_lost,
            msg(
                "{count} known, {lost} lost{some}",
                count=_number(known.rows_before),
                lost=len(found.rows_lost),
                some=_some(found.rows_lost),
            ),
        )
        newer = newest is not None and newest > self.instant
        self.evidence.check(
            "no row after the instant is there",
            not found.rows_too_new and not newer,
            msg(
                "{count} known, {there} there{some}, newest {newest}",
                count=_number(known.rows_after),
                there=len(found.rows_too_new),
                some=_some(found.rows_too_new),
                newest=_iso(newest),
            ),
        )
        if found.at_one_moment:
            self.evidence.skip(
                "transactions of the very moment",
                msg(
                    "{count} stand behind a later one in the log and are not there",
                    count=len(found.at_one_moment),
                ),
            )
        return self.evidence.table(first)

    def sides(self) -> "pd.DataFrame":
        """The known rows of each table on both sides."""
        known = self._known()
        counted = [
            {"table": name, "before": len(found), "after": len(known.rows_after[name])}
            for name, found in known.rows_before.items()
            if found or known.rows_after[name]
        ]
        return rows(counted, ["table", "before", "after"])

    def measure(self) -> "pd.DataFrame":
        """RPO: age of the newest commit that the archive holds. RTO: from the first byte downloaded to connections."""
        figures, reach = self.evidence.figures, self.drawn.reach
        behind = max(0.0, (self.source.at - reach.until).total_seconds())
        figures["rpo_seconds"] = round(behind, 3)
        figures["log_replayed_seconds"] = round(self._replayed(), 3)
        self.evidence.save()
        return facts(
            {
                "RPO, seconds (any instant older than that can be restored)": figures["rpo_seconds"],
                "RTO, seconds": figures["rto_seconds"],
                "log replayed, seconds of the source's life": figures["log_replayed_seconds"],
            }
        )

    def _replayed(self) -> float:
        finished = self.backup.finished_at
        return max(0.0, (self.instant - finished).total_seconds()) if finished else 0.0

    def _known(self) -> known_commits.Known:
        if self.known is None:
            raise PreconditionFailed("Nothing is known yet.", hint="Run the steps in order.")
        return self.known


def _drawn(work: TakenUp, backup_id: str, seed: int, to_time: str, window: tuple[str, str]) -> Drawn:
    """What was prepared, else a draw of its own."""
    instant, since, until = (instant_of(one) for one in (to_time, *window))
    if instant is None:
        return draw(work.engine, work.settings, seed=seed)
    instant = instant.astimezone(UTC)
    if since and until:
        reach: Reach | None = Reach(since, until)
    else:
        ensure_backup(work.engine, work.settings)
        reach = reachable(work.engine, work.settings)
    if reach is None:
        raise InvalidInput(msg("{to_time} can't be restored: the recovery window is empty.", to_time=to_time))
    backup = (
        chosen_backup(work.engine, work.settings, backup_id)
        if backup_id
        else starting_from(work.engine, work.settings, instant)
    )
    return Drawn(seed, instant, backup, reach)


def _iso(at: datetime | None) -> str:
    return at.astimezone(UTC).isoformat() if at else "none"


def _number(found: dict[str, dict[tuple[Any, ...], str]]) -> int:
    return sum(len(of_table) for of_table in found.values())


def _some(found: list[Any]) -> str:
    return f": {', '.join(str(one) for one in found[:SHOWN])}" if found else ""
