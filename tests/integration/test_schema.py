"""The migrated schema and the models agree."""

from sqlalchemy import Engine

from leitstand.db import migrate


def test_migrations_are_at_head_and_equal_the_models(engine: Engine) -> None:
    assert migrate.current(engine) == migrate.head()
    assert migrate.differences(engine) == []
