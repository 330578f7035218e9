"""Rows that point nowhere, or into another workspace: found by a query that is derived from the models.

So a new foreign key is looked at the day it is added. What is a key without being declared as one (of partitions, for
speed) is named in the suite.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import MetaData, Table

WORKSPACE = "workspace"
WORKSPACE_COLUMN = "workspace_id"
NOWHERE, ELSEWHERE = "points nowhere", "points into another workspace"


@dataclass(frozen=True)
class Reference:
    """Columns of a table that name a row of `table` by its columns `named`."""

    columns: tuple[str, ...]
    table: str
    named: tuple[str, ...]

    @property
    def words(self) -> str:
        """As an operator reads it."""
        return f"{', '.join(self.columns)} → {self.table}"


Columns = Mapping[str, frozenset[str]]


def declared(table: Table) -> list[Reference]:
    """A table's foreign keys, in the order of their columns."""
    found = [
        Reference(
            tuple(key.column_keys),
            key.referred_table.name,
            tuple(element.column.name for element in key.elements),
        )
        for key in table.foreign_key_constraints
    ]
    return sorted(found, key=lambda reference: reference.columns)


def named(also: Mapping[str, str]) -> list[Reference]:
    """The references that a suite names: column → "table.column"."""
    places = {column: place.partition(".") for column, place in also.items()}
    return [Reference((column,), table, (key,)) for column, (table, _, key) in sorted(places.items())]


def way_to_workspace(metadata: MetaData, table: str) -> tuple[Reference, ...] | None:
    """The references that lead from a table's row to the row that says its workspace, the shortest way.

    Empty where the row itself says it; None where the table belongs to no workspace.
    """
    ways: list[tuple[str, tuple[Reference, ...]]] = [(table, ())]
    seen = {table}
    for place, way in ways:  # grows while it is walked
        if place == WORKSPACE or WORKSPACE_COLUMN in metadata.tables[place].columns:
            return way
        for reference in declared(metadata.tables[place]):
            if reference.table not in seen:
                seen.add(reference.table)
                ways.append((reference.table, (*way, reference)))
    return None


def query(metadata: MetaData, table: str, also: Mapping[str, str], present: Columns) -> str:
    """SQL that finds the rows of `{batch}` with a reference that does not hold, one row for each such reference.

    Args:
        also: the references that the models don't declare.
        present: tables and columns of the database; references that it does not have yet are left out.

    Returns:
        Its columns are the primary key, `reference` and `problem`; empty where there is nothing to look at.
    """
    source = metadata.tables[table]
    own = way_to_workspace(metadata, table)
    joins, problems = [], []
    own_workspace = ""
    if own is not None:
        steps, own_workspace = _walk(metadata, "t", table, own, "own")
        joins += steps
    for place, reference in enumerate([*declared(source), *named(also)]):
        if not _is_present(table, reference, present):
            continue
        found, problem = _problem(metadata, reference, f"r{place}", own_workspace, own)
        joins += found
        problems.append((reference.words, problem))
    if not problems:
        return ""
    keys = ", ".join(f"t.{column.name}" for column in source.primary_key)
    values = ", ".join(f"('{words}', {problem})" for words, problem in problems)
    wrong = ", ".join(problem for _, problem in problems)
    return (
        f"SELECT {keys}, broken.reference, broken.problem FROM {{batch}} AS t {' '.join(joins)} "  # noqa: S608 - from the models
        f"CROSS JOIN LATERAL (VALUES {values}) AS broken (reference, problem) "
        f"WHERE coalesce({wrong}) IS NOT NULL AND broken.problem IS NOT NULL"
    )


def _is_present(table: str, reference: Reference, present: Columns) -> bool:
    return present.get(table, frozenset()) >= {*reference.columns} and present.get(
        reference.table, frozenset()
    ) >= {*reference.named}


def _problem(
    metadata: MetaData,
    reference: Reference,
    alias: str,
    own_workspace: str,
    own: tuple[Reference, ...] | None,
) -> tuple[list[str], str]:
    """The joins that a reference needs, and an expression of what is wrong with it (NULL: nothing)."""
    joins = [_join("t", reference, alias)]
    absent = " OR ".join(f"t.{column} IS NULL" for column in reference.columns)
    cases = f"WHEN {absent} THEN NULL WHEN {alias}.{reference.named[0]} IS NULL THEN '{NOWHERE}'"
    way = way_to_workspace(metadata, reference.table)
    decides = own is not None and own[:1] == (reference,)
    if own_workspace and way is not None and not decides and reference.table != WORKSPACE:
        steps, workspace = _walk(metadata, alias, reference.table, way, alias)
        joins += steps
        cases += f" WHEN {workspace} <> {own_workspace} THEN '{ELSEWHERE}'"
    return joins, f"CASE {cases} END"


def _walk(
    metadata: MetaData, start: str, table: str, way: tuple[Reference, ...], prefix: str
) -> tuple[list[str], str]:
    """The joins along a way, and the expression of the workspace at its end."""
    joins, alias, place = [], start, table
    for number, reference in enumerate(way, 1):
        following = f"{prefix}_{number}"
        joins.append(_join(alias, reference, following))
        alias, place = following, reference.table
    return joins, f"{alias}.{'id' if place == WORKSPACE else WORKSPACE_COLUMN}"


def _join(alias: str, reference: Reference, following: str) -> str:
    pairs = zip(reference.columns, reference.named, strict=True)
    on = " AND ".join(f"{following}.{key} = {alias}.{column}" for column, key in pairs)
    return f"LEFT JOIN {reference.table} AS {following} ON {on}"


def loose(table: Table) -> Iterator[str]:
    """Columns that look like references and are declared as none."""
    for column in table.columns:
        if column.name.endswith("_id") and not column.foreign_keys:
            yield column.name
