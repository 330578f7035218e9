"""One backup of a kind, one drill, one copier at a time: an advisory lock that the server drops with the connection.

So a killed process never leaves a lock behind, and who gets the lock knows that no other is at work. The server needs a
moment to see that the connection of a killed process is gone: who asks in that moment waits for it.
"""

import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from leitstand.errors import Conflict, Unavailable
from leitstand.words import N_, msg, said

LOCK_CLASS = 4_711_002
# Held by a migration and by a dump, so that neither runs during the other.
SCHEMA = N_("migration or dump")
PATIENCE_SECONDS = 1.0
EVERY_SECONDS = 0.05


@contextmanager
def exclusive(engine: Engine, name: str) -> Iterator[Connection]:
    """Hold the lock `name` on the connection that is given; work that lasts hours is fine.

    Raises:
        Conflict: another process holds it.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        if not _taken(connection, name):
            raise Conflict(
                msg("Another {name} is running.", name=said(name)),
                hint="Wait until it has ended; `leitstand backup list`, `leitstand drill list` and `leitstand flow list` show what runs.",
            )
        try:
            yield connection
        finally:
            # The next one need not wait until the server notices that the connection is gone.
            with suppress(SQLAlchemyError):
                connection.execute(text("SELECT pg_advisory_unlock(:class, :key)"), _arguments(name))
            # The connection goes back to the pool with the server's limits as they were, or not at all.
            connection.invalidate()


def _taken(connection: Connection, name: str) -> bool:
    """Try for a moment to get the lock; whether it is ours."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:class, :key)"), _arguments(name)):
        if time.monotonic() > until:
            return False
        time.sleep(EVERY_SECONDS)
    return True


def check_held(connection: Connection, name: str) -> None:
    """Make sure that the lock was not lost with a broken connection.

    Raises:
        Unavailable: it was: another process may have begun the same work.
    """
    held = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid() AND classid = :class AND objid = :key"
    arguments = {**_arguments(name), "key": _arguments(name)["key"] & 0xFFFFFFFF}
    try:
        still = connection.scalar(text(held), arguments) is not None
    except DBAPIError:
        still = False
    if not still:
        raise Unavailable(
            msg("The lock of this {name} was lost with its connection to the database.", name=said(name)),
            hint="Run it again.",
        )


def is_held(session: Session, name: str) -> bool:
    """Whether anybody holds the lock `name` of this database now."""
    held = """
        SELECT EXISTS (
            SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = :classid AND objid = :objid
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        )
    """
    return bool(session.scalar(text(held), place_in_locks(name)))


def try_hold(connection: Connection, name: str) -> bool:
    """Take the lock `name` for this connection's session, for who has more to do than to give up at once."""
    return bool(connection.scalar(text("SELECT pg_try_advisory_lock(:class, :key)"), _arguments(name)))


def place_in_locks(name: str) -> dict[str, int]:
    """Where `pg_locks` shows the lock `name`: its `classid` and `objid`."""
    return {"classid": LOCK_CLASS, "objid": _arguments(name)["key"] & 0xFFFFFFFF}


def _arguments(name: str) -> dict[str, int]:
    return {"class": LOCK_CLASS, "key": zlib.crc32(name.encode()) - 0x8000_0000}
