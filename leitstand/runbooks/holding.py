"""One drill or runbook at a time: a file lock on this machine and, where the database answers, its lock as well.

The file lock is what remains on the worst day. Both go with the process that holds them.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from leitstand.db.exclusive import check_held, exclusive
from leitstand.errors import Conflict
from leitstand.machine_lock import alone
from leitstand.runbooks.pending import evidence_folder
from leitstand.settings import Settings
from leitstand.words import N_, msg, said

LOCK = N_("restore drill")
FILE = "lock"
EVERY_SECONDS = 0.5


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
def one_at_a_time(
    engine: Engine, settings: Settings, *, need_database: bool = False, patience: float = 0.0
) -> Iterator[Held]:
    """Hold the lock of drills and runbooks.

    Args:
        patience: seconds to wait for another one to end.

    Raises:
        Conflict: another one is running.
        OperationalError: the database does not answer, and `need_database`.
    """
    with ExitStack() as stack:
        until = time.monotonic() + patience
        while True:
            try:
                held = _take(stack, engine, settings, need_database)
                break
            except Conflict:
                if time.monotonic() >= until:
                    raise
                time.sleep(EVERY_SECONDS)
        yield held


def _take(stack: ExitStack, engine: Engine, settings: Settings, need_database: bool) -> Held:
    """Both parts of the lock, given back with `stack`; neither where one of them is taken."""
    with ExitStack() as taken:
        taken.enter_context(file_lock(settings))
        connection = None
        try:
            connection = taken.enter_context(exclusive(engine, LOCK))
        except OperationalError:
            if need_database:
                raise
        stack.enter_context(taken.pop_all())
        return Held(connection)


@contextmanager
def file_lock(settings: Settings) -> Iterator[None]:
    """Hold this machine's part of the lock.

    Raises:
        Conflict: another process of this machine holds it.
    """
    with alone(evidence_folder(settings) / FILE) as free:
        if not free:
            raise Conflict(
                msg("Another {name} is running.", name=said(LOCK)),
                hint="Wait until it has ended; a runbook and a notebook that is open by itself count as one.",
            )
        yield
