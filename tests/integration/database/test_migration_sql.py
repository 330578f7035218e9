"""Squawk reads what a migration really says to PostgreSQL, and finds what would hold up a service."""

from pathlib import Path

from sqlalchemy import Engine, text

from leitstand.db import migrate
from leitstand.db.schema_history import history, since
from tests.migration_sql import excluded_of, new_migrations, squawk, write_sql
from tests.repository import ROOT

EARLIER = "0028_conversations"
PENDING = [one.revision for one in since(history(ROOT), EARLIER)]


def downgraded(engine: Engine) -> Engine:
    from alembic import command

    with engine.connect() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.downgrade(config, EARLIER)
    return engine


def test_the_sql_of_a_migration_is_written_with_what_its_functions_say(
    engine: Engine, tmp_path: Path
) -> None:
    files = write_sql(tmp_path, downgraded(engine), ["0029_embeddings"])
    said = files[0].read_text()
    assert "CREATE TABLE embedding" in said and "CREATE POLICY of_the_workspace ON embedding" in said
    assert "alembic_version" not in said
    found = squawk(files[0])
    assert found.returncode == 1 and "constraint-missing-not-valid" in found.stdout
    assert "prefer-robust-stmts" not in found.stdout


def test_a_rule_is_excluded_by_name_and_reason_only(tmp_path: Path) -> None:
    path = tmp_path / "a.sql"
    path.write_text("ALTER TABLE item DROP COLUMN title;\n")
    assert "ban-drop-column" in squawk(path).stdout
    own = excluded_of("squawk_excludes = {'ban-drop-column': 'nothing reads it since 0.2'}")
    assert squawk(path, own).returncode == 0
    assert excluded_of("revision = 'a'") == {}


def test_every_migration_of_this_repository_is_named_like_its_file(engine: Engine) -> None:
    """Whose exclusions are looked up by it."""
    for one in new_migrations():
        assert (ROOT / "leitstand" / "db" / "migrations" / "versions" / f"{one.revision}.py").exists()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == migrate.head()
