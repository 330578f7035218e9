"""Engine and transactions. One request, task or command is one transaction, opened and committed here."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from psycopg import Cursor
from sqlalchemy import Compiled, Engine, Select, create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from leitstand.settings import Settings, get_settings

# A statement that runs longer than this in a request is a fault, not patience.
STATEMENT_TIMEOUT_MS = 30_000
LOCK_TIMEOUT_MS = 3_000


def make_engine(
    settings: Settings,
    *,
    statement_timeout_ms: int = STATEMENT_TIMEOUT_MS,
    application: str = "leitstand",
    read_only: bool = False,
) -> Engine:
    """An engine with pooled, health-checked connections, in UTC, with lock and statement time limits."""
    options = f"-c timezone=UTC -c lock_timeout={LOCK_TIMEOUT_MS} -c statement_timeout={statement_timeout_ms}"
    if read_only:
        options += " -c default_transaction_read_only=on"
    return create_engine(
        settings.database_url,
        pool_size=settings.database_pool_size,
        max_overflow=settings.database_pool_size,
        pool_pre_ping=True,
        connect_args={"options": options, "application_name": application, "connect_timeout": 5},
    )


@lru_cache(maxsize=1)
def get_engine() -> Engine:
    """The engine of this process, made at first use."""
    return make_engine(get_settings())


@contextmanager
def transaction(engine: Engine | None = None) -> Iterator[Session]:
    """A session whose work is committed when the block ends and rolled back when it raises."""
    with Session(engine or get_engine(), expire_on_commit=False) as session:
        yield session
        session.commit()


def for_driver(query: Select[Any]) -> Compiled:
    """A query as `driver_cursor` takes it, to be kept: what SQLAlchemy does around one costs as much as asking it."""
    return query.compile(dialect=postgresql.dialect(paramstyle="pyformat"))  # type: ignore[no-untyped-call]


def driver_cursor(session: Session) -> Cursor[Any]:
    """A psycopg cursor inside the session's transaction."""
    cursor: Cursor[Any] = session.connection().connection.cursor()  # type: ignore[assignment]
    return cursor
