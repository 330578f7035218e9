"""Alembic's environment: one migration at a time, with lock and statement time limits."""

from alembic import context
from sqlalchemy import Connection, text

from leitstand.db.models import Base

ADVISORY_LOCK = 4_711_001


def _run(connection: Connection) -> None:
    connection.execute(text("SET lock_timeout = '3s'"))
    connection.execute(text("SET statement_timeout = '10min'"))
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
    connection.commit()
    try:
        context.configure(
            connection=connection, target_metadata=Base.metadata, include_object=_ours, compare_type=True
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
    finally:
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": ADVISORY_LOCK})
        connection.commit()


def _ours(item: object, name: str | None, kind: str, reflected: bool, compare_to: object) -> bool:
    """Leave alone what the queue, the partitions and Alembic itself own."""
    return not (
        kind == "table"
        and reflected
        and compare_to is None
        and name is not None
        and name.startswith(("event_p", "procrastinate_"))
    )


_run(context.config.attributes["connection"])
