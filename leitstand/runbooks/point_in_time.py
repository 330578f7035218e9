"""A restored PostgreSQL, looked at before anybody uses it: what it holds, and whether it is what was asked for."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import create_engine, make_url, text

from leitstand.backups import fingerprint, wal
from leitstand.db import migrate
from leitstand.db.cluster import SUPERUSER, give_away, set_passwords
from leitstand.errors import InvalidInput
from leitstand.runbooks.scratch import ScratchServer
from leitstand.settings import Settings
from leitstand.words import msg


@dataclass(frozen=True)
class Found:
    """What a restored cluster holds.

    Args:
        newest: its newest commit; None where recovery replayed none.
        revision: of its schema.
    """

    newest: datetime | None
    counts: dict[str, int]
    revision: str

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        newest = self.newest.isoformat() if self.newest else None
        return {"newest_commit": newest, "counts": self.counts, "revision": self.revision}


def try_out(server: ScratchServer, settings: Settings) -> Found:
    """Let it recover on a private socket, without an archive, look at it, and stop it properly.

    It is then ready to be used: it takes today's passwords (they may have been rotated since the instant), and the
    history of its new timeline will be archived.

    Raises:
        PreconditionFailed: it does not recover; the message holds what it said.
    """
    url = make_url(settings.database_url)
    server.start()
    engine = create_engine(server.url(str(url.database), str(url.username)), pool_size=1)
    try:
        with engine.begin() as connection:
            newest = connection.scalar(text("SELECT pg_last_xact_replay_timestamp()"))
            counts = fingerprint.counts(connection)
        found = Found(newest, counts, migrate.current(engine))
        if password := url.password:
            with psycopg.connect(server.conninfo("postgres", SUPERUSER)) as superuser:
                set_passwords(superuser, str(password))
    finally:
        engine.dispose()
        server.stop(graceful=True)
    archive_histories(server.data)
    return found


def archive_histories(data: Path) -> None:
    """Have the history of every timeline archived; PostgreSQL forgets one that begins while it does not archive.

    Without it in the archive, a later restore would begin the same timeline again, with another log under the same names.
    """
    status = data / "pg_wal" / "archive_status"
    for history in (data / "pg_wal").glob("*.history"):
        marks = [status / f"{history.name}.{word}" for word in ("ready", "done")]
        if wal.is_archived_name(history.name) and not any(mark.exists() for mark in marks):
            marks[0].touch(mode=0o600)
            give_away(marks[0])


def instant_of(to_time: str) -> datetime | None:
    """The instant that a parameter names, None where it names none; InvalidInput for one without an offset."""
    if not to_time:
        return None
    try:
        instant = datetime.fromisoformat(to_time)
    except ValueError as error:
        raise InvalidInput(
            msg("{to_time!r} is no instant.", to_time=to_time), hint="Write it as 2026-11-23T21:30:00+01:00."
        ) from error
    if instant.tzinfo is None:
        raise InvalidInput(
            msg("{to_time!r} has no offset.", to_time=to_time), hint="Write it as 2026-11-23T21:30:00+01:00."
        )
    return instant
