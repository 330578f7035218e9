"""Restore PostgreSQL from object storage into an empty folder, to its newest state or to an instant.

It needs the store and a key, and no database: when the machine is gone, the catalogue beside the backups is enough.
"""

import re
import shlex
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leitstand.backups import wal
from leitstand.backups.archived_log import segments_since
from leitstand.backups.engines.chain import chain_of
from leitstand.backups.engines.interface import Chain
from leitstand.backups.engines.registry import engine_of
from leitstand.backups.entries import usable_entries
from leitstand.backups.full_disk import named_when_full
from leitstand.backups.log_contents import on_newest_timeline
from leitstand.backups.pins import in_use
from leitstand.backups.work import Progress
from leitstand.db.cluster import give_away
from leitstand.errors import InvalidInput, NotFound, PreconditionFailed
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.words import msg

SPARE = 1.2
RESERVE_BYTES = 256 * 1024 * 1024
RESTORE_CONFIGURATION = """
# --- written by the restore ---
restore_command = '{command}'
recovery_end_command = '{end_command}'
recovery_target_timeline = '{timeline}'
recovery_target_action = 'promote'
{time}"""
EARLIER_TARGET = re.compile(
    r"^\s*(recovery_target\w*|restore_command|recovery_end_command)\b.*$\n?", re.MULTILINE | re.IGNORECASE
)


@dataclass(frozen=True)
class Restored:
    """A folder that is ready to be started; the server recovers when it starts.

    Args:
        target: the data folder.
        access: folder with the key and the credentials that recovery needs; removed when recovery ends.
        manifest: of the backup.
        to_time: the instant that recovery goes to; None: as far as the archived log goes.
    """

    target: Path
    access: Path
    manifest: dict[str, Any]
    to_time: datetime | None


def choose(
    storage: ObjectStorage,
    bucket: str,
    *,
    to_time: datetime | None = None,
    backup_id: str = "",
    kind: str = "postgres",
    own: list[Any] | None = None,
) -> dict[str, Any]:
    """The manifest of the backup to restore: the newest that was complete at `to_time`, or the one asked for.

    One that recovery can't leave for the newest timeline is only taken where it is asked for.

    Args:
        kind: postgres or dump.
        own: private keys that open the archive; None: those of this machine.

    Raises:
        NotFound: there is none.
    """
    entries = usable_entries(storage, bucket, kind)
    if backup_id:
        entries = [entry for entry in entries if str(entry["id"]).startswith(backup_id.lower())]
    elif kind == "postgres":
        entries = on_newest_timeline(storage, bucket, entries, own)
    if to_time:
        entries = [entry for entry in entries if datetime.fromisoformat(entry["finished_at"]) <= to_time]
    if not entries:
        raise NotFound(
            msg("No backup of the kind {kind} fits.", kind=kind),
            hint=msg(
                "`leitstand backup list` shows them; `leitstand backup run {kind}` takes one.", kind=kind
            ),
        )
    return entries[0]


def restore_postgres(
    settings: Settings,
    *,
    target: Path,
    manifest: dict[str, Any],
    to_time: datetime | None = None,
    progress: Progress | None = None,
) -> Restored:
    """Download, check, decrypt and unpack a backup into `target`, and prepare its recovery.

    The folder appears only when everything is in it.

    Raises:
        PreconditionFailed: `target` is not empty, the disk is too small, no key opens the backup, or the log up to
            `to_time` is gone.
        InvalidInput: `to_time` lies in the future.
        IntegrityFailed: the backup, or what it is an increment of, is not what was stored; the message says which.
    """
    say = progress or (lambda _: None)
    if to_time and to_time > datetime.now(UTC):
        raise InvalidInput(
            "The instant to restore to lies in the future.", hint="Give one that has been, with its offset."
        )
    refuse_occupied(target)
    storage = ObjectStorage(settings)
    chain = chain_of(storage, settings.bucket_backups, manifest)
    check_space(target, chain)
    if to_time:
        refuse_removed_log(storage, manifest, to_time)
    making, access = target.with_name(f"{target.name}.restoring"), target.with_name(f"{target.name}.access")
    try:
        with named_when_full(making.parent):
            _prepare(settings, chain, making, say)
        _configure(making, engine_of(manifest).restore_command(settings, access, manifest), access, to_time)
        if target.exists():
            target.rmdir()
        making.rename(target)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        shutil.rmtree(access, ignore_errors=True)
        raise
    give_away(target)
    return Restored(target, access, manifest, to_time)


def refuse_removed_log(storage: ObjectStorage, manifest: dict[str, Any], to_time: datetime) -> None:
    """Say at once what recovery would say after an hour: older backups keep their own log only.

    Raises:
        PreconditionFailed: the archived log since the backup has a hole before `to_time`.
    """
    size = int(manifest["segment_bytes"])
    expected, reached = str(manifest["start_segment"]), datetime.fromisoformat(manifest["finished_at"])
    for one in segments_since(storage, manifest):
        if one.name != expected:
            if to_time <= reached:
                return
            raise PreconditionFailed(
                msg(
                    "{to_time:%Y-%m-%d %H:%M:%S %Z} can't be reached: the archived log lacks {expected}.",
                    to_time=to_time,
                    expected=expected,
                ),
                hint=msg(
                    "Without --to-time, --to-backup {id} restores the state of {finished_at}.",
                    id=manifest["id"],
                    finished_at=manifest["finished_at"],
                ),
            )
        expected, reached = wal.next_segment(one.name, size), max(reached, one.modified)


def _prepare(settings: Settings, chain: Chain, making: Path, say: Progress) -> None:
    """Everything that is in the backup, in a new folder, every file checked."""
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True, mode=0o700)
    storage, bucket = ObjectStorage(settings), settings.bucket_backups
    with in_use(storage, bucket, "postgres", str(chain[-1]["id"]), say=say, afterwards=True):
        engine_of(chain[-1]).unpack(settings, chain, making, say)


def refuse_occupied(target: Path) -> None:
    """A restore never writes over anything.

    Raises:
        PreconditionFailed: `target` is a file, or a folder with something in it.
    """
    if occupied(target):
        raise PreconditionFailed(
            msg("{target} is not empty.", target=target),
            hint="Restore into an empty folder; move what is there away first.",
        )


def occupied(target: Path) -> bool:
    """Whether something is where a restore would write."""
    return target.exists() and (not target.is_dir() or any(target.iterdir()))


def move_aside(target: Path) -> Path:
    """Rename what is at `target`, whole, and give its new place.

    Raises:
        PreconditionFailed: a server runs on it.
    """
    if (target / "postmaster.pid").exists():
        raise PreconditionFailed(
            msg("A PostgreSQL server runs on {target}, or was killed.", target=target),
            hint="Stop it first; when none runs, remove its postmaster.pid.",
        )
    aside = target.with_name(f"{target.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    return target.rename(aside)


def check_space(target: Path, chain: Chain) -> dict[str, int]:
    """Compare free and needed bytes; gives both.

    Args:
        chain: the backup with all that it is an increment of, as `chain_of` gives it.

    Raises:
        PreconditionFailed: the disk is too small.
    """
    return check_free(target, engine_of(chain[-1]).needed_bytes(chain))


def check_free(target: Path, content_bytes: int) -> dict[str, int]:
    """The same for so many bytes of content."""
    existing = next(folder for folder in [target, *target.resolve().parents] if folder.exists())
    free = shutil.disk_usage(existing).free
    needed = int(content_bytes * SPARE) + RESERVE_BYTES
    if free < needed:
        raise PreconditionFailed(
            msg(
                "The restore needs {needed:.1f} GB and {existing} has {free:.1f} GB.",
                needed=needed / 1000000000.0,
                existing=existing,
                free=free / 1000000000.0,
            ),
            hint="Free some space or restore to another disk.",
        )
    return {"free": free, "needed": needed}


def begin_new_timeline(settings: Settings, folder: Path) -> None:
    """Have a stopped cluster recover to the end of its own log when it starts, and go on under a timeline of its own.

    A cluster that was moved aside and comes back needs one: a restored one has begun a newer timeline meanwhile, and
    whoever restores follows the newest.

    Raises:
        NotFound: there is no backup.
    """
    access = folder.with_name(f"{folder.name}.access")
    # The archive is asked which timelines there are, so that none is taken twice.
    newest = choose(ObjectStorage(settings), settings.bucket_backups)
    command = engine_of(newest).restore_command(settings, access, newest)
    _configure(folder, command, access, None, timeline="current")
    give_away(folder)


def _configure(
    folder: Path, command: str, access: Path, to_time: datetime | None, *, timeline: str = "latest"
) -> None:
    """What an earlier restore left in the backed-up configuration goes: it would stop recovery at the old instant."""
    end_command = f"rm -rf -- {shlex.quote(str(access))}".replace("%", "%%")
    time = f"recovery_target_time = '{to_time.astimezone(UTC).isoformat()}'\n" if to_time else ""
    own = RESTORE_CONFIGURATION.format(
        command=_quoted(command), end_command=_quoted(end_command), time=time, timeline=timeline
    )
    for name, more in (("postgresql.conf", ""), ("postgresql.auto.conf", own)):
        configuration = folder / name
        before = configuration.read_text() if configuration.exists() else ""
        configuration.write_text(EARLIER_TARGET.sub("", before) + more)
    (folder / "recovery.signal").touch(mode=0o600)


def _quoted(value: str) -> str:
    """As the inside of a quoted value of postgresql.conf."""
    return value.replace("\\", "\\\\").replace("'", "''")
