"""A statement of SQLAlchemy as Spark SQL understands it.

Its dialect is PostgreSQL's with these differences. Ids are 16 bytes, instants are without a zone (UTC), as in the parts of
the copy. Strings compare by code point, whatever collation a statement names.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BinaryExpression, Date, DateTime, Select, String, Table, Uuid
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGDialect, PGIdentifierPreparer, PGTypeCompiler
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import CollectionAggregate
from sqlalchemy.sql.sqltypes import NullType
from sqlalchemy.sql.visitors import iterate

from leitstand.insights.columnar.dialect import Question
from leitstand.insights.local_time import LocalHour, LocalTime, moved

HOUR_US = 3_600_000_000
# Where the hyphens of a UUID's text go: between these pieces of its digits, from 1.
PIECES = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))


class SparkTypes(PGTypeCompiler):
    """The names of types."""

    def visit_text(self, type_: Any, **options: Any) -> str:
        return "STRING"

    visit_string = visit_unicode = visit_text

    def visit_float(self, type_: Any, **options: Any) -> str:
        """Always of eight bytes, as PostgreSQL's."""
        return "DOUBLE"

    visit_double = visit_float

    def visit_uuid(self, type_: Any, **options: Any) -> str:
        return "BINARY"

    def visit_datetime(self, type_: Any, **options: Any) -> str:
        return "TIMESTAMP_NTZ"

    def visit_ARRAY(self, type_: Any, **options: Any) -> str:  # noqa: N802 - SQLAlchemy's name
        return f"ARRAY<{self.process(type_.item_type, **options)}>"


class SparkNames(PGIdentifierPreparer):
    """Names in backticks."""

    def __init__(self, dialect: Any) -> None:
        super().__init__(dialect, initial_quote="`")


class SparkCompiler(PGCompiler):
    """What Spark writes otherwise."""

    volatile = False

    def visit_table(self, table: Any, *positional: Any, **options: Any) -> str:
        """A view of the workspace's rows, under the table's name."""
        name = str(super().visit_table(table, *positional, **options))  # type: ignore[no-untyped-call]
        if not (options.get("asfrom") or any(positional[:1])):
            return name
        views: dict[str, str] = getattr(self.dialect, "views")  # noqa: B009 - a dialect of ours
        return f"{views.get(table.name, name)} AS {name}"

    def visit_bindparam(self, bindparam: Any, *positional: Any, **options: Any) -> str:
        """A parameter; instants have no zone."""
        written = str(super().visit_bindparam(bindparam, *positional, **options))  # type: ignore[no-untyped-call]
        return f"CAST({written} AS TIMESTAMP_NTZ)" if isinstance(bindparam.type, DateTime) else written

    def render_bind_cast(self, type_: Any, dbapi_type: Any, sqltext: str) -> str:
        """Parameters have the type of their value."""
        return sqltext

    def visit_now_func(self, function: Any, **options: Any) -> str:
        """The instant of the question, in UTC; its answer holds for now only."""
        self.volatile = True
        return "CAST(now() AS TIMESTAMP_NTZ)"

    def visit_extract(self, extract: Any, **options: Any) -> str:
        """Seconds between two instants."""
        between = getattr(extract.expr, "element", extract.expr)
        ends = [micros(self.process(end, **options)) for end in (between.left, between.right)]
        return f"(({' - '.join(ends)}) / 1000000.0D)"

    def visit_unnest_func(self, function: Any, **options: Any) -> str:
        return f"LATERAL explode({self.process(function.clauses, **options)})"

    def visit_array_position_func(self, function: Any, **options: Any) -> str:
        """Spark says 0 where PostgreSQL says NULL."""
        return f"nullif(array_position({self.process(function.clauses, **options)}), 0)"

    def visit_sum_func(self, function: Any, **options: Any) -> str:
        """A sum in an order is that of a sorted list: in no other is a sum of floats the same to the last bit."""
        (summed, *_) = function.clauses
        if not isinstance(summed, aggregate_order_by):
            return f"sum({self.process(function.clauses, **options)})"
        order, value = (self.process(part, **options) for part in (summed.order_by, summed.target))
        ordered = f"array_sort(collect_list(struct({order}, {value} AS summed)))"
        return f"aggregate({ordered}, 0.0D, (total, each) -> total + each.summed)"

    def visit_cast(self, cast: Any, **options: Any) -> str:
        """A UUID's text is its digits with hyphens."""
        if isinstance(cast.clause.type, Uuid) and isinstance(cast.type, String):
            digits = f"lower(hex({self.process(cast.clause, **options)}))"
            pieces = [f"substring({digits}, {begin}, {length})" for begin, length in PIECES]
            return f"concat_ws('-', {', '.join(pieces)})"
        return str(super().visit_cast(cast, **options))  # type: ignore[no-untyped-call]

    def visit_binary(self, binary: BinaryExpression[Any], *positional: Any, **options: Any) -> str:
        left, right = binary.left, binary.right
        if binary.operator is operators.collate:
            return self.process(left, **options)
        if isinstance(right, CollectionAggregate):
            return (
                f"array_contains({self.process(right.element, **options)}, {self.process(left, **options)})"
            )
        if binary.operator is operators.sub and _days(left, right):
            return f"datediff({self.process(left, **options)}, {self.process(right, **options)})"
        return str(super().visit_binary(binary, *positional, **options))  # type: ignore[no-untyped-call]


@compiles(LocalTime, "spark")
def _time(element: LocalTime, compiler: Any, **options: Any) -> str:
    instant, offset = _instant_and_offset(element, compiler, options)
    return f"CAST(timestamp_micros({instant} + {offset}) AS TIMESTAMP_NTZ)"


@compiles(LocalHour, "spark")
def _hour(element: LocalHour, compiler: Any, **options: Any) -> str:
    instant, offset = _instant_and_offset(element, compiler, options)
    begun = f"({instant} + {offset}) - pmod({instant} + {offset}, {HOUR_US})"
    return f"CAST(timestamp_micros({begun} - {offset}) AS TIMESTAMP_NTZ)"


def _instant_and_offset(element: Any, compiler: Any, options: dict[str, Any]) -> tuple[str, str]:
    _, instant = element.clauses
    written = micros(compiler.process(instant, **options))
    return written, moved(element.zone, written, compiler.dialect.bounds)


class SparkDialect(PGDialect):
    """Compiles statements; it connects to nothing.

    Args:
        bounds: the instants between which all data lies.
        views: of each table the view that stands for it.
    """

    name = "spark"
    statement_compiler = SparkCompiler
    type_compiler_cls = SparkTypes
    preparer: Any = SparkNames
    supports_statement_cache = False

    def __init__(self, bounds: tuple[datetime, datetime], views: dict[str, str]) -> None:
        super().__init__(paramstyle="named")  # type: ignore[no-untyped-call]
        self.bounds = bounds
        self.views = views


def _days(left: Any, right: Any) -> bool:
    """Whether a difference is one of days; what a window function gives has no type of its own."""
    types = {type(left.type), type(right.type)}
    return Date in types and types <= {Date, NullType}


def micros(instant: str) -> str:
    """Microseconds from 1970 (UTC) to an instant; the session's zone is UTC."""
    return f"unix_micros(CAST({instant} AS TIMESTAMP_LTZ))"


def type_name(type_: Any) -> str:
    """Spark's name of a column's type."""
    return str(SparkTypes(PGDialect()).process(type_))  # type: ignore[no-untyped-call]


def compiled(statement: Select[Any], bounds: tuple[datetime, datetime], views: dict[str, str]) -> Question:
    """A statement with the names and values of its parameters."""
    done = statement.compile(dialect=SparkDialect(bounds, views), compile_kwargs={"render_postcompile": True})
    if not isinstance(done, SparkCompiler):
        raise TypeError(f"{type(done).__name__} is no question")
    parameters = tuple((name, _native(value)) for name, value in done.construct_params().items())
    tables = {element.name for element in iterate(statement) if isinstance(element, Table)}
    names = tuple(statement.selected_columns.keys())
    return Question(str(done), parameters, names, frozenset(tables), done.volatile)


def _native(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return value.bytes if isinstance(value, UUID) else value
