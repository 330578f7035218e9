"""Bring the schema to head, and say where it stands."""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from leitstand.db.exclusive import SCHEMA, exclusive

MIGRATIONS = Path(__file__).parent / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Apply every migration up to `revision`; nothing happens where it is already there.

    Raises:
        Conflict: the database is being dumped or migrated.
    """
    config = _config()
    if current(engine) == (head() if revision == "head" else revision):
        return
    with exclusive(engine, SCHEMA), engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def head() -> str:
    """The newest revision that this code knows."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def current(engine: Engine) -> str:
    """The revision that the database is at, empty where it was never migrated."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() or ""


def differences(engine: Engine) -> list[object]:
    """What the models say and the migrated schema does not (empty when they agree)."""
    from leitstand.db.models import Base

    def ours(_: object, name: str | None, kind: str, reflected: bool, compare_to: object) -> bool:
        return not (
            kind == "table"
            and reflected
            and compare_to is None
            and str(name).startswith(("event_p", "procrastinate_"))
        )

    with engine.connect() as connection:
        migration_context = MigrationContext.configure(
            connection, opts={"include_object": ours, "compare_type": True}
        )
        return list(compare_metadata(migration_context, Base.metadata))


def new_revision(engine: Engine, message: str) -> None:
    """Write a migration from the difference between models and schema (for developers)."""
    config = _config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.revision(config, message=message, autogenerate=True)
