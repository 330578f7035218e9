"""Bring the schema to head, and say where it stands.

Alembic is imported by what migrates alone: every backup and every drill asks where the schema stands.
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, text

from leitstand.db import schema_history, vectors
from leitstand.db.migration_lock import PATIENCE_SECONDS, alone, letting_others_pass
from leitstand.errors import Conflict
from leitstand.words import N_, msg

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
CHECKOUT = Path(__file__).parent.parent.parent


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def upgrade(engine: Engine, revision: str = "head", *, patience: float = PATIENCE_SECONDS) -> None:
    """Apply every migration up to `revision`, each in a transaction of its own; nothing happens where it is there.

    Each waits at most three seconds for a lock, lets those pass who wait behind it, and tries again.

    Args:
        patience: seconds to wait for another migration, and for locks.

    Raises:
        Conflict: another migration, or a dump, is running.
        Unavailable: somebody holds a lock that it needs.
    """
    from alembic import command

    if current(engine) == (head() if revision == "head" else revision):
        return
    config = _config()
    with engine.connect() as connection, alone(connection, patience=patience):
        config.attributes["connection"] = connection
        letting_others_pass(connection, lambda: command.upgrade(config, revision), patience=patience)


def pending(engine: Engine) -> list[schema_history.Migration]:
    """The migrations that this code has and the database has not, the oldest first.

    Raises:
        Conflict: the database is further than this code, or of another line.
    """
    revision = current(engine)
    if not knows(revision):
        raise Conflict(
            msg("The database is at {revision}, which this release does not know.", revision=revision),
            hint=N_("A later release has migrated it: use that one, or one that came after it."),
        )
    known = schema_history.history(CHECKOUT)
    return schema_history.since(known, revision) if revision else known


def expand(engine: Engine, *, patience: float = PATIENCE_SECONDS) -> list[schema_history.Migration]:
    """Apply what is pending, if the release that still runs can go on meanwhile and afterwards; gives what was applied.

    An empty database has no such release: everything is applied.

    Raises:
        Conflict: one of them contracts, another migration or a dump is running, or the database is further.
        Unavailable: somebody holds a lock that it needs.
    """
    found = pending(engine)
    contracting = [one for one in found if one.contracts] if current(engine) else []
    if contracting:
        raise Conflict(
            msg(
                "{revision} contracts the schema: {narrows}.",
                revision=contracting[0].revision,
                narrows="; ".join(contracting[0].narrows),
            ),
            hint=N_(
                "Release what only expands first. When no earlier release runs any more: `leitstand migrate up --contract`."
            ),
        )
    upgrade(engine, patience=patience)
    return found


def head() -> str:
    """The newest revision that this code knows."""
    return _revisions()[0]


def knows(revision: str) -> bool:
    """Whether this code has the migration that leads to `revision`; the empty one is no migration."""
    return not revision or revision in _revisions()


@lru_cache(maxsize=1)
def _revisions() -> tuple[str, ...]:
    """Every revision, the newest first."""
    from alembic.script import ScriptDirectory

    return tuple(one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions())


def current(engine: Engine) -> str:
    """The revision that the database is at, empty where it was never migrated."""
    with engine.connect() as connection:
        if connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
            return ""
        return connection.scalar(text("SELECT version_num FROM alembic_version")) or ""


def differences(engine: Engine) -> list[object]:
    """What the models say and the migrated schema does not (empty when they agree)."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from leitstand.db.models import Base

    with engine.connect() as connection:
        migration_context = MigrationContext.configure(
            connection, opts={"include_object": ours, "compare_type": True}
        )
        return list(compare_metadata(migration_context, Base.metadata))


def ours(_: object, name: str | None, kind: str, reflected: bool, compare_to: object) -> bool:
    """What is compared with the models: not what the queue, the partitions and pgvector have in the database alone."""
    if not reflected or compare_to is not None or name is None:
        return True
    return not (
        (kind == "table" and name.startswith(("event_p", "procrastinate_")))
        or (kind == "index" and name.startswith(vectors.INDEXES))
    )


def new_revision(engine: Engine, message: str) -> None:
    """Write a migration from the difference between models and schema (for developers)."""
    from alembic import command

    config = _config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.revision(config, message=message, autogenerate=True)
