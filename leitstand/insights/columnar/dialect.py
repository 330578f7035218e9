"""A statement of SQLAlchemy as DuckDB understands it.

DuckDB's SQL is PostgreSQL's with few differences, so that its dialect is PostgreSQL's with these: parameters are numbered,
`now()` is an instant without a zone as all the copy's instants are, and local time is computed (see `local_time`).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, Table
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGDialect
from sqlalchemy.sql.visitors import iterate


class DuckDBCompiler(PGCompiler):
    """What DuckDB writes otherwise."""

    volatile = False

    def visit_now_func(self, function: Any, **options: Any) -> str:
        """The instant of the question, in UTC; its answer holds for now only."""
        self.volatile = True
        return "CAST(now() AT TIME ZONE 'UTC' AS TIMESTAMP)"


class DuckDBDialect(PGDialect):
    """Compiles statements; it connects to nothing.

    Args:
        bounds: the instants between which all data lies.
    """

    name = "duckdb"
    statement_compiler = DuckDBCompiler
    supports_statement_cache = False

    def __init__(self, bounds: tuple[datetime, datetime]) -> None:
        super().__init__(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
        self.bounds = bounds


@dataclass(frozen=True)
class Question:
    """A statement for DuckDB.

    Args:
        names: of its columns.
        tables: those that it reads.
        volatile: whether its answer depends on the clock.
    """

    sql: str
    parameters: tuple[Any, ...]
    names: tuple[str, ...]
    tables: frozenset[str]
    volatile: bool


def compiled(statement: Select[Any], bounds: tuple[datetime, datetime]) -> Question:
    """A statement with its parameters in order."""
    done = statement.compile(dialect=DuckDBDialect(bounds), compile_kwargs={"render_postcompile": True})
    if not isinstance(done, DuckDBCompiler):
        raise TypeError(f"{type(done).__name__} is no question")
    named = done.construct_params()
    parameters = tuple(_native(named[name]) for name in done.positiontup or ())
    tables = {element.name for element in iterate(statement) if isinstance(element, Table)}
    return Question(
        str(done), parameters, tuple(statement.selected_columns.keys()), frozenset(tables), done.volatile
    )


def _native(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    return value
