"""`leitstand migrate`: what is pending, and what is refused while an earlier release runs."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, text

from leitstand.cli.migrate import group
from leitstand.db import migrate, schema_history
from leitstand.db.exclusive import SCHEMA, exclusive
from leitstand.errors import Conflict, IntegrityFailed
from tests.integration.database.test_migration_sql import PENDING, downgraded


def test_plan_up_and_check(engine: Engine) -> None:
    runner = CliRunner()
    assert json.loads(runner.invoke(group, ["check", "--json"]).stdout)["ok"]
    downgraded(engine)
    planned = json.loads(runner.invoke(group, ["plan", "--json"]).stdout)
    assert [one["revision"] for one in planned["pending"]] == PENDING
    assert planned["pending"][0]["contracts"] and not planned["pending"][1]["contracts"]
    assert planned["current"] == "0028_conversations"
    checked = runner.invoke(group, ["check"])
    assert isinstance(checked.exception, IntegrityFailed) and "0029_embeddings" in str(checked.exception)
    refused = runner.invoke(group, ["up"])
    assert isinstance(refused.exception, Conflict) and "contracts" in str(refused.exception)
    assert migrate.current(engine) == "0028_conversations", "nothing was applied"
    done = json.loads(runner.invoke(group, ["up", "--contract", "--json"]).stdout)
    assert done == {"current": migrate.head(), "applied": PENDING}
    assert "applied" not in runner.invoke(group, ["up"]).stdout, "a second time nothing is to do"


def test_a_schema_that_is_not_what_the_migrations_make_is_told(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE workspace ADD COLUMN planted int"))
    found = CliRunner().invoke(group, ["check"])
    assert isinstance(found.exception, IntegrityFailed) and "planted" in str(found.exception)


def test_none_runs_during_a_dump(engine: Engine) -> None:
    downgraded(engine)
    with exclusive(engine, SCHEMA):
        found = CliRunner().invoke(group, ["up", "--contract", "--patience", "0"])
    assert isinstance(found.exception, Conflict) and "dump" in str(found.exception)
    assert migrate.current(engine) == "0028_conversations"


def test_a_migration_that_is_read_and_compatible_is_applied_beside_an_earlier_release(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    downgraded(engine)
    known = schema_history.history(migrate.CHECKOUT)
    read = schema_history.Migration("0029_embeddings", "0028_conversations", "", ("op.x()",), "nobody minds")
    replaced = [read if one.revision == read.revision else one for one in known]
    monkeypatch.setattr(schema_history, "history", lambda _: replaced)
    assert [one.revision for one in migrate.expand(engine)] == PENDING


def test_a_database_of_a_later_release_is_left_alone(engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999_later'"))
    with pytest.raises(Conflict, match="9999_later"):
        migrate.expand(engine)
