"""What is copied and where: every bucket that matters, a source that shrinks or vanishes, a second store."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from leitstand.backups import operations
from leitstand.backups.copy_journal import NAME
from leitstand.backups.inventory import DATA, read_inventory
from leitstand.backups.object_restore import Selection, execute_restore, plan_restore
from leitstand.backups.operations import public, run_backup, verify_backup
from leitstand.backups.places import COPIED, copied_place, copies_for
from leitstand.db.models import Backup
from leitstand.embedded.objects import ObjectStore
from leitstand.errors import IntegrityFailed, InvalidInput, PreconditionFailed
from leitstand.storage.objects import ObjectStorage
from tests.integration.backups.test_object_restore import ALL, contents, purge, wait
from tests.services import free_base_port
from tests.source import Source

COUNT = 24


def put(source: Source, bucket: str, count: int = COUNT, prefix: str = "documents/") -> None:
    for number in range(count):
        source.storage.put_bytes(bucket, f"{prefix}{number:03}", f"{prefix}{number}".encode())


def roles(source: Source, backup: Backup) -> dict[str, int]:
    entries = read_inventory(copies_for(source.settings, backup.manifest), source.settings, backup.manifest)
    return {place.role: sum(entry.role == place.role for entry in entries) for place in COPIED}


@pytest.fixture(scope="module")
def first(source: Source) -> Backup:
    put(source, source.settings.bucket_media)
    put(source, source.settings.bucket_evidence, 3, "runbooks/")
    return run_backup(source.engine, source.settings, "objects")


def test_media_and_evidence_are_copied(source: Source, first: Backup) -> None:
    assert roles(source, first) == {"media": COUNT, "evidence": 3}
    assert first.manifest["places"]["evidence"]["objects"] == 3
    assert public(first)["warnings"] == []
    at = wait()
    bucket = source.settings.bucket_evidence
    purge(source, bucket)
    selection = Selection(prefix="runbooks/")
    plan = plan_restore(source.settings, selection=selection, to_time=at, target=bucket, role="evidence")
    assert execute_restore(source.settings, plan).written == 3
    assert len(contents(source, bucket)) == 3


def test_an_unknown_place_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no copies of 'insights'"):
        copied_place("insights")


def test_what_a_killed_copy_did_is_not_read_again(
    source: Source, first: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(source, source.settings.bucket_media, 10, "more/")
    read: list[str] = []
    original = ObjectStorage.download

    def download(storage: ObjectStorage, bucket: str, key: str, *rest: Any, **named: Any) -> Any:
        read.append(key)
        if len(read) == 6:
            raise KeyboardInterrupt
        return original(storage, bucket, key, *rest, **named)

    monkeypatch.setattr(ObjectStorage, "download", download)
    with pytest.raises(KeyboardInterrupt):
        run_backup(source.engine, source.settings, "objects")
    journal = source.settings.data_dir / "tmp" / NAME
    assert oct(journal.stat().st_mode & 0o777) == "0o600"
    with journal.open("a") as stream:
        stream.write('{"key": "torn')
    done, read[:] = read[:5], []
    read.extend([""] * 7)  # no further interruption
    backup = run_backup(source.engine, source.settings, "objects")
    assert len(done) == 5 and not set(done) & set(read), "what was copied before the end is not read again"
    assert len([key for key in read if key.startswith("more/")]) == 5
    assert verify_backup(source.engine, source.settings, backup.id).manifest["verification"]["ok"]


def test_a_journal_after_another_backup_is_forgotten(source: Source, first: Backup) -> None:
    journal = source.settings.data_dir / "tmp" / NAME
    lie = {"key": "documents/000", "version": "v", "bytes": 1, "sha256": "0" * 64}
    journal.write_text(json.dumps({"after": "another"}) + "\n" + json.dumps(lie) + "\n")
    backup = run_backup(source.engine, source.settings, "objects")
    assert verify_backup(source.engine, source.settings, backup.id).manifest["verification"]["ok"]


def test_a_lost_inventory_is_warned_of_and_stops_nothing(source: Source, first: Backup) -> None:
    before = run_backup(source.engine, source.settings, "objects")
    source.storage.delete(source.settings.bucket_backups, before.manifest["inventory"]["key"])
    after = run_backup(source.engine, source.settings, "objects")
    assert after.manifest["copied_bytes"] == 0 and roles(source, after)["media"] >= COUNT
    (warning,) = public(after)["warnings"]
    assert f"inventory of backup {before.id} can't be read" in warning


@pytest.mark.long
def test_a_shrunken_source_is_copied_and_warned_of(source: Source, first: Backup) -> None:
    media = source.settings.bucket_media
    before = run_backup(source.engine, source.settings, "objects")
    kept = contents(source, media)
    for key in list(kept)[2:]:
        source.storage.delete(media, key)
    source.storage.put_bytes(media, "documents/fresh", b"new while shrunken")
    try:
        shrunken = run_backup(source.engine, source.settings, "objects")
        (warning,) = public(shrunken)["warnings"]
        assert "media has 3 objects and had" in warning
        assert shrunken.manifest["copied_bytes"] > 0
        assert verify_backup(source.engine, source.settings, before.id).manifest["verification"]["ok"]
    finally:
        for key, content in kept.items():
            source.storage.put_bytes(media, key, content)


@pytest.mark.long
@pytest.mark.parametrize("bucket", ["bucket_media", "bucket_evidence"])
def test_a_vanished_bucket_stops_the_copy_and_the_next_recovers(
    source: Source, first: Backup, bucket: str
) -> None:
    name, at = getattr(source.settings, bucket), None
    good = run_backup(source.engine, source.settings, "objects")
    at = wait()
    purge(source, name)
    source.storage.client.delete_bucket(Bucket=name)
    with pytest.raises(IntegrityFailed, match="is empty and its last backup has"):
        run_backup(source.engine, source.settings, "objects")
    assert verify_backup(source.engine, source.settings, good.id).manifest["verification"]["ok"]
    role = bucket.removeprefix("bucket_")
    plan = plan_restore(source.settings, selection=ALL, to_time=at, target=name, role=role)
    assert execute_restore(source.settings, plan).failed == {}
    again = run_backup(source.engine, source.settings, "objects")
    assert again.manifest["copied_bytes"] == 0, "every content is still there"
    assert roles(source, again) == roles(source, good)


def test_an_object_removed_for_good_while_copying_does_not_stop_the_others(
    source: Source, first: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(source, source.settings.bucket_media, 3, "brief/")
    original = ObjectStorage.head

    def head(storage: ObjectStorage, bucket: str, key: str, **named: Any) -> Any:
        if key == "brief/001":
            purge(source, bucket, key)
        return original(storage, bucket, key, **named)

    monkeypatch.setattr(ObjectStorage, "head", head)
    backup = run_backup(source.engine, source.settings, "objects")
    assert "brief/001 was removed while" in public(backup)["warnings"][0]
    assert verify_backup(source.engine, source.settings, backup.id).manifest["verification"]["ok"]


@pytest.fixture(scope="module")
def second() -> Iterator[ObjectStore]:
    """A second store, as in another location."""
    folder = Path(tempfile.mkdtemp(prefix="leitstand-second-"))
    store = ObjectStore(folder, free_base_port(), "second-access", f"second-{os.urandom(8).hex()}")
    process = store.start()
    try:
        yield store
    finally:
        process.kill()
        process.wait()
        store.remove_sockets()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.long
def test_copies_in_a_second_store_are_enough_when_the_first_is_lost(
    source: Source, first: Backup, second: ObjectStore, tmp_path: Path
) -> None:
    settings = source.settings.model_copy(
        update={
            "copies_s3_endpoint": second.endpoint,
            "copies_s3_access_key": SecretStr(second.access_key),
            "copies_s3_secret_key": SecretStr(second.secret_key),
        }
    )
    at_first = wait()
    backup = run_backup(source.engine, settings, "objects")
    assert backup.manifest["elsewhere"] and verify_backup(source.engine, settings, backup.id)
    copies = copies_for(settings, backup.manifest)
    assert len(list(copies.storage.list(copies.bucket, DATA))) > COUNT
    assert run_backup(source.engine, settings, "objects").manifest["copied_bytes"] == 0
    at = wait()
    lost = settings.model_copy(update={"bucket_media": "gone", "bucket_backups": "gone-too"})
    target = tmp_path / "restored"
    plan = plan_restore(lost, selection=ALL, to_time=at, target=str(target))
    done = execute_restore(lost, plan)
    assert done.failed == {} and done.written == len(contents(source, source.settings.bucket_media))
    one = target / "documents" / "000"
    assert hashlib.sha256(one.read_bytes()).hexdigest() == hashlib.sha256(b"documents/0").hexdigest()
    earlier = plan_restore(settings, selection=ALL, to_time=at_first, target=str(tmp_path / "earlier"))
    assert earlier.state.copies.elsewhere is False, "taken before the second store was set"


def test_a_second_store_without_credentials_is_refused(source: Source) -> None:
    settings = source.settings.model_copy(update={"copies_s3_endpoint": "http://127.0.0.1:9"})
    with pytest.raises(PreconditionFailed, match="no credentials"):
        operations.run_backup(source.engine, settings, "objects")
