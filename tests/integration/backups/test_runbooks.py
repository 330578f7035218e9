"""Runbook rb010, as `leitstand runbook run` runs it."""

import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from leitstand.backups.operations import run_backup
from leitstand.db.cluster import Cluster
from leitstand.errors import InvalidInput
from leitstand.runbooks.drills import run_runbook
from leitstand.services import POSTGRES
from tests.operating import dry_run, real_run
from tests.services import free_base_port
from tests.source import PASSWORD, Source

NAME = "postgres-point-in-time"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_mistake_is_undone_in_an_empty_folder(source: Source, tmp_path: Path) -> None:
    run_backup(source.engine, source.settings, "postgres")
    source.add_workspace("precious")
    assert run_backup(source.engine, source.settings, "postgres").level == "incremental"
    time.sleep(0.5)
    instant = datetime.now(UTC)
    time.sleep(0.5)
    source.execute("DELETE FROM workspace WHERE slug = 'precious'")
    source.archive_now()
    target = tmp_path / "restored"
    dry = dry_run(source, NAME, target=str(target), to_time=instant.isoformat())
    assert not target.exists(), "a dry run fills nothing"
    result = real_run(source, dry)
    assert result.ok, result.error
    assert result.notebook.startswith(f"s3://{source.settings.bucket_evidence}/runbooks/")
    cluster = Cluster(target, free_base_port() + POSTGRES.offset, PASSWORD)
    cluster.start()
    try:
        with psycopg.connect(cluster.conninfo("leitstand")) as connection:
            assert ("precious",) in connection.execute("SELECT slug FROM workspace").fetchall()
    finally:
        cluster.stop("immediate")
    assert not (tmp_path / "restored.access").exists(), "the key does not stay beside the data"


@pytest.mark.parametrize(
    ("parameters", "says"),
    [({"tarjet": "/x"}, "tarjet"), ({"run_id": "sandbox"}, "run_id"), ({"target": 5}, "type")],
)
def test_wrong_parameters_run_nothing(source: Source, parameters: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        run_runbook(source.engine, source.settings, NAME, parameters)


@pytest.mark.long
def test_an_occupied_folder_fails_the_runbook_and_stays(source: Source, tmp_path: Path) -> None:
    run_backup(source.engine, source.settings, "postgres")
    (tmp_path / "precious").write_text("file")
    result = run_runbook(source.engine, source.settings, NAME, {"target": str(tmp_path)})
    assert not result.ok and "the folder is empty" in result.error
    assert result.notebook, "a failed run is archived too"
    assert (tmp_path / "precious").read_text() == "file"


@pytest.mark.long
def test_a_trial_restores_for_real_and_leaves_nothing(source: Source) -> None:
    run_backup(source.engine, source.settings, "postgres")
    source.archive_now()
    result = run_runbook(source.engine, source.settings, NAME, {})
    assert result.ok, result.error
    assert result.figures["counts"]["workspace"] == source.one("SELECT count(*) FROM workspace")
    assert list((source.settings.data_dir / "scratch").iterdir()) == []


@pytest.mark.long
def test_nothing_is_put_in_place_where_nothing_can_be_stopped(source: Source) -> None:
    result = run_runbook(source.engine, source.settings, NAME, {"target": "live"})
    assert not result.ok and "not supervised" in result.error
