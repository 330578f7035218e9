"""What is wrong with the backups that are there: what an operator is told of, and an alert is raised for."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.backups.catalogue import COMPLETE, MISSING, RUNNING, newest_complete
from leitstand.backups.pruning import RUN_COMPLETE, RUN_FAILED, RUN_REFUSED, entry_of
from leitstand.backups.retention import Entry, Policy, plan
from leitstand.backups.secret_files import NEEDED_BY_PGBACKREST, PREFIX
from leitstand.db.models import Backup, PruneRun
from leitstand.settings import Settings

PRUNED_WITHIN = timedelta(hours=26)


@dataclass(frozen=True)
class Condition:
    """One thing that is wrong: its name, a sentence, and the way out."""

    name: str
    says: str
    hint: str

    def to_dict(self) -> dict[str, str]:
        """JSON values."""
        return asdict(self)


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


def conditions(session: Session, settings: Settings, *, now: datetime | None = None) -> list[Condition]:
    """All that is wrong now, the worst first; asks the database alone."""
    now = now or datetime.now(UTC)
    found = [
        _window(session, settings, now),
        _missing(session, now),
        _pruning(session, now),
        _gap(session),
        _key(session, settings),
    ]
    return [condition for condition in found if condition]


def current_window(session: Session, settings: Settings, *, now: datetime | None = None) -> Window:
    """The window of any second as the database knows it."""
    rows = session.scalars(
        select(Backup).where(Backup.kind == "postgres", Backup.status.in_((COMPLETE, MISSING, RUNNING)))
    )
    return window(
        [entry_of(row, settings.bucket_backups) for row in rows], (now or datetime.now(UTC)).astimezone(UTC)
    )


def _window(session: Session, settings: Settings, now: datetime) -> Condition | None:
    """A young environment has a short window by nature: it must be as old as the first backup that was ever complete."""
    first = session.scalar(
        select(func.min(Backup.finished_at)).where(Backup.kind == "postgres", Backup.sha256 != "")
    )
    if first is None:
        return None
    found = current_window(session, settings, now=now)
    owed = max(found.promised, first)
    if found.since is not None and found.since <= owed:
        return None
    since = f"since {found.since:%Y-%m-%d %H:%M} UTC" if found.since else "at no time"
    return Condition(
        "window-short",
        f"Any second can be restored {since}; promised is since {owed:%Y-%m-%d %H:%M} UTC.",
        "See which backups are missing or failed: `leitstand backup list`; take one: `leitstand backup run postgres`.",
    )


def _missing(session: Session, now: datetime) -> Condition | None:
    since = now - Policy().window
    count = session.scalar(select(func.count()).where(Backup.status == MISSING, Backup.finished_at > since))
    if not count:
        return None
    return Condition(
        "backups-missing",
        f"{count} backups of the last {Policy().window.days} days are gone from the object store.",
        "Find out who deleted them; take new ones: `leitstand backup run all`.",
    )


def _pruning(session: Session, now: datetime) -> Condition | None:
    """The last run failed or was refused, or none has ended well for longer than a day and a bit."""
    ended = select(PruneRun).where(PruneRun.status.in_((RUN_COMPLETE, RUN_FAILED, RUN_REFUSED)))
    last = session.scalars(ended.order_by(PruneRun.started_at.desc()).limit(1)).first()
    if last is not None and last.status != RUN_COMPLETE:
        return Condition(
            "prune-failing",
            f"Retention ended at {last.started_at:%Y-%m-%d %H:%M} UTC: {last.error}",
            "`leitstand backup prune --dry-run` shows what it would do, `leitstand backup prune` does it.",
        )
    since = last.started_at if last else session.scalar(select(func.min(Backup.started_at)))
    if since is None or now - since <= PRUNED_WITHIN:
        return None
    return Condition(
        "prune-late",
        f"Retention has not run since {since:%Y-%m-%d %H:%M} UTC.",
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
        f"The archived log lacks {gaps[0]}: nothing can be restored past it from an older backup.",
        "Take a backup now: `leitstand backup run postgres`.",
    )


def _key(session: Session, settings: Settings) -> Condition | None:
    """What pgBackRest stored is lost with its key: it must be in the newest backup of the secrets."""
    if settings.backup_engine != "pgbackrest":
        return None
    newest = newest_complete(session, "secrets")
    if newest and f"{PREFIX}{NEEDED_BY_PGBACKREST}" in newest.manifest.get("inventory", ()):
        return None
    return Condition(
        "key-not-backed-up",
        "The key of pgBackRest is in no backup of the secrets: without it none of its backups can be restored.",
        "Back the secrets up: `leitstand secrets backup`.",
    )
