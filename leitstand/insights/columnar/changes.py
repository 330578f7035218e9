"""What changed since a copy was made, loaded into DuckDB once for everyone who asks about the same state."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from leitstand.insights.columnar import engine
from leitstand.insights.copy.facts import FACTS, Fact, stretches
from leitstand.insights.copy.snapshots import Snapshot
from leitstand.insights.copy.state import CopyState
from leitstand.settings import Settings

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# Workspaces whose changes are kept; one that is not among them is loaded again.
KEPT = 16
_numbers = itertools.count(1)
_lock = threading.Lock()
_loaded: dict[UUID, "Changes"] = {}


@dataclass
class Changes:
    """Tables of the rows of changed days, by fact; dropped when they are out of date and nobody uses them."""

    version: tuple[int, ...]
    tables: dict[str, str]
    cursor: "duckdb.DuckDBPyConnection"
    users: int = 0
    outdated: bool = False

    def release(self) -> None:
        """One user less."""
        with _lock:
            self.users -= 1
            if self.outdated and not self.users:
                self.drop()

    def outdate(self) -> None:
        """Nobody new will use them; under the module's lock."""
        self.outdated = True
        if not self.users:
            self.drop()

    def add(self, fact: Fact, rows: "pa.Table") -> None:
        """Load the rows of a fact."""
        name = f"changed_{fact.name}_{next(_numbers)}"
        self.cursor.register("incoming", fact.plain(rows))
        self.cursor.execute(f"CREATE TABLE {name} AS SELECT * FROM incoming")  # noqa: S608 - our own names
        self.cursor.unregister("incoming")
        self.tables[fact.name] = name

    def drop(self) -> None:
        """Let go of the tables."""
        import duckdb

        with suppress(duckdb.Error):
            for table in self.tables.values():
                self.cursor.execute(f"DROP TABLE IF EXISTS {table}")
        self.cursor.close()


@contextmanager
def changes_of(settings: Settings, snapshot: Snapshot, state: CopyState) -> Iterator[dict[str, str]]:
    """By fact the name of a DuckDB table with the rows of its changed days."""
    held = _known(state)
    if held is None:
        held = _keep(state, _load(settings, snapshot, state))
    try:
        yield held.tables
    finally:
        held.release()


def _known(state: CopyState) -> Changes | None:
    with _lock:
        held = _loaded.get(state.workspace_id)
        if held is None or held.version != state.version:
            return None
        held.users += 1
        return held


def _keep(state: CopyState, fresh: Changes) -> Changes:
    with _lock:
        fresh.users += 1
        before = _loaded.pop(state.workspace_id, None)
        _loaded[state.workspace_id] = fresh
        gone = [before] if before else []
        while len(_loaded) > KEPT:
            gone.append(_loaded.pop(next(iter(_loaded))))
        for old in gone:
            old.outdate()
        return fresh


def _load(settings: Settings, snapshot: Snapshot, state: CopyState) -> Changes:
    loaded = Changes(state.version, {}, engine.cursor(settings))
    try:
        for fact in FACTS:
            query = fact.select(state.workspace_id, stretches(state.days(fact)))
            loaded.add(fact, snapshot.table(query))
    except BaseException:
        loaded.drop()
        raise
    return loaded
