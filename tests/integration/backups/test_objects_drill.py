"""The drill of objects, as `leitstand drill run objects-sample` runs it."""

import json
import time
from urllib.parse import urlsplit

import pytest

from leitstand.backups.catalogue import list_backups, list_drills
from leitstand.backups.inventory import data_key, read_inventory
from leitstand.backups.places import own_copies
from leitstand.db.engine import transaction
from leitstand.runbooks.audit import audit
from leitstand.runbooks.drills import DrillResult, run_drill
from tests.source import Source

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
NAME = "objects-sample"


@pytest.fixture(scope="module")
def told() -> list[str]:
    return []


@pytest.fixture(scope="module")
def result(source: Source, told: list[str]) -> DrillResult:
    """The first drill, of 60 documents and no copy yet."""
    for number in range(60):
        source.storage.put_bytes(
            source.settings.bucket_media, f"documents/{number}", f"text {number}".encode()
        )
    source.storage.put_bytes(source.settings.bucket_evidence, "runbooks/one", b"evidence")
    return run_drill(source.engine, source.settings, NAME, progress=told.append)


def test_it_takes_a_copy_where_there_is_none_and_proves_it(
    source: Source, result: DrillResult, told: list[str]
) -> None:
    assert result.ok, result.error
    assert any("no backup of objects yet" in line for line in told)
    with transaction(source.engine) as session:
        (backup,) = list_backups(session, kind="objects")
        assert backup.id == result.backup_id and backup.verified_at is not None
        assert list_drills(session)[0].kind == NAME


def test_every_check_was_made_and_what_was_restored_is_a_sample_and_the_newest(result: DrillResult) -> None:
    assert {check["name"]: check["verdict"] for check in result.checks} == dict.fromkeys(
        [
            "the target is a scratch folder",
            "a key of this machine opens it",
            "the inventory is whole",
            "restored objects",
            "SHA-256 of the restored objects",
            "clean-up",
        ],
        "passed",
    )
    assert 50 <= result.figures["sample"] <= 52 and result.figures["seed"] > 0


def test_it_measures_in_seconds(source: Source, result: DrillResult) -> None:
    assert result.rpo_seconds == 0.0 and result.figures["objects_behind"] == 0
    assert result.rto_seconds is not None and 0 < result.rto_seconds < 300
    assert result.figures["rto_everything_seconds"] >= result.rto_seconds


def test_the_notebook_is_archived_and_chained_and_nothing_is_left(
    source: Source, result: DrillResult
) -> None:
    place = urlsplit(result.notebook)
    notebook = source.storage.get_bytes(place.netloc, place.path.lstrip("/")).decode()
    assert str(result.figures["seed"]) in notebook and "documents/1" not in notebook, "keys are customers'"
    with transaction(source.engine) as session:
        assert audit(session, source.settings).ok
    assert list((source.settings.data_dir / "scratch").iterdir()) == []
    assert not (source.settings.data_dir / "tmp" / "restore-objects").exists()


def test_the_recovery_point_is_the_age_of_the_oldest_object_that_is_not_copied(
    source: Source, result: DrillResult
) -> None:
    time.sleep(1.1)
    source.storage.put_bytes(source.settings.bucket_media, "documents/uncopied", b"not yet")
    time.sleep(2)
    behind = run_drill(source.engine, source.settings, NAME)
    # The evidence of the drill before is not copied yet either.
    assert behind.ok and behind.figures["objects_behind"] >= 4
    assert behind.rpo_seconds is not None and behind.rpo_seconds >= 3


def test_copies_that_are_lost_or_damaged_fail_the_drill(source: Source, result: DrillResult) -> None:
    """Though the bucket itself still has every object."""
    with transaction(source.engine) as session:
        manifest = list_backups(session, kind="objects")[0].manifest
    storage, bucket = source.storage, source.settings.bucket_backups
    entries = read_inventory(own_copies(source.settings), source.settings, manifest)
    kept = {data_key(entry.sha256): storage.get_bytes(bucket, data_key(entry.sha256)) for entry in entries}
    for number, (key, body) in enumerate(kept.items()):
        if number % 2:
            storage.delete(bucket, key)
        else:
            storage.put_bytes(bucket, key, body[:-1] + bytes([body[-1] ^ 1]))
    try:
        failed = run_drill(source.engine, source.settings, NAME)
    finally:
        for key, body in kept.items():
            storage.put_bytes(bucket, key, body)
    assert not failed.ok and "restored objects: 0 of" in failed.error and "SHA-256" in failed.error
    assert "can't be decrypted" in failed.error and "object store has no" in failed.error
    assert json.loads(json.dumps(failed.to_dict()))["ok"] is False
    assert list((source.settings.data_dir / "scratch").iterdir()) == []
