"""The process's DuckDB opens the parts' folder and nothing else; parts are bounded."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import func, select

from leitstand.db.models import Item, RunFact
from leitstand.insights.columnar import engine
from leitstand.insights.columnar.dialect import compiled
from leitstand.insights.columnar.facts import EMPTY
from leitstand.insights.sources import TooSlow
from leitstand.settings import Settings


@pytest.fixture
def cursor(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    found = engine.cursor(Settings(data_dir=tmp_path))
    yield found
    found.close()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_csv('/etc/hostname')",
        "SELECT * FROM read_parquet('https://example.com/x.parquet')",
        "ATTACH '/tmp/other.duckdb'",
        "COPY (SELECT 1) TO '/tmp/out.csv'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "SET allowed_directories = ['/']",
    ],
)
def test_no_query_reaches_other_files_hosts_or_settings(
    cursor: duckdb.DuckDBPyConnection, query: str
) -> None:
    with pytest.raises(duckdb.Error):
        cursor.execute(query)


def test_memory_and_threads_are_bounded(cursor: duckdb.DuckDBPyConnection) -> None:
    names = "'threads', 'memory_limit', 'TimeZone'"
    found = dict(
        cursor.execute(f"SELECT name, value FROM duckdb_settings() WHERE name IN ({names})").fetchall()
    )
    assert found == {"threads": "2", "memory_limit": "488.2 MiB", "TimeZone": "UTC"}


def test_a_question_names_its_tables_and_whether_the_clock_decides() -> None:
    joined = select(func.count().label("runs")).join_from(RunFact, Item, Item.id == RunFact.companion_id)
    asked = compiled(joined, EMPTY)
    assert (asked.tables, asked.names, asked.volatile) == ({"run_fact", "item"}, ("runs",), False)
    assert compiled(select(RunFact.run_key).where(RunFact.last_at > func.now()), EMPTY).volatile


def test_a_statement_beyond_its_time_is_interrupted_and_the_next_one_is_not(
    cursor: duckdb.DuckDBPyConnection,
) -> None:
    endless = "SELECT sum(a.range * b.range) FROM range(10000000) AS a, range(10000000) AS b"
    with pytest.raises(TooSlow), engine.limited(cursor, 50):
        cursor.execute(endless).fetchall()
    with engine.limited(cursor, 30_000):
        assert cursor.execute("SELECT 1").fetchall() == [(1,)]
