"""What an image says of the database: `leitstand release facts WHAT`, run in that image."""

from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.backups.catalogue import last_proven, newest_complete
from leitstand.backups.conditions import conditions
from leitstand.db import migrate
from leitstand.db.engine import transaction
from leitstand.db.exclusive import SCHEMA, is_held
from leitstand.releases.preflight import Facts
from leitstand.settings import Settings

HOUR = 3600


def schema_facts(engine: Engine) -> Facts:
    """Where the schema stands, as this code sees it; asked of the new image, whose models the database may not fit yet."""
    revision = migrate.current(engine)
    if not migrate.knows(revision):
        return Facts(revision, unknown=True)
    pending = migrate.pending(engine)
    contracting = tuple(one.revision for one in pending if one.contracts) if revision else ()
    with transaction(engine) as session:
        migrating = is_held(session, SCHEMA)
    return Facts(revision, tuple(one.revision for one in pending), contracting, migrating=migrating)


def backup_facts(engine: Engine, settings: Settings) -> Facts:
    """How old backup and proof are, and what is wrong; asked of the image that serves, whose models the database fits."""
    now = datetime.now(UTC)
    with transaction(engine) as session:
        return Facts(
            migrate.current(engine),
            backup_hours=_newest(session, now),
            proof_hours=_hours(last_proven(session), now),
            conditions=tuple(one.name for one in conditions(session, settings, now=now)),
        )


def _newest(session: Session, now: datetime) -> float | None:
    found = newest_complete(session, "postgres")
    return _hours(found.finished_at if found else None, now)


def _hours(at: datetime | None, now: datetime) -> float | None:
    return round((now - at).total_seconds() / HOUR, 2) if at else None
