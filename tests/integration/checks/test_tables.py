"""Every table has a suite, or a reason why it needs none; and a suite has what its table calls for."""

import re

import pytest
from sqlalchemy import Engine

from leitstand.checks.database import Database, look_at
from leitstand.checks.files import Suite, load, unchecked
from leitstand.checks.references import declared, loose
from leitstand.db.models import Base
from leitstand.db.models.catalogue import KINDS
from leitstand.identity.access import ROLES
from leitstand.settings import REPOSITORY

FOLDER = REPOSITORY / "data-checks"
REFERENCES, SEQUENCES = "expect_references_to_hold", "expect_sequences_to_be_ahead"


@pytest.fixture
def database(engine: Engine) -> Database:
    """The migrated schema, with what the queue and the migrations keep in it."""
    with engine.connect() as connection:
        return look_at(connection)


@pytest.fixture(scope="module")
def suites() -> dict[str, Suite]:
    """The suites by table."""
    return {suite.table: suite for suite in load(FOLDER).suites}


def kinds(suite: Suite) -> set[str]:
    return {expectation["type"] for expectation in suite.expectations}


def test_every_table_has_a_suite_or_a_reason_and_not_both(
    database: Database, suites: dict[str, Suite]
) -> None:
    reasons = unchecked(FOLDER).tables
    assert database.tables - {*suites} - {*reasons} == set()
    assert ({*suites} | {*reasons}) - database.tables == set()
    assert {*suites} & {*reasons} == set()


def test_every_table_with_foreign_keys_has_its_references_checked(suites: dict[str, Suite]) -> None:
    reasons = unchecked(FOLDER).tables
    lacking = [
        table.name
        for table in Base.metadata.sorted_tables
        if declared(table) and table.name not in reasons and REFERENCES not in kinds(suites[table.name])
    ]
    assert lacking == []


def test_every_column_that_looks_like_a_reference_is_one_or_has_a_reason(suites: dict[str, Suite]) -> None:
    found = unchecked(FOLDER)
    seen = set()
    for table in Base.metadata.sorted_tables:
        if table.name in found.tables:
            continue
        also = {
            column
            for expectation in suites[table.name].expectations
            for column in expectation["kwargs"].get("also", {})
        }
        seen |= {f"{table.name}.{column}" for column in loose(table) if column not in also}
    assert seen == {*found.columns}


def test_every_sequence_is_checked(database: Database, suites: dict[str, Suite]) -> None:
    reasons = unchecked(FOLDER).tables
    wanted = {table for table in database.sequences if table not in reasons}
    assert wanted == {table for table, suite in suites.items() if SEQUENCES in kinds(suite)}


def test_lists_of_values_are_those_of_the_code(suites: dict[str, Suite]) -> None:
    def listed(table: str, column: str) -> set[str]:
        (found,) = (
            set(it["kwargs"]["value_set"])
            for it in suites[table].expectations
            if it["type"] == "expect_column_values_to_be_in_set" and it["kwargs"]["column"] == column
        )
        return found

    (roles,) = (it["kwargs"]["query"] for it in suites["membership"].expectations if "query" in it["kwargs"])
    assert set(re.findall(r"'([^']+)'", roles)) == {*ROLES}
    assert listed("item", "kind") == {*KINDS}
