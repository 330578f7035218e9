"""A full disk, named: the error of the system says neither whose disk nor what to do."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leitstand.errors import PreconditionFailed
from leitstand.words import msg

FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def named_when_full(folder: Path) -> Iterator[None]:
    """Work that writes into `folder`.

    Raises:
        PreconditionFailed: its disk (or the quota on it) is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise PreconditionFailed(
            msg("The disk of {folder} is full.", folder=folder),
            hint="Free some space or enlarge the disk, then run it again; what was begun is cleared away.",
        ) from error
