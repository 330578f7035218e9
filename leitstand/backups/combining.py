"""From a full backup and its increments to the folder that a server starts on: unpacked, combined, every file compared."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from leitstand.backups import keys
from leitstand.backups.engines.interface import Chain, Manifest
from leitstand.backups.unpacking import unpack
from leitstand.backups.work import Progress
from leitstand.db.cluster import bin_dir
from leitstand.errors import IntegrityFailed, NotFound
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.words import N_, msg

OUTPUT_SHOWN = 400


def unpack_chain(settings: Settings, chain: Chain, target: Path, say: Progress) -> str:
    """Unpack the chain's last backup into `target`, an empty folder; gives what pg_verifybackup said.

    Increments lie beside `target` meanwhile, in `<target>.chain`.

    Raises:
        IntegrityFailed: one of the chain is not what was stored; the message names it.
        PreconditionFailed: no key opens it.
    """
    identities = keys.identities(settings)
    if len(chain) == 1:
        _unpack_one(settings, chain[0], target, identities, say)
    else:
        beside = target.with_name(f"{target.name}.chain")
        shutil.rmtree(beside, ignore_errors=True)
        try:
            for number, manifest in enumerate(chain):
                folder = beside / f"{number:03d}"
                folder.mkdir(parents=True, mode=0o700)
                say(f"backup {manifest['id']}, {number + 1} of {len(chain)}")
                _unpack_one(settings, manifest, folder, identities, say)
            say("combining the full backup and its increments (pg_combinebackup)")
            _combine(beside, len(chain), target)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    say("checking every file (pg_verifybackup)")
    return pg_verifybackup(target)


def _unpack_one(
    settings: Settings, manifest: Manifest, folder: Path, identities: list[Any], say: Progress
) -> None:
    storage, bucket = ObjectStorage(settings), settings.bucket_backups
    seen = every_tenth(int(manifest["content"]["bytes"]), say)
    try:
        unpack(storage, bucket, manifest, folder, identities, seen=seen)
    except (IntegrityFailed, NotFound) as error:
        raise IntegrityFailed(
            msg("Backup {id} is damaged: {message}", id=manifest["id"], message=error.message),
            hint=error.hint or N_("Use another backup: `leitstand backup list` shows them."),
        ) from error


def every_tenth(total: int, say: Progress) -> Callable[[int], None]:
    """Tells each tenth of so many bytes, when it is called with how many there are by now."""
    told = 0

    def seen(count: int) -> None:
        nonlocal told
        tenth = count * 10 // max(total, 1)
        if tenth > told:
            told = tenth
            say(f"{count / 1e6:.0f} of {total / 1e6:.0f} MB unpacked")

    return seen


def _combine(beside: Path, count: int, target: Path) -> None:
    """Files that no increment changed are linked, not copied: what they are linked with goes afterwards.

    The server makes the folder durable itself when it starts to recover, so nothing is synced here.
    """
    inputs = [str(beside / f"{number:03d}") for number in range(count)]
    argv = [str(bin_dir() / "pg_combinebackup"), "--link", "--no-sync", f"--output={target}", *inputs]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise IntegrityFailed(
            msg("pg_combinebackup: {value}", value=done.stderr.strip()[-OUTPUT_SHOWN:]),
            hint="Use another backup.",
        )


def pg_verifybackup(folder: Path) -> str:
    """PostgreSQL's own check of an unpacked base backup, its log included.

    Raises:
        IntegrityFailed: it found something wrong.
    """
    done = subprocess.run(
        [str(bin_dir() / "pg_verifybackup"), str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise IntegrityFailed(msg("pg_verifybackup: {value}", value=done.stderr.strip()[-OUTPUT_SHOWN:]))
    return done.stdout.strip()
