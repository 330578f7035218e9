"""Takes a backup with pgBackRest, and clears away what a killed one left in the repository."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, make_url, select, text

from leitstand.backups import fingerprint, wal
from leitstand.backups.catalogue import FAILED
from leitstand.backups.connection import client_environment
from leitstand.backups.engines.interface import DIFFERENTIAL, FULL, INCREMENTAL
from leitstand.backups.pgbackrest import information, program
from leitstand.backups.pgbackrest.information import ANNOTATION, Listed
from leitstand.backups.pgbackrest.repository import Repository, current, write_configuration
from leitstand.backups.work import Job, Outcome
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from leitstand.errors import IntegrityFailed, PreconditionFailed
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.telemetry.logs import get_logger
from leitstand.words import msg

TYPES = {FULL: "full", DIFFERENTIAL: "diff", INCREMENTAL: "incr"}
ONLY_FULL_ONE, LABEL_TOO_EARLY = 75, 106
DEFAULT_PORT = 5432
FAULTY_PAGES = "Pages of the database have a wrong checksum: see PostgreSQL's log, and `pg_amcheck`."

log = get_logger("backups")


@dataclass(frozen=True)
class _Server:
    """The server that is backed up: what is known of it, and how pgBackRest is told."""

    facts: dict[str, Any]
    options: tuple[str, ...]
    environment: dict[str, str]


def archiving_folder(settings: Settings) -> Path:
    """Where the configuration of the server's archive command lies: of the key that it was started with."""
    return settings.data_dir / "pgbackrest" / "archive"


def _taking_folder(settings: Settings) -> Path:
    return settings.data_dir / "pgbackrest" / "backup"


def take(job: Job) -> Outcome:
    """Take a backup of `job.level`; a full one where pgBackRest would build on another than we do.

    Raises:
        PreconditionFailed: pgBackRest or its key is missing, refused, or can't read the server's data folder.
        Unavailable: the store or the server failed, or nothing moved for too long.
    """
    server = _server(job.source, job.settings)
    repository = current(job.settings, str(server.facts["system_identifier"]))
    configuration = write_configuration(repository, _taking_folder(job.settings), program.version())
    try:
        program.run("stanza-create", configuration, *server.options, more=server.environment)
        level, reason = _level(job, repository, information.read(configuration))
        level, reason = _back_up(job, configuration, server, level) or (level, reason)
    except program.Failed as failed:
        raise failed.as_error() from failed
    made = _made(configuration, job.backup_id)
    parent = _parent(job, made)
    return _outcome(repository, server, made, {"level": level, "level_reason": reason, "parent_id": parent})


def _server(source: Engine, settings: Settings) -> _Server:
    with source.begin() as connection:
        facts = fingerprint.server(connection)
        data = connection.scalar(text("SELECT current_setting('data_directory')"))
    if not (Path(data) / "PG_VERSION").exists():
        raise PreconditionFailed(
            msg("pgBackRest can't read PostgreSQL's data folder {data} from here.", data=data),
            hint="Take the backup on the machine of the server, as a user that may read the folder; or set LEITSTAND_BACKUP_ENGINE=postgres-tools.",
        )
    url = make_url(settings.database_url)
    options = (
        f"--pg1-path={data}",
        f"--pg1-port={url.port or DEFAULT_PORT}",
        f"--pg1-user={url.username}",
        f"--pg1-database={url.database}",
    )
    return _Server(facts, options, client_environment(settings, application="leitstand-backup"))


def _level(job: Job, repository: Repository, listed: list[Listed]) -> tuple[str, str]:
    """pgBackRest builds on its own newest backup and can't be told another: where that is not ours, a full one is taken."""
    if not job.chain:
        return FULL, job.level_reason
    parent = job.chain[-1]
    if parent.get("key_id") != repository.key_id:
        return FULL, "the key of pgBackRest is another one than before"
    candidates = [one for one in listed if job.level == INCREMENTAL or one.type == information.FULL]
    if not candidates or candidates[-1].label != parent.get("label"):
        return FULL, f"pgBackRest's newest backup is not {parent['id']}"
    return job.level, job.level_reason


def _back_up(job: Job, configuration: Path, server: _Server, level: str) -> tuple[str, str] | None:
    """Take it; gives the level and the reason where another was taken than was asked for.

    An increment's label begins with that of its full backup. Where a later full one was cleared away, and the store
    still shows its empty folder, pgBackRest refuses the label; a full backup has a later one.
    """
    (job.folder / "began").touch()
    try:
        _run_backup(job, configuration, server, level)
    except program.Failed as failed:
        if failed.code != LABEL_TOO_EARLY or level == FULL:
            raise
        _run_backup(job, configuration, server, FULL)
        return FULL, "a later full backup was cleared away"
    return None


def _run_backup(job: Job, configuration: Path, server: _Server, level: str) -> None:
    program.run(
        "backup",
        configuration,
        *server.options,
        f"--type={TYPES[level]}",
        f"--annotation={ANNOTATION}={job.backup_id}",
        more=server.environment,
        moved=job.report,
    )


def _made(configuration: Path, backup_id: UUID) -> Listed:
    for one in reversed(information.read(configuration)):
        if one.backup_id == str(backup_id):
            return one
    raise IntegrityFailed(
        "pgBackRest ended well and its repository does not have the backup.", hint="Take another one."
    )


def _parent(job: Job, made: Listed) -> str | None:
    """The id of what it was built on, compared with what it was meant to be built on."""
    if not made.prior:
        return None
    parent = job.chain[-1]
    if made.prior != parent["label"]:
        raise IntegrityFailed(
            msg("pgBackRest built on {prior} and not on {label}.", prior=made.prior, label=parent["label"]),
            hint="Somebody else uses its repository: take a full backup.",
        )
    return str(parent["id"])


def _outcome(repository: Repository, server: _Server, made: Listed, level: dict[str, Any]) -> Outcome:
    objects, facts = repository.objects(made.label), server.facts
    manifest = {
        **level,
        "system_identifier": facts["system_identifier"],
        "archive": f"{program.NAME}:{facts['system_identifier']}",
        "postgres_version": facts["postgres_version"],
        "segment_bytes": facts["segment_bytes"],
        "archive_mode": facts["archive_mode"],
        "timeline": int(made.start_segment[:8], 16),
        "start_lsn": made.start_lsn,
        "stop_lsn": made.stop_lsn,
        "start_segment": wal.segment_of(
            wal.lsn_number(made.start_lsn), int(made.start_segment[:8], 16), int(facts["segment_bytes"])
        ),
        "content": {"bytes": made.bytes},
        "label": made.label,
        "key_id": repository.key_id,
        "pgbackrest_version": ".".join(map(str, program.version())),
        "parts": [{"key": key, "bytes": size} for key, size in sorted(objects.items())],
        "warnings": [FAULTY_PAGES] if made.faulty else [],
    }
    return Outcome(manifest, sum(objects.values()))


def tidy(job: Job) -> None:
    """Remove from the repository what our catalogue calls failed: pgBackRest had completed it, and we had not.

    What pgBackRest itself had not completed, its next backup removes. Nothing else is touched.
    """
    with job.source.connect() as connection:
        system_id = str(fingerprint.server(connection)["system_identifier"])
    with transaction(job.engine) as session:
        failed = select(Backup.id).where(Backup.kind == "postgres", Backup.status == FAILED)
        ids = {str(one) for one in session.scalars(failed)}
    if not ids:
        return
    repository = current(job.settings, system_id)
    configuration = write_configuration(repository, _taking_folder(job.settings), program.version())
    for one in reversed(information.read(configuration)):
        if one.backup_id in ids:
            log.warning("backup cleared away", backup=one.backup_id, label=one.label)
            expire(repository, configuration, one.label)


def expire(repository: Repository, configuration: Path, label: str) -> None:
    """Remove one backup from a repository, with what builds on it; one that is not there is no error.

    pgBackRest refuses to remove its only full backup. Its objects are then deleted: a backup without its manifest it
    forgets by itself. Its history goes as well: no backup may have an earlier label than what that names.
    """
    try:
        if label in {one.label for one in information.read(configuration)}:
            program.run("expire", configuration, f"--set={label}")
    except program.Failed as failed:
        if failed.code != ONLY_FULL_ONE:
            raise failed.as_error() from failed
    delete(repository, label)


def delete(repository: Repository, label: str) -> None:
    """Delete one backup's objects without asking pgBackRest."""
    storage, bucket = ObjectStorage(repository.settings), repository.settings.bucket_backups
    for prefix in (repository.backup_prefix(label), repository.history_prefix(label)):
        for info in list(storage.list(bucket, prefix)):
            storage.delete(bucket, info.key)
