"""Alembic's environment: each migration in a transaction of its own; `leitstand.db.migrate` gives the connection."""

from alembic import context
from sqlalchemy import Connection

from leitstand.db.migrate import ours
from leitstand.db.models import Base


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_object=ours,
        compare_type=True,
        # What was done stays done when a later one has to wait for its locks.
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()


_run(context.config.attributes["connection"])
