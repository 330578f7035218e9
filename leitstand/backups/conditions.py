"""What is wrong with the backups that are there: what an operator is told of, and an alert is raised for."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.backups.catalogue import COMPLETE, MISSING, RUNNING
from leitstand.backups.condition import Condition, written
from leitstand.backups.known import Known, KnownKind, known_backups
from leitstand.backups.pruning import RUN_COMPLETE, RUN_FAILED, RUN_REFUSED, entry_of
from leitstand.backups.retention import Entry, Policy, plan
from leitstand.backups.secret_files import NEEDED_BY_PGBACKREST, PREFIX
from leitstand.backups.server_conditions import server_conditions
from leitstand.backups.store_conditions import store_conditions
from leitstand.backups.work_conditions import untold, work_conditions
from leitstand.db.models import Backup, CheckRun, PruneRun
from leitstand.settings import Settings
from leitstand.words import msg, said

__all__ = ["Condition", "Window", "conditions", "current_window", "window"]

PRUNED_WITHIN = timedelta(hours=26)
CHECKED_WITHIN = timedelta(hours=26)
SUITES_NAMED = 5


@dataclass(frozen=True)
class Window:
    """Any second from `since` on can be restored; None when none can. `promised` says since when it should be."""

    since: datetime | None
    promised: datetime

    @property
    def holds(self) -> bool:
        """Whether the promise is kept."""
        return self.since is not None and self.since <= self.promised


def window(entries: list[Entry], now: datetime, policy: Policy | None = None) -> Window:
    """Since when every second can be restored: since the oldest sound backup all of whose log stays."""
    policy = policy or Policy()
    made = plan(entries, now, policy)
    sound = (entry for entry in entries if entry.kind == "postgres" and entry.status == COMPLETE)
    starts = [entry.at for entry in sound if entry.verified is not False and made.has_log_since(entry)]
    return Window(min(starts, default=None), now - policy.window)


def conditions(
    session: Session, settings: Settings, *, now: datetime | None = None, fresh: bool = False
) -> list[Condition]:
    """All that is wrong now, the worst first; asks the database, the disk and the store of backups.

    Args:
        fresh: ask the store now, not what it said within the last minute.
    """
    now = now or datetime.now(UTC)
    known, whole = known_backups(session, owed_since=now - Policy().window), _last_whole(session)
    catalogue = [
        _window(session, settings, known["postgres"], now),
        _missing(known),
        _pruning(session, known, now),
        _gap(session),
        _checks_failing(session, whole),
        _checks_late(whole or known.first_begun, now),
        _key(known["secrets"], settings),
    ]
    found = [
        *server_conditions(session, settings, known["postgres"], now),
        *store_conditions(session, settings, known.clusters, fresh=fresh),
        *(condition for condition in catalogue if condition),
    ]
    return [*found, *untold(work_conditions(session, known, now), found)]


def current_window(session: Session, settings: Settings, *, now: datetime | None = None) -> Window:
    """The window of any second as the database knows it."""
    rows = session.scalars(
        select(Backup).where(Backup.kind == "postgres", Backup.status.in_((COMPLETE, MISSING, RUNNING)))
    )
    return window(
        [entry_of(row, settings.bucket_backups) for row in rows], (now or datetime.now(UTC)).astimezone(UTC)
    )


def _window(session: Session, settings: Settings, known: KnownKind, now: datetime) -> Condition | None:
    """A young environment has a short window by nature: it must be as old as the first backup that was ever complete."""
    if known.first_stored is None:
        return None
    found = current_window(session, settings, now=now)
    owed = max(found.promised, known.first_stored)
    if found.since is not None and found.since <= owed:
        return None
    return Condition(
        "window-short",
        msg(
            "Any second can be restored since {since}; promised is since {owed}.",
            since=written(found.since),
            owed=written(owed),
        )
        if found.since
        else msg("No second can be restored; promised is since {owed}.", owed=written(owed)),
        "See which backups are missing or failed: `leitstand backup list`; take one: `leitstand backup run postgres`.",
    )


def _missing(known: Known) -> Condition | None:
    if not known.missing:
        return None
    return Condition(
        "backups-missing",
        msg(
            "{missing} backups of the last {days} days, or kept ones, are gone from the object store.",
            missing=known.missing,
            days=Policy().window.days,
        ),
        "Find out who deleted them; take new ones: `leitstand backup run all`.",
    )


def _pruning(session: Session, known: Known, now: datetime) -> Condition | None:
    """The last run failed or was refused, or none has ended well for longer than a day and a bit."""
    ended = select(PruneRun).where(PruneRun.status.in_((RUN_COMPLETE, RUN_FAILED, RUN_REFUSED)))
    last = session.scalars(ended.order_by(PruneRun.started_at.desc()).limit(1)).first()
    if last is not None and last.status != RUN_COMPLETE:
        return Condition(
            "prune-failing",
            msg(
                "Retention ended at {when}: {error}",
                when=written(last.started_at),
                error=said(last.error),
            ),
            "`leitstand backup prune --dry-run` shows what it would do, `leitstand backup prune` does it.",
        )
    since = last.started_at if last else known.first_begun
    if since is None or now - since <= PRUNED_WITHIN:
        return None
    return Condition(
        "prune-late",
        msg("Retention has not run since {since}.", since=written(since)),
        "See the flow `prune-backups`: `leitstand flow list`; run it: `leitstand backup prune`.",
    )


def _gap(session: Session) -> Condition | None:
    query = select(PruneRun.figures).where(PruneRun.status == RUN_COMPLETE)
    figures = session.scalar(query.order_by(PruneRun.started_at.desc()).limit(1)) or {}
    gaps = [one["gap"] for one in figures.get("logs", []) if one["gap"]]
    if not gaps:
        return None
    return Condition(
        "log-gap",
        msg(
            "The archived log lacks {gaps}: nothing can be restored past it from an older backup.",
            gaps=gaps[0],
        ),
        "Take a backup now: `leitstand backup run postgres`.",
    )


def _last_whole(session: Session) -> datetime | None:
    """When all data checks last ran on the live database, whatever they found."""
    whole = CheckRun.result["whole"].as_boolean()
    return session.scalar(select(func.max(CheckRun.at)).where(CheckRun.target == "live", whole))


def _checks_failing(session: Session, whole: datetime | None) -> Condition | None:
    """The newest result of each suite; one that the last run of all did not know is no longer a suite."""
    own = CheckRun.result["run_of"].astext == CheckRun.suite
    newest = (
        select(CheckRun.suite, CheckRun.at, CheckRun.success, CheckRun.failed, own.label("own"))
        .where(CheckRun.target == "live")
        .distinct(CheckRun.suite)
        .order_by(CheckRun.suite, CheckRun.at.desc(), CheckRun.id.desc())
    )
    failing = [
        (row.suite, row.failed)
        for row in session.execute(newest)
        if not row.success and (row.own or whole is None or row.at >= whole)
    ]
    if not failing:
        return None
    named = ", ".join(f"{suite} ({failed})" for suite, failed in failing[:SUITES_NAMED])
    more = len(failing) - SUITES_NAMED
    return Condition(
        "checks-failing",
        msg("Data checks do not hold in {named} and {more} more.", named=named, more=more)
        if more > 0
        else msg("Data checks do not hold in {named}.", named=named),
        "See what they say and which rows violate them: `leitstand checks show SUITE`, or /operations/checks.",
    )


def _checks_late(since: datetime | None, now: datetime) -> Condition | None:
    if since is None or now - since <= CHECKED_WITHIN:
        return None
    return Condition(
        "checks-late",
        msg("All data checks have not run since {since}.", since=written(since)),
        "See the flow `data-checks-nightly`: `leitstand flow list`; run them: `leitstand checks run`.",
    )


def _key(known: KnownKind, settings: Settings) -> Condition | None:
    """What pgBackRest stored is lost with its key: it must be in the newest backup of the secrets."""
    if settings.backup_engine != "pgbackrest":
        return None
    newest = known.complete
    if newest and f"{PREFIX}{NEEDED_BY_PGBACKREST}" in newest.manifest.get("inventory", ()):
        return None
    return Condition(
        "key-not-backed-up",
        "The key of pgBackRest is in no backup of the secrets: without it none of its backups can be restored.",
        "Back the secrets up: `leitstand secrets backup`.",
    )
