"""Conditions of the database server and the machine: the log's archiver, collations, disk space, evidence left here."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from leitstand.backups.archive_failure import last_failure
from leitstand.backups.condition import Condition, written
from leitstand.backups.known import KnownKind
from leitstand.backups.places import PENDING, RECORD
from leitstand.db.row_security import lifted
from leitstand.settings import Settings
from leitstand.words import N_, msg, said

LAG = timedelta(minutes=10)
EVIDENCE_WITHIN = timedelta(hours=1)
LEAST_FREE_SHARE = 0.1
LEAST_FREE_BYTES = 5_000_000_000
ARCHIVER = text("""
    SELECT current_setting('archive_mode') AS mode, last_failed_time AS failed_at, failed_count AS failures,
           last_failed_time > coalesce(last_archived_time, '-infinity') AS failing,
           (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready') AS waiting,
           (SELECT min(modification) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready') AS oldest
    FROM pg_stat_archiver
""")
# Of a library's new version only what an index was sorted by matters.
COLLATIONS = text("""
    SELECT 'the database ' || datname AS what, datcollversion AS was, pg_database_collation_actual_version(oid) AS now,
           'REINDEX DATABASE ' || quote_ident(datname) AS mend,
           'ALTER DATABASE ' || quote_ident(datname) || ' REFRESH COLLATION VERSION' AS then
    FROM pg_database WHERE datallowconn AND datcollversion <> pg_database_collation_actual_version(oid)
    UNION ALL
    SELECT 'the collation ' || collname, collversion, pg_collation_actual_version(oid),
           'REINDEX DATABASE ' || quote_ident(current_database()),
           'ALTER COLLATION ' || oid::regcollation || ' REFRESH VERSION'
    FROM pg_collation WHERE collversion <> pg_collation_actual_version(oid)
    AND EXISTS (SELECT 1 FROM pg_index WHERE pg_collation.oid = ANY (indcollation))
""")


def server_conditions(
    session: Session, settings: Settings, known: KnownKind, now: datetime
) -> Iterator[Condition]:
    """What is wrong with the archiver, collations, the disk and evidence that waits on it.

    Args:
        known: the backups of PostgreSQL.
    """
    yield from _archiver(session, settings, known, now)
    yield from _collations(session)
    yield from _disk(settings.data_dir)
    yield from _evidence(settings.data_dir / "evidence" / PENDING, now)


def archiver(session: Session) -> Row[Any] | None:
    """How the server's archiver stands: mode, failed_at, failures, failing, waiting files, since when the oldest waits; None where the role may not look."""
    try:
        with lifted(session, "the archiver is the whole server's"), session.begin_nested():
            return session.execute(ARCHIVER).one()
    except ProgrammingError:
        return None


def _archiver(session: Session, settings: Settings, known: KnownKind, now: datetime) -> Iterator[Condition]:
    found = archiver(session)
    if found is None:
        yield Condition(
            "archive-hidden",
            "Whether the log is archived can't be seen: the database's role may not look.",
            "As its superuser: GRANT pg_monitor TO the role of LEITSTAND_DATABASE_URL.",
        )
        return
    if found.mode == "off":
        yield from _switched_off(known)
        return
    if found.failing:
        why = last_failure(settings.data_dir) or N_("PostgreSQL's log says why.")
        yield Condition(
            "archive-failing",
            msg(
                "The log is not archived since {when} ({waiting} files wait): {why}",
                when=written(found.failed_at),
                waiting=found.waiting,
                why=said(why),
            ),
            "PostgreSQL goes on and keeps the files; mend it before the disk is full: `leitstand storage probe`.",
        )
    if found.oldest and now - found.oldest > LAG:
        yield Condition(
            "archive-late",
            msg(
                "{waiting} files of the log wait to be archived, the oldest since {oldest}.",
                waiting=found.waiting,
                oldest=written(found.oldest),
            ),
            "Until they are archived a lost machine loses what was written since; see PostgreSQL's log.",
        )


def _switched_off(known: KnownKind) -> Iterator[Condition]:
    """Only where it was on before: a cluster that never archived was set up so."""
    if known.complete and known.complete.manifest.get("archive_mode") in {"on", "always"}:
        yield Condition(
            "archive-off",
            "The log was archived when the newest backup was taken, and is not any more (archive_mode = off).",
            "Switch it on, restart PostgreSQL and take a backup: `leitstand backup run postgres`.",
        )


def _collations(session: Session) -> Iterator[Condition]:
    for changed in session.execute(COLLATIONS):
        yield Condition(
            "collation-changed",
            msg(
                "Text in {what} was sorted by version {was} of its library, which now is {now}: indexes may miss rows.",
                what=changed.what,
                was=changed.was,
                now=changed.now,
            ),
            msg("Check with pg_amcheck; then {mend}, and {then}.", mend=changed.mend, then=changed.then),
        )


def _disk(folder: Path) -> Iterator[Condition]:
    try:
        total, _, free = shutil.disk_usage(folder)
    except OSError:
        return
    if free < min(total * LEAST_FREE_SHARE, LEAST_FREE_BYTES):
        yield Condition(
            "disk-full",
            msg(
                "The disk of {folder} has {free:.1f} of {total:.1f} GB left.",
                folder=folder,
                free=free / 1e9,
                total=total / 1e9,
            ),
            "Free space outside of PostgreSQL's folder, or enlarge the disk; never delete files of the log by hand.",
        )


def _evidence(folder: Path, now: datetime) -> Iterator[Condition]:
    """Of runs that ended long ago: while the store or the database was away, this machine alone has it."""
    waiting = []
    for record in folder.glob(f"*/{RECORD}"):
        with suppress(FileNotFoundError):  # taken up meanwhile
            waiting.append(datetime.fromtimestamp(record.stat().st_mtime, UTC))
    if waiting and now - min(waiting) > EVIDENCE_WITHIN:
        yield Condition(
            "evidence-waiting",
            msg(
                "The evidence of a run is on this machine alone since {oldest}.", oldest=written(min(waiting))
            )
            if len(waiting) == 1
            else msg(
                "The evidence of {count} runs is on this machine alone, the oldest since {oldest}.",
                count=len(waiting),
                oldest=written(min(waiting)),
            ),
            "Any drill or runbook takes it up when database and store answer: `leitstand drill run postgres-latest`.",
        )
