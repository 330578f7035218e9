"""Object storage against the real store."""

import hashlib
import os
from pathlib import Path

import pytest

from leitstand.errors import Conflict, IntegrityFailed, NotFound, PreconditionFailed
from leitstand.settings import Settings
from leitstand.storage.objects import MULTIPART_FROM, ObjectStorage

KEY = "tests/objects"


def test_buckets_are_made_once_and_again(storage: ObjectStorage) -> None:
    storage.ensure_buckets()
    versioning = storage.client.get_bucket_versioning(Bucket=storage.settings.bucket_media)
    assert versioning["Status"] == "Enabled"


def test_bytes_come_back_with_their_hash(storage: ObjectStorage) -> None:
    stored = storage.put_bytes(
        storage.settings.bucket_media, KEY, b"content", "text/plain", metadata={"origin": "test"}
    )
    head = storage.head(stored.bucket, KEY)
    assert storage.get_bytes(stored.bucket, KEY) == b"content"
    assert (head.sha256, head.bytes, head.content_type) == (
        hashlib.sha256(b"content").hexdigest(),
        7,
        "text/plain",
    )
    assert head.metadata["origin"] == "test"
    assert stored.version


def test_an_empty_object_is_an_object(storage: ObjectStorage, tmp_path: Path) -> None:
    storage.put_bytes(storage.settings.bucket_media, f"{KEY}/empty", b"")
    assert storage.get_bytes(storage.settings.bucket_media, f"{KEY}/empty") == b""
    storage.download(storage.settings.bucket_media, f"{KEY}/empty", tmp_path / "empty")
    assert (tmp_path / "empty").read_bytes() == b""


def test_a_large_file_goes_up_in_parts_and_comes_back(storage: ObjectStorage, tmp_path: Path) -> None:
    source, target = tmp_path / "large", tmp_path / "copy"
    source.write_bytes(os.urandom(MULTIPART_FROM + 12_345))
    stored = storage.put_file(storage.settings.bucket_backups, f"{KEY}/large", source)
    assert storage.head(stored.bucket, stored.key).sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert storage.head(stored.bucket, stored.key).etag.strip('"').endswith("-2")
    storage.download(stored.bucket, stored.key, target, sha256=stored.sha256)
    assert target.read_bytes() == source.read_bytes()
    assert list(tmp_path.iterdir()) == [target, source] or set(tmp_path.iterdir()) == {source, target}


def test_a_wrong_hash_leaves_no_file(storage: ObjectStorage, tmp_path: Path) -> None:
    storage.put_bytes(storage.settings.bucket_backups, f"{KEY}/wrong", b"content")
    with pytest.raises(IntegrityFailed, match="SHA-256 differs"):
        storage.download(storage.settings.bucket_backups, f"{KEY}/wrong", tmp_path / "copy", sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_content_that_was_exchanged_behind_its_hash_is_found(storage: ObjectStorage) -> None:
    bucket = storage.settings.bucket_backups
    stored = storage.put_bytes(bucket, f"{KEY}/forged", b"content")
    storage.client.put_object(
        Bucket=bucket, Key=f"{KEY}/forged", Body=b"c0ntent", Metadata={"sha256": stored.sha256}
    )
    with pytest.raises(IntegrityFailed):
        storage.get_bytes(bucket, f"{KEY}/forged")


def test_only_new_refuses_to_replace(storage: ObjectStorage) -> None:
    bucket = storage.settings.bucket_backups
    storage.delete(bucket, f"{KEY}/new")
    storage.put_bytes(bucket, f"{KEY}/new", b"first", only_new=True)
    with pytest.raises(Conflict):
        storage.put_bytes(bucket, f"{KEY}/new", b"second", only_new=True)
    assert storage.get_bytes(bucket, f"{KEY}/new") == b"first"


def test_versions_keep_what_was_replaced_and_deleted(storage: ObjectStorage) -> None:
    bucket, key = storage.settings.bucket_media, f"{KEY}/versions"
    first, second = storage.put_bytes(bucket, key, b"one"), storage.put_bytes(bucket, key, b"two")
    storage.delete(bucket, key)
    with pytest.raises(NotFound):
        storage.get_bytes(bucket, key)
    assert storage.get_bytes(bucket, key, version=first.version) == b"one"
    assert {info.version for info in storage.list_versions(bucket, key)} >= {first.version, second.version}


def test_a_listing_goes_over_pages(storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = storage.settings.bucket_backups
    for number in range(7):
        storage.put_bytes(bucket, f"{KEY}/list/{number}", b"x")
    original = storage.client.list_objects_v2
    monkeypatch.setattr(storage.client, "list_objects_v2", lambda **request: original(**request, MaxKeys=3))
    assert [info.key[-1] for info in storage.list(bucket, f"{KEY}/list/")] == list("0123456")


@pytest.mark.parametrize(
    "key", ["umlaut-äöü", "space and +plus", "slash//twice", "percent%20", "日本語", "tilde~'quote"]
)
def test_keys_of_every_kind(storage: ObjectStorage, key: str) -> None:
    storage.put_bytes(storage.settings.bucket_backups, f"{KEY}/keys/{key}", key.encode())
    assert storage.get_bytes(storage.settings.bucket_backups, f"{KEY}/keys/{key}") == key.encode()


def test_a_missing_object_and_a_missing_bucket_are_not_found(storage: ObjectStorage) -> None:
    with pytest.raises(NotFound, match="nothing-here"):
        storage.get_bytes(storage.settings.bucket_media, "nothing-here")
    with pytest.raises(NotFound):
        storage.put_bytes("leitstand-no-such-bucket", "key", b"x")


def test_a_wrong_secret_is_refused_with_the_way_out(settings: Settings) -> None:
    from pydantic import SecretStr

    stranger = ObjectStorage(settings.model_copy(update={"s3_secret_key": SecretStr("wrong")}))
    with pytest.raises(PreconditionFailed, match="credentials"):
        stranger.get_bytes(settings.bucket_media, KEY)


def test_the_probe_finds_all_that_is_needed(storage: ObjectStorage) -> None:
    result = storage.probe()
    assert {
        finding.name: finding.detail for finding in result.findings if finding.needed and not finding.works
    } == {}
    assert result.ok
    assert list(storage.list(storage.settings.bucket_backups, "probe/")) == []


def test_the_probe_says_what_fails(settings: Settings) -> None:
    result = ObjectStorage(settings).probe("leitstand-no-such-bucket")
    assert not result.ok
    assert not next(finding for finding in result.findings if finding.name == "put").works
