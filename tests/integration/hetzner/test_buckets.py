"""Buckets in a real object store: made with lock and versions, and never made to hold less."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from leitstand.errors import Conflict, LeitstandError
from leitstand.hetzner.description import FOLDER, Bucket, Environment, Site, read_environment, read_site
from leitstand.hetzner.plan import Target, apply, destroy_plan, plan
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
