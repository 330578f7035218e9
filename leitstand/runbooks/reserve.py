"""Space that is kept for the day on which the disk is full: a file that is given up so that a runbook can run and write.

`./run up` makes it, and every run of a notebook that finds the disk full gives it up.
"""

import os
import shutil

from leitstand.settings import Settings

NAME = "reserve"
RESERVE_BYTES = 64 * 1024 * 1024
# Less than this is too little for a notebook, its kernel and its evidence.
NEEDED_BYTES = 24 * 1024 * 1024
SHARE_OF_DISK = 10


def ensure(settings: Settings) -> bool:
    """Make the reserve where it is missing and at most a tenth of what is free; gives whether it is there."""
    path = settings.data_dir / NAME
    if _whole(settings):
        return True
    if shutil.disk_usage(settings.data_dir).free < RESERVE_BYTES * SHARE_OF_DISK:
        return False
    temporary = path.with_name(f".{NAME}.making")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
    except OSError:
        temporary.unlink(missing_ok=True)
        return False
    finally:
        os.close(descriptor)
    temporary.replace(path)
    return True


def give_up_if_full(settings: Settings) -> bool:
    """Remove the reserve where too little is free to run a notebook; gives whether it did."""
    if not settings.data_dir.exists() or shutil.disk_usage(settings.data_dir).free >= NEEDED_BYTES:
        return False
    there = _whole(settings)
    (settings.data_dir / NAME).unlink(missing_ok=True)
    return there


def _whole(settings: Settings) -> bool:
    path = settings.data_dir / NAME
    return path.is_file() and path.stat().st_blocks * 512 >= RESERVE_BYTES
