"""Statements as Spark SQL, and what importing the engine costs."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import ARRAY, BigInteger, Column, DateTime, Double, Float, String, Text, Uuid, cast, select

from leitstand.db.models import Item, RunFact
from leitstand.insights.distributed.dialect import compiled, type_name
from leitstand.insights.scope import Scope

WORKSPACE = UUID("0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000")
BOUNDS = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
SCOPE = Scope(WORKSPACE, None, date(2026, 3, 28), date(2026, 3, 30), "Europe/Berlin")
VIEWS = {"run_fact": "run_fact_1", "item": "item_2"}


def test_values_are_parameters_with_their_types_and_never_text() -> None:
    evil = "x' OR 1=1; -- \\' ` :name"
    question = compiled(
        select(RunFact.run_key).where(*SCOPE.runs(), RunFact.actor_key == evil), BOUNDS, VIEWS
    )
    values = dict(question.parameters)
    assert evil in values.values()
    assert "1=1" not in question.sql
    assert WORKSPACE.bytes in values.values()
    assert datetime(2026, 3, 27, 23, tzinfo=UTC) in values.values()
    assert {type(value) for value in values.values()} == {str, bytes, datetime}


def test_a_table_is_the_view_of_the_workspace_under_its_name() -> None:
    question = compiled(
        select(RunFact.run_key).join(Item, Item.id == RunFact.companion_id).where(*SCOPE.runs()),
        BOUNDS,
        VIEWS,
    )
    assert "FROM run_fact_1 AS run_fact JOIN item_2 AS item ON item.id = run_fact.companion_id" in (
        " ".join(question.sql.split())
    )
    assert question.tables == {"run_fact", "item"}


def test_the_clock_makes_an_answer_volatile() -> None:
    from leitstand.insights.completion import still_going

    assert compiled(select(RunFact.run_key).where(still_going()), BOUNDS, VIEWS).volatile
    assert not compiled(select(RunFact.run_key).where(*SCOPE.runs()), BOUNDS, VIEWS).volatile


def test_local_days_follow_the_changes_of_the_clocks_in_the_data() -> None:
    question = compiled(select(SCOPE.local_day(RunFact.first_at)), BOUNDS, VIEWS)
    change = int(datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp()) * 1_000_000
    hour = timedelta(hours=1) // timedelta(microseconds=1)
    assert f">= {change} THEN {2 * hour} ELSE {hour} END" in question.sql


@pytest.mark.parametrize(
    ("type_", "name"),
    [
        (Uuid(), "BINARY"), (Text(), "STRING"), (String(8), "STRING"), (Double(), "DOUBLE"), (Float(), "DOUBLE"),
        (DateTime(timezone=True), "TIMESTAMP_NTZ"), (ARRAY(Text()), "ARRAY<STRING>"), (BigInteger(), "BIGINT"),
    ],
)  # fmt: skip
def test_types_are_sparks(type_: Any, name: str) -> None:
    assert type_name(type_) == name


def test_a_uuids_text_is_as_postgresql_writes_it() -> None:
    sql = compiled(select(cast(Column("id", Uuid()), String)), BOUNDS, VIEWS).sql
    assert sql.count("substring(lower(hex(") == 5


def test_nothing_of_spark_is_imported_before_it_is_asked() -> None:
    code = (
        "import sys; import leitstand.insights.opening, leitstand.insights.distributed.facts;"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'pyspark', 'grpc', 'py4j', 'pandas'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
