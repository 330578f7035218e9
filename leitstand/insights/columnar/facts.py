"""The facts of one workspace in DuckDB: clean days from the copy's parts, changed days as PostgreSQL has them now."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Select

from leitstand.db.engine import STATEMENT_TIMEOUT_MS
from leitstand.insights.columnar import engine, files
from leitstand.insights.columnar.changes import changes_of
from leitstand.insights.columnar.dialect import Question, compiled
from leitstand.insights.copy.facts import FACTS, Fact, instant, month_after, stretches
from leitstand.insights.copy.snapshots import Snapshot
from leitstand.insights.copy.state import CopyState
from leitstand.insights.sources import Facts, Rows
from leitstand.settings import Settings

if TYPE_CHECKING:
    import duckdb

EMPTY = instant(date(1970, 1, 1)), instant(date(1970, 1, 2))
# What statements join the facts with: small, and always as it is now.
JOINED = {
    "item": "SELECT id, workspace_id, kind, title, external_key, owner_id, visibility, status, deleted_at"
    " FROM item WHERE workspace_id = '{workspace}' ORDER BY id",
    "companion": "SELECT c.item_id, c.slug, c.published_version, c.funnel, c.end_steps, c.log_id FROM companion AS c"
    " JOIN item AS i ON i.id = c.item_id WHERE i.workspace_id = '{workspace}' ORDER BY c.item_id",
}


class ColumnarFacts(Facts):
    """Answers statements with DuckDB; for one thread at a time."""

    def __init__(
        self,
        cursor: "duckdb.DuckDBPyConnection",
        snapshot: Snapshot,
        workspace_id: UUID,
        bounds: tuple[datetime, datetime],
    ) -> None:
        self.as_of = snapshot.at
        self.workspace_id = workspace_id
        self._cursor = cursor
        self._snapshot = snapshot
        self._bounds = bounds
        self._joined: dict[str, str] = {}

    def rows(self, statement: Select[Any]) -> Rows:
        question = self.question(statement)
        self.joined(question)
        return self.answer(question)

    def question(self, statement: Select[Any]) -> Question:
        """The statement for DuckDB."""
        return compiled(statement, self._bounds)

    def joined(self, question: Question) -> tuple[str, ...]:
        """Make the small tables that a question joins; hashes of what they hold."""
        wanted = sorted(question.tables & JOINED.keys())
        for table in wanted:
            if table not in self._joined:
                self._joined[table] = self._join(table)
        return tuple(self._joined[table] for table in wanted)

    def answer(self, question: Question) -> Rows:
        """What a question finds, whose small tables are there.

        Raises:
            TooSlow: it took longer than a statement may.
        """
        with engine.limited(self._cursor, STATEMENT_TIMEOUT_MS):
            found = self._cursor.execute(question.sql, question.parameters).fetchall()
        return Rows(question.names, [tuple(map(_aware, values)) for values in found])

    def _join(self, table: str) -> str:
        rows = self._snapshot.table(JOINED[table].format(workspace=self.workspace_id))
        self._cursor.register("incoming", rows)
        self._cursor.execute(f"CREATE TEMP TABLE {table} AS SELECT * FROM incoming")  # noqa: S608 - our own names
        self._cursor.unregister("incoming")
        return hashlib.sha256(repr(rows.to_pylist()).encode()).hexdigest()


def _aware(value: Any) -> Any:
    """The copy's instants have no zone, ours are UTC."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    return value


@contextmanager
def columnar_facts(settings: Settings, snapshot: Snapshot, state: CopyState) -> Iterator[ColumnarFacts]:
    """The facts as of the snapshot, for one workspace.

    Raises:
        LeitstandError: a part could not be read from the store.
        duckdb.Error: DuckDB could not read what it was given.
    """
    files.check_size(settings, state.parts.values())
    wanted = {fact.name: files.fetch(settings, state.parts[fact.name]) for fact in FACTS}
    with changes_of(settings, snapshot, state) as changed:
        cursor = engine.cursor(settings)
        try:
            for fact in FACTS:
                view = _view(state, fact, wanted[fact.name], changed[fact.name])
                cursor.execute(f"CREATE TEMP VIEW {fact.table} AS {view}")
            yield ColumnarFacts(cursor, snapshot, state.workspace_id, bounds_of(state))
        finally:
            cursor.close()


def bounds_of(state: CopyState) -> tuple[datetime, datetime]:
    """The instants between which all facts lie."""
    months = state.months()
    return (instant(min(months)), instant(month_after(max(months)))) if months else EMPTY


def _view(state: CopyState, fact: Fact, paths: Sequence[Path], changed: str) -> str:
    """All rows of a fact, under the columns of its table."""
    columns = f"'{state.workspace_id}'::UUID AS workspace_id, {', '.join(fact.columns)}"
    query = f"SELECT {columns} FROM {changed}"  # noqa: S608 - our own names and a UUID
    if not paths:
        return query
    listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    clean = "".join(f" AND NOT {fact.between(*days)}" for days in stretches(state.days(fact)))
    return f"SELECT {columns} FROM read_parquet([{listed}]) WHERE true{clean} UNION ALL {query}"  # noqa: S608
