"""What of a suite a database can be asked: the queries of our own kinds made, and what it does not have skipped."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from leitstand.checks.database import Database
from leitstand.checks.files import Suite
from leitstand.checks.queries import query_of
from leitstand.checks.violations import EXAMPLES, safe
from leitstand.db.models import Base

QUERY = "unexpected_rows_query"
COLUMN_ARGUMENTS = ("column", "column_A", "column_B")


@dataclass
class Planned:
    """One suite on one database.

    Args:
        expectations: as Great Expectations takes them.
        queries: those of our own kinds, by the check's name.
        settled: the answers of checks that are not asked: skipped, or impossible to decide.
        keys: the columns of the table's primary key.
    """

    suite: Suite
    keys: tuple[str, ...]
    expectations: list[dict[str, Any]] = field(default_factory=list)
    queries: dict[str, str] = field(default_factory=dict)
    settled: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """One check's answer in our own words."""
        result = found["result"]
        listed = result.get("partial_unexpected_index_list") or []
        return self._line(
            found["expectation_config"]["meta"],
            success=bool(found["success"]),
            unexpected=result.get("unexpected_count") or _number(result.get("observed_value")),
            examples=[
                {key: safe(key, row[key]) for key in self.keys if key in row} for row in listed[:EXAMPLES]
            ],
            error=_error(found["exception_info"]),
        )

    def settle(self, meta: Mapping[str, Any], *, error: str = "", skipped: str = "") -> None:
        """Keep that a check can't be asked."""
        self.settled.append(self._line(meta, success=not error, error=error, skipped=skipped))

    def _line(
        self,
        meta: Mapping[str, Any],
        *,
        success: bool,
        unexpected: int = 0,
        examples: list[dict[str, str]] | None = None,
        error: str = "",
        skipped: str = "",
    ) -> dict[str, Any]:
        return {
            "name": meta["name"], "suite": self.suite.name, "table": self.suite.table, "says": meta["says"],
            "success": success, "unexpected": unexpected, "examples": examples or [], "error": error,
            "skipped": skipped,
        }  # fmt: skip


def plan(connection: Connection, suite: Suite, database: Database) -> Planned:
    """What to ask of a suite.

    A database of an older revision lacks tables and columns by nature: such checks are skipped. One of this revision
    does not: there they fail.
    """
    planned = Planned(suite, database.keys.get(suite.table) or _keys(suite.table))
    for expectation in suite.expectations:
        kind, kwargs, meta = expectation["type"], expectation["kwargs"], expectation["meta"]
        query = query_of(kind, kwargs, suite.table, database)
        lacking = _lacking(connection, query) if query else _lacking_columns(suite.table, kwargs, database)
        if lacking and database.is_older:
            planned.settle(meta, skipped=f"The database is of revision {database.revision}: {lacking}.")
        elif lacking:
            planned.settle(meta, error=lacking)
        elif query == "":
            planned.settle(
                meta, skipped=f"The database is of revision {database.revision}: nothing to look at."
            )
        elif query is None:
            planned.expectations.append(_on_one_column(expectation))
        else:
            planned.queries[meta["name"]] = query
            planned.expectations.append({"type": kind, "kwargs": {QUERY: query}, "meta": meta})
    return planned


def _keys(table: str) -> tuple[str, ...]:
    """Of a table that has lost its primary key: what the models say."""
    known = Base.metadata.tables.get(table)
    return () if known is None else tuple(column.name for column in known.primary_key)


def _on_one_column(expectation: dict[str, Any]) -> dict[str, Any]:
    """A condition on several columns goes by the first of them, so that all of a table take one pass."""
    kwargs = dict(expectation["kwargs"])
    if "column_list" in kwargs:
        kwargs["column"] = kwargs.pop("column_list")[0]
    return {**expectation, "kwargs": kwargs}


def _lacking(connection: Connection, query: str) -> str:
    """What a query needs and the database does not have; empty where it can be asked."""
    try:
        with connection.begin_nested():
            connection.execute(text(f"EXPLAIN {query}"))
    except ProgrammingError as error:
        return str(error.orig).split("\n")[0]
    return ""


def _lacking_columns(table: str, kwargs: Mapping[str, Any], database: Database) -> str:
    wanted = {kwargs[name] for name in COLUMN_ARGUMENTS if name in kwargs} | {*kwargs.get("column_list", ())}
    if table not in database.tables:
        return f'relation "{table}" does not exist'
    absent = sorted(wanted - database.columns[table])
    return f'column "{absent[0]}" does not exist' if absent else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _error(problem: Mapping[str, Any]) -> str:
    """The first line of what was raised; Great Expectations gives one such object, or one a metric."""
    found = problem if "raised_exception" in problem else next(iter(problem.values()), {})
    return str(found.get("exception_message") or "").split("\n")[0] if found.get("raised_exception") else ""
