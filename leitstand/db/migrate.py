"""Bring the schema to head, and say where it stands.

Alembic is imported by what migrates alone: every backup and every drill asks where the schema stands.
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, text

from leitstand.db import vectors
from leitstand.db.migration_lock import PATIENCE_SECONDS, alone, letting_others_pass

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"


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
