"""Pending migrations on a restored copy: the live database stays as it is, and nothing is left."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from sqlalchemy.exc import SQLAlchemyError

from leitstand.backups.operations import run_backup
from leitstand.cli.migrate import group
from leitstand.db import migrate
from leitstand.errors import Conflict, IntegrityFailed, NotFound
from leitstand.runbooks import migration_rehearsal, scratch
from leitstand.runbooks.migration_rehearsal import rehearse
from leitstand.settings import get_settings
from tests.integration.database.test_migration_sql import EARLIER, PENDING, downgraded
from tests.source import Source

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def earlier(source: Source) -> Iterator[Source]:
    """An environment of the release before, with a backup; the backup's own entry is written by this one."""
    with pytest.raises(NotFound):
        rehearse(source.settings)
    run_backup(source.engine, source.settings, "postgres")
    downgraded(source.engine)
    run_backup(source.engine, source.settings, "postgres")
    yield source
    migrate.upgrade(source.engine)


def left(source: Source) -> list[str]:
    root = scratch.scratch_root(source.settings)
    return [path.name for path in root.iterdir() if path.name != migration_rehearsal.LOCK]


def test_what_is_pending_is_applied_to_the_copy_alone(
    earlier: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in earlier.environment().items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()

    done = CliRunner().invoke(group, ["rehearse", "--json"])

    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["revision"] == EARLIER
    assert [one["revision"] for one in found["applied"]] == PENDING
    assert migrate.current(earlier.engine) == EARLIER, "the live database is as it was"
    assert left(earlier) == []


def test_a_migration_that_fails_says_why_and_leaves_nothing(
    earlier: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = migrate.upgrade

    def failing(engine: object, revision: str = "head") -> None:
        real(engine, EARLIER)  # type: ignore[arg-type]
        raise SQLAlchemyError("column is of another type")

    monkeypatch.setattr(migrate, "upgrade", failing)
    with pytest.raises(SQLAlchemyError, match="another type"):
        rehearse(earlier.settings)
    assert left(earlier) == []


@pytest.mark.long
def test_a_schema_that_was_changed_by_hand_is_told(earlier: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "differences", lambda _: ["add_column planted"])
    with pytest.raises(IntegrityFailed, match="planted"):
        rehearse(earlier.settings)
    assert left(earlier) == []


def test_only_one_runs(earlier: Source) -> None:
    with migration_rehearsal._folder(earlier.settings), pytest.raises(Conflict, match="Another rehearsal"):
        rehearse(earlier.settings)
