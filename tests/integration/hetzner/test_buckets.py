"""Buckets in a real object store: made with lock and versions, and never made to hold less."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from leitstand.errors import Conflict, LeitstandError, PreconditionFailed
from leitstand.hetzner.buckets import storage_of
from leitstand.hetzner.description import FOLDER, Bucket, Environment, Site, read_environment, read_site
from leitstand.hetzner.plan import Target, apply, destroy_plan, plan
from leitstand.hetzner.targets import target_of
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.storage.types import ObjectLock


@pytest.fixture
def site() -> Site:
    """The installation of the example."""
    return read_site(FOLDER / "site.example.toml")


@pytest.fixture
def backups(site: Site) -> Environment:
    """The project of backups, with bucket names that are this test's alone."""
    environment = read_environment("backups", site)
    own = uuid4().hex[:8]
    buckets = [bucket.model_copy(update={"name": f"{bucket.name}-{own}"}) for bucket in environment.buckets]
    return environment.model_copy(update={"buckets": buckets})


def test_backups_can_be_locked_and_keep_their_versions(
    backups: Environment, site: Site, storage: ObjectStorage
) -> None:
    target = Target(backups, site, None, storage)
    assert {step.verdict for step in plan(target).steps} == {"make"}

    apply(target)

    assert plan(target).nothing_to_do
    assert apply(target).nothing_to_do
    for bucket in backups.buckets:
        assert storage.locks_objects(bucket.name)
        assert storage.is_versioned(bucket.name)
    name = backups.buckets[0].name
    until = datetime.now(UTC) + timedelta(minutes=5)
    kept = storage.put_bytes(name, "a", b"backup", lock=ObjectLock("COMPLIANCE", until))
    with pytest.raises(LeitstandError):
        storage.delete(name, "a", version=kept.version)
    assert storage.get_bytes(name, "a", version=kept.version) == b"backup"
    assert all(fate.holds_data for fate in destroy_plan(target))


def test_a_bucket_without_lock_is_refused_and_left_as_it_is(
    backups: Environment, site: Site, storage: ObjectStorage
) -> None:
    name = backups.buckets[0].name
    storage.ensure_bucket(name, versioned=False)
    target = Target(backups, site, None, storage)

    (refused,) = plan(target).of("refuse")

    assert refused.name == name
    assert "can't be locked" in refused.reasons[0]
    with pytest.raises(Conflict):
        apply(target)
    assert not storage.is_versioned(name)
    assert len(plan(target).of("make")) == len(backups.buckets) - 1, "nothing was made beside a refusal"


def test_versions_are_switched_on_and_never_off(
    backups: Environment, site: Site, storage: ObjectStorage
) -> None:
    name = f"media-{uuid4().hex[:8]}"
    storage.ensure_bucket(name, versioned=False)

    def as_described(*, versioned: bool) -> Target:
        bucket = Bucket(name=name, versioned=versioned)
        return Target(backups.model_copy(update={"buckets": [bucket]}), site, None, storage)

    apply(as_described(versioned=True))
    assert storage.is_versioned(name)
    (step,) = plan(as_described(versioned=False)).steps
    assert step.verdict == "keep"
    assert "goes on keeping them" in step.notes[0]
    apply(as_described(versioned=False))
    assert storage.is_versioned(name)


def test_the_keys_of_a_project_open_its_storage(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Settings(data_dir=tmp_path, hetzner_s3_endpoint=settings.s3_url)
    with pytest.raises(PreconditionFailed, match="no leitstand_hetzner_s3_access_key_backups"):
        target_of(own, "backups", FOLDER / "site.example.toml")
    monkeypatch.setenv("LEITSTAND_HETZNER_S3_ACCESS_KEY_BACKUPS", settings.s3_access_key.get_secret_value())
    monkeypatch.setenv("LEITSTAND_HETZNER_S3_SECRET_KEY_BACKUPS", settings.s3_secret_key.get_secret_value())

    target = target_of(own, "backups", FOLDER / "site.example.toml")

    assert target.cloud is None, "a project of buckets alone needs no token"
    assert [step.name for step in plan(target).steps] == ["leitstand-backups", "leitstand-copies"]


def test_without_another_address_buckets_are_made_in_the_environments_location(
    backups: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEITSTAND_HETZNER_S3_ACCESS_KEY_BACKUPS", "a")
    monkeypatch.setenv("LEITSTAND_HETZNER_S3_SECRET_KEY_BACKUPS", "b")

    storage = storage_of(Settings(data_dir=tmp_path), backups)

    assert storage.settings.s3_url == "https://hel1.your-objectstorage.com"
    assert storage.settings.s3_region == "hel1"
