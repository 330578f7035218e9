"""One migration at a time, and none that holds up the service: who waits, how long, and for whom."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from leitstand.db.exclusive import SCHEMA, place_in_locks, try_hold
from leitstand.errors import Conflict, Unavailable
from leitstand.words import N_, msg, said

ADVISORY_LOCK = 4_711_001
APPLICATION = "leitstand-migration"
PATIENCE_SECONDS = 120.0
POLL_SECONDS = 0.5
# While it waits for its lock, everybody who comes later waits behind it: so it lets them pass in between.
LOCK_TIMEOUT = "3s"
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 3.0
# A server notices within this that the machine of a lock's owner is gone; a killed process it notices at once.
KEEPALIVE = {"tcp_keepalives_idle": 30, "tcp_keepalives_interval": 10, "tcp_keepalives_count": 3}
HOLDER = text("""
    SELECT pid, application_name, to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS since
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted
    AND ((objid = :key AND objsubid = 1) OR (classid = :classid AND objid = :objid AND objsubid = 2))
    AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")
# Who holds anything of this database's tables, the longest first.
HOLDERS = text("""
    SELECT pid, application_name, state, extract(epoch FROM now() - xact_start)::int AS seconds
    FROM pg_stat_activity AS one
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start < now() - interval '2 s'
    AND EXISTS (SELECT 1 FROM pg_locks WHERE pg_locks.pid = one.pid AND locktype = 'relation' AND granted)
    ORDER BY xact_start LIMIT 3
""")


@contextmanager
def alone(connection: Connection, *, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Hold the locks of migrations on this connection, with the time limits that a migration works under.

    Raises:
        Conflict: another migration or a dump holds one, still after `patience` seconds.
    """
    for name, value in {**KEEPALIVE, "statement_timeout": "10min", "lock_timeout": LOCK_TIMEOUT}.items():
        connection.execute(
            text("SELECT set_config(:name, :value, false)"), {"name": name, "value": str(value)}
        )
    connection.execute(text("SELECT set_config('application_name', :name, false)"), {"name": APPLICATION})
    connection.commit()
    try:
        _wait_for_lock(connection, patience)
        yield
    finally:
        with suppress(SQLAlchemyError):  # a lost connection has dropped it
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock_all()"))
            connection.commit()
        # Back to the pool with the server's own limits, or not at all.
        connection.invalidate()


def letting_others_pass(
    connection: Connection, work: Callable[[], None], *, patience: float = PATIENCE_SECONDS
) -> None:
    """Do `work` until it gets its locks, each time waiting no longer than `LOCK_TIMEOUT` for one.

    Args:
        work: can be done again; what it has committed stays.

    Raises:
        Unavailable: somebody holds a lock for longer than `patience` seconds; it says who.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            work()
        except OperationalError as error:
            connection.rollback()
            if not isinstance(error.orig, LockNotAvailable):
                raise
            if time.monotonic() >= deadline:
                raise _blocked(connection) from error
        else:
            return
        time.sleep(random.uniform(SHORTEST_PAUSE, LONGEST_PAUSE))  # noqa: S311 - spreads tries, no secret


def _wait_for_lock(connection: Connection, patience: float) -> None:
    deadline = time.monotonic() + patience
    while not _try_lock(connection):
        if time.monotonic() >= deadline:
            raise _held(connection)
        time.sleep(POLL_SECONDS)


def _try_lock(connection: Connection) -> bool:
    """The migrations' own, and the one that dumps take as well: both or neither."""
    own = {"key": ADVISORY_LOCK}
    got = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), own))
    if got and not try_hold(connection, SCHEMA):
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), own)
        got = False
    connection.commit()
    return got


def _held(connection: Connection) -> Conflict:
    holder = connection.execute(HOLDER, {"key": ADVISORY_LOCK, **place_in_locks(SCHEMA)}).first()
    connection.rollback()
    return Conflict(
        msg(
            "Another {name} is running: its lock is held by pid {pid} ({application}, connected since {since} UTC).",
            name=said(SCHEMA),
            pid=holder.pid,
            application=holder.application_name,
            since=holder.since,
        )
        if holder
        else msg("Another {name} is running: its lock is held.", name=said(SCHEMA)),
        hint=N_("Wait until it has ended; if its process hangs, end it: the lock goes with its connection."),
    )


def _blocked(connection: Connection) -> Unavailable:
    holders = connection.execute(HOLDERS).all()
    connection.rollback()
    who = "; ".join(
        f"pid {one.pid} ({one.application_name or 'unnamed'}, {one.state}, {one.seconds} s)"
        for one in holders
    )
    return Unavailable(
        msg("The migration does not get its locks; open transactions: {who}.", who=who)
        if who
        else N_("The migration does not get its locks; no transaction is open any more."),
        hint=N_(
            "Wait for the dump, or end what hangs; then run it again. Nothing was half done, the service went on."
        ),
    )
