"""What an operator looks at before a restore to an instant: what was done last, what was backed up, how far the log goes."""

from datetime import datetime
from typing import Any

from sqlalchemy import Engine, text

from leitstand.backups.archived_log import archived_files
from leitstand.backups.engines.interface import Archived
from leitstand.backups.entries import usable_entries
from leitstand.errors import PreconditionFailed, Unavailable
from leitstand.runbooks import archive_queue
from leitstand.runbooks.backends import reserved_engine
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.words import msg

BACKUPS_SHOWN, LOG_SHOWN, CHANGES_SHOWN, TABLES_SHOWN = 6, 12, 20, 10
ARCHIVED_SECONDS = 120.0
AUDIT = "SELECT at, action, target, actor FROM audit_entry ORDER BY at DESC LIMIT :shown"
DELETED = """
SELECT relname AS name, n_tup_del AS deleted, n_tup_upd AS changed FROM pg_stat_user_tables
WHERE n_tup_del > 0 ORDER BY n_tup_del DESC LIMIT :shown
"""


def database_now(settings: Settings) -> str:
    """Whether the database answers, and since when it runs, in words."""
    try:
        engine = _engine(settings)
    except Unavailable as error:
        return f"DOES NOT ANSWER: {error.message}"
    with engine.connect() as connection:
        since = connection.scalar(text("SELECT pg_postmaster_start_time()"))
    engine.dispose()
    return f"answers, running since {since:%Y-%m-%d %H:%M} UTC"


def last_changes(settings: Settings) -> list[dict[str, str]]:
    """The newest entries of the audit log, and the tables from which most rows were deleted."""
    try:
        engine = _engine(settings)
    except Unavailable:
        return [{"when": "", "what": "the database does not answer", "on": "see ./run logs postgres"}]
    with engine.connect() as connection:
        done = connection.execute(text(AUDIT), {"shown": CHANGES_SHOWN}).all()
        tables = connection.execute(text(DELETED), {"shown": TABLES_SHOWN}).all()
    engine.dispose()
    audited = [
        {"when": f"{row.at:%Y-%m-%d %H:%M:%S} UTC", "what": f"{row.action} by {row.actor}", "on": row.target}
        for row in done
    ]
    went = [
        {
            "when": "since statistics began",
            "what": f"{row.deleted} rows deleted, {row.changed} changed",
            "on": row.name,
        }
        for row in tables
    ]
    return audited + went


def newest_backups(settings: Settings, storage: ObjectStorage) -> list[dict[str, str]]:
    """The newest backups, and the newest archived log."""
    entries = usable_entries(storage, settings.bucket_backups, "postgres")
    shown = [
        {
            "what": f"backup {entry['id']}",
            "at": str(entry["finished_at"])[:19],
            "is": "proven by a drill" if entry.get("verified_at") else "not proven yet",
        }
        for entry in entries[:BACKUPS_SHOWN]
    ]
    log = _log(storage, entries[0]) if entries else []
    return shown + [
        {
            "what": "log",
            "at": f"{one.modified:%Y-%m-%dT%H:%M:%S}",
            "is": one.name,
        }
        for one in log[:LOG_SHOWN]
    ]


def reached(settings: Settings, storage: ObjectStorage, manifest: dict[str, Any], to_time: datetime) -> str:
    """How far the log goes that is archived, in words.

    Raises:
        PreconditionFailed: not as far as the instant, and no database is there that could archive the rest.
    """
    log = _log(storage, manifest)
    newest = max([datetime.fromisoformat(manifest["finished_at"]), *(one.modified for one in log[:1])])
    if newest >= to_time:
        return f"archived until {newest:%Y-%m-%d %H:%M:%S} UTC"
    if database_now(settings).startswith("answers"):
        return "the live database archives the rest before the restore"
    raise PreconditionFailed(
        msg("The log is archived until {newest:%Y-%m-%d %H:%M:%S} UTC.", newest=newest),
        hint="Leave to_time empty to restore as far as it goes.",
    )


def push_log(settings: Settings) -> None:
    """Have the live database archive all that it has, where it answers; what was committed until now can then be restored.

    Raises:
        Unavailable: the archive did not take it in time.
    """
    try:
        engine = _engine(settings)
    except Unavailable:
        return
    archive_queue.push(engine, within=ARCHIVED_SECONDS)
    engine.dispose()


def _engine(settings: Settings) -> Engine:
    return reserved_engine(settings)[0]


def _log(storage: ObjectStorage, manifest: dict[str, Any]) -> list[Archived]:
    """The archived log of a backup's cluster, newest first."""
    return sorted(archived_files(storage, manifest), key=lambda one: one.modified, reverse=True)
