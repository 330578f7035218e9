"""Our own kinds of expectations as SQL that finds the rows that violate them."""

from collections.abc import Mapping
from typing import Any

from leitstand.checks import references
from leitstand.checks.database import Database
from leitstand.db.models import Base
from leitstand.errors import InvalidInput
from leitstand.words import msg

BATCH = "{batch}"


def query_of(kind: str, kwargs: Mapping[str, Any], table: str, database: Database) -> str | None:
    """The query of an expectation of ours on its table; None for one that is decided by its columns.

    Empty where the database (of an older revision) has nothing to look at.

    Raises:
        InvalidInput: an argument is missing.
    """
    found = _query_of(kind, kwargs, table, database)
    # Great Expectations would put its own subquery there, without room for an alias.
    return found.replace(BATCH, table) if found else found


def _query_of(kind: str, kwargs: Mapping[str, Any], table: str, database: Database) -> str | None:
    try:
        if kind == "expect_references_to_hold":
            return references.query(Base.metadata, table, kwargs.get("also", {}), database.columns)
        if kind == "expect_sequences_to_be_ahead":
            return _sequences(database.sequences.get(table, {}))
        if kind == "expect_numbers_to_follow_time":
            return _in_time(**kwargs)
        if kind == "expect_numbers_without_gaps":
            return _without_gaps(**kwargs)
        if kind == "expect_figures_to_reconcile":
            return _reconciled(**kwargs)
        return str(kwargs["query"]) if kind == "expect_query_to_find_nothing" else None
    except (KeyError, TypeError) as error:
        raise InvalidInput(
            msg(
                "{kind} of {table} has other arguments than it takes: {error}.",
                kind=kind,
                table=table,
                error=error,
            )
        ) from error


def _sequences(found: Mapping[str, str]) -> str:
    """A sequence that stands behind the numbers that were given makes every insert fail."""
    if not found:
        return f"SELECT 'there is no sequence' AS sequence, count(*) AS rows FROM {BATCH}"  # noqa: S608
    return " UNION ALL ".join(
        f"SELECT '{column}' AS sequence, highest, given FROM (SELECT (SELECT max({column}) FROM {BATCH}) AS highest, "  # noqa: S608
        f"(SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM {sequence}) AS given) AS it WHERE highest > given"
        for column, sequence in sorted(found.items())
    )


def _in_time(column: str, time: str, tolerance_minutes: int) -> str:
    """Numbers are drawn in the order of time, but for transactions that overlap."""
    return (
        f"SELECT {column}, {time}, latest_before FROM (SELECT {column}, {time}, max({time}) OVER (ORDER BY {column} "  # noqa: S608
        f"ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS latest_before FROM {BATCH}) AS numbered "
        f"WHERE {time} < latest_before - interval '{int(tolerance_minutes)} minutes'"
    )


def _without_gaps(column: str, within: list[str], first: int) -> str:
    keys = ", ".join(within)
    return (
        f"SELECT {keys}, min({column}) AS lowest, max({column}) AS highest, count(*) AS rows FROM {BATCH} "  # noqa: S608
        f"GROUP BY {keys} HAVING min({column}) <> {int(first)} OR max({column}) <> count(*) + {int(first) - 1}"
    )


def _reconciled(key: list[str], figures: list[str], kept: str, counted: str, unless: str = "") -> str:
    """What is kept beside what is counted afresh; `unless` names rows of `compared` that another check looks at."""
    pairs = ", ".join(
        f"kept.{figure} AS kept_{figure}, counted.{figure} AS counted_{figure}" for figure in figures
    )
    differ = " OR ".join(f"kept_{figure} IS DISTINCT FROM counted_{figure}" for figure in figures)
    left_out = f" AND NOT ({unless})" if unless else ""
    return (
        f"SELECT * FROM (SELECT {', '.join(key)}, {pairs} FROM ({kept}) AS kept FULL JOIN ({counted}) AS counted "  # noqa: S608
        f"USING ({', '.join(key)})) AS compared WHERE ({differ}){left_out}"
    )
