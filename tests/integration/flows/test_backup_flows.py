"""What the flows around backups do, without a Prefect server."""

from uuid import UUID

import pytest
from sqlalchemy import Engine

from flows import backup, storage
from leitstand.backups.operations import run_backup
from leitstand.errors import IntegrityFailed
from leitstand.settings import get_settings
from tests.backups import Shelf, shelf, stocked

__all__ = ["shelf", "stocked"]


def test_retention_runs_unattended(stocked: Shelf) -> None:
    result = backup.prune_once.fn()
    assert result["removed"] and set(stocked.statuses(stocked.ids)) == {"complete", "removed"}


def test_the_newest_backup_is_verified_and_a_damaged_one_fails(stocked: Shelf, engine: Engine) -> None:
    assert backup.verify_newest.fn("objects") == "", "there is none yet"
    settings = get_settings()
    made = run_backup(engine, settings, "secrets")
    assert backup.verify_newest.fn("secrets") == str(made.id)
    stocked.storage.put_bytes(stocked.bucket, made.manifest["parts"][0]["key"], b"damaged")
    with pytest.raises(IntegrityFailed, match="not intact"):
        backup.verify_newest.fn("secrets")


def test_the_database_is_dumped_and_the_dump_read(stocked: Shelf, engine: Engine) -> None:
    said = backup.run_backup_of.fn("dump")
    assert said["kind"] == "dump" and said["bytes"] > 0
    assert backup.verify_newest.fn("dump") == said["id"]
    assert stocked.row(UUID(said["id"])).manifest["verification"]["ok"] is True


def test_a_lifecycle_rule_that_expires_backups_fails_the_probe(stocked: Shelf) -> None:
    assert storage.probe_once.fn()["ok"] is True
    rule = {"ID": "tidy-up", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}}
    stocked.storage.client.put_bucket_lifecycle_configuration(
        Bucket=stocked.bucket, LifecycleConfiguration={"Rules": [rule]}
    )
    with pytest.raises(IntegrityFailed, match="lifecycle"):
        storage.probe_once.fn()
