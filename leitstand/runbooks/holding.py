"""One drill or runbook at a time: a file lock on this machine and, where the database answers, its lock as well.

The file lock is what remains on the worst day. Both go with the process that holds them.
"""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from leitstand.db.exclusive import check_held, exclusive
from leitstand.errors import Conflict
from leitstand.runbooks.pending import evidence_folder
from leitstand.settings import Settings
from leitstand.words import N_, msg, said

LOCK = N_("restore drill")
FILE = "lock"


@dataclass(frozen=True)
class Held:
    """The lock that is held.

    Args:
        connection: the one that holds the database's lock; None where the database did not answer.
    """

    connection: Connection | None

    @property
    def database(self) -> bool:
        """Whether the database answered when the lock was taken."""
        return self.connection is not None

    def check(self) -> None:
        """Make sure that the database's lock was not lost meanwhile.

        Raises:
            Unavailable: it was.
        """
        if self.connection is not None:
            check_held(self.connection, LOCK)


@contextmanager
def one_at_a_time(engine: Engine, settings: Settings, *, need_database: bool = False) -> Iterator[Held]:
    """Hold the lock of drills and runbooks.

    Raises:
        Conflict: another one is running.
        OperationalError: the database does not answer, and `need_database`.
    """
    with file_lock(settings), ExitStack() as stack:
        connection = None
        try:
            connection = stack.enter_context(exclusive(engine, LOCK))
        except OperationalError:
            if need_database:
                raise
        yield Held(connection)


@contextmanager
def file_lock(settings: Settings) -> Iterator[None]:
    """Hold this machine's part of the lock.

    Raises:
        Conflict: another process of this machine holds it.
    """
    with (evidence_folder(settings) / FILE).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                msg("Another {name} is running.", name=said(LOCK)),
                hint="Wait until it has ended; a runbook and a notebook that is open by itself count as one.",
            ) from None
        yield
