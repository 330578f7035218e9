"""Copies of the objects: complete, incremental, and untouched by whatever happens to the source."""

import os
from collections.abc import Iterator
from uuid import UUID

import pytest

from leitstand.backups.inventory import Entry, data_key, read_inventory
from leitstand.backups.operations import run_backup, verify_backup
from leitstand.backups.places import copies_for
from leitstand.catalogue.companions import ensure_companion
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from leitstand.errors import IntegrityFailed
from leitstand.events.archive.moving import archive
from leitstand.events.archive.parts import list_parts
from leitstand.events.ledger import record
from leitstand.identity.workspaces import ensure_workspace
from tests.integration.events.archiving import LATER, OLD, made
from tests.source import Source

CONTENTS = {
    "documents/a": b"alpha",
    "documents/b": os.urandom(20_000_000),
    "documents/same": b"alpha",
    "empty": b"",
}


@pytest.fixture(scope="module")
def first(source: Source) -> Backup:
    for key, content in CONTENTS.items():
        source.storage.put_bytes(source.settings.bucket_media, key, content)
    return run_backup(source.engine, source.settings, "objects")


@pytest.fixture
def workspace_with_old_events(source: Source) -> Iterator[UUID]:
    with transaction(source.engine) as session:
        found = ensure_workspace(session, slug="old").id
        companion = ensure_companion(session, workspace_id=found, key="helper")
        record(session, workspace_id=found, events=[made(companion, OLD)])
    yield found
    for info in source.storage.list(source.settings.bucket_media, f"events/{found}/"):
        source.storage.delete(source.settings.bucket_media, info.key)


def entries(source: Source, backup: Backup) -> dict[str, Entry]:
    copies = copies_for(source.settings, backup.manifest)
    return {entry.key: entry for entry in read_inventory(copies, source.settings, backup.manifest)}


def test_every_object_is_in_the_inventory_and_intact(source: Source, first: Backup) -> None:
    inventory = entries(source, first)
    assert set(inventory) == set(CONTENTS)
    assert all(entry.version for entry in inventory.values())
    verified = verify_backup(source.engine, source.settings, first.id)
    assert verified.manifest["verification"]["ok"]


def test_archived_events_are_among_them(source: Source, workspace_with_old_events: UUID) -> None:
    (moved,) = archive(source.engine, source.settings, now=LATER)
    assert moved.events == 1
    with transaction(source.engine) as session:
        (part,) = list_parts(session, workspace_id=workspace_with_old_events)
    found = entries(source, run_backup(source.engine, source.settings, "objects"))
    assert found[part.key].sha256 == part.sha256
    assert part.key.replace(".parquet", ".manifest.json") in found


def test_neither_names_nor_contents_can_be_read_in_the_store(source: Source, first: Backup) -> None:
    for info in source.storage.list(source.settings.bucket_backups, "objects/"):
        body = source.storage.get_bytes(source.settings.bucket_backups, info.key)
        assert b"documents/a" not in body
        assert info.key.endswith("manifest.json") or body.startswith(b"age-encryption.org/v1\n")


def test_only_what_changed_is_copied(source: Source, first: Backup) -> None:
    unchanged = run_backup(source.engine, source.settings, "objects")
    assert unchanged.manifest["copied_bytes"] == 0
    source.storage.put_bytes(source.settings.bucket_media, "documents/a", b"alpha, changed")
    changed = run_backup(source.engine, source.settings, "objects")
    assert 0 < changed.manifest["copied_bytes"] < 1000
    assert entries(source, changed)["documents/a"] != entries(source, first)["documents/a"]
    assert verify_backup(source.engine, source.settings, first.id).manifest["verification"]["ok"], (
        "the older backup keeps its own"
    )


def test_a_copy_that_is_gone_is_made_again(source: Source, first: Backup) -> None:
    entry = entries(source, run_backup(source.engine, source.settings, "objects"))["documents/b"]
    source.storage.delete(source.settings.bucket_backups, data_key(entry.sha256))
    with pytest.raises(IntegrityFailed):
        verify_backup(source.engine, source.settings, first.id)
    mended = run_backup(source.engine, source.settings, "objects")
    assert mended.manifest["copied_bytes"] > 20_000_000
    assert verify_backup(source.engine, source.settings, first.id).manifest["verification"]["ok"]


def test_a_damaged_copy_is_found(source: Source, first: Backup) -> None:
    key = data_key(entries(source, first)["documents/same"].sha256)
    original = source.storage.get_bytes(source.settings.bucket_backups, key)
    source.storage.put_bytes(source.settings.bucket_backups, key, original[:-1] + bytes([original[-1] ^ 1]))
    try:
        with pytest.raises(IntegrityFailed, match="decrypted"):
            verify_backup(source.engine, source.settings, first.id)
    finally:
        source.storage.put_bytes(source.settings.bucket_backups, key, original)


def test_an_empty_source_is_not_copied_over_a_good_copy(source: Source, first: Backup) -> None:
    storage, media = source.storage, source.settings.bucket_media
    removed = {info.key: storage.get_bytes(media, info.key) for info in storage.list(media)}
    for key in removed:
        storage.delete(media, key)
    try:
        with pytest.raises(IntegrityFailed, match="is empty"):
            run_backup(source.engine, source.settings, "objects")
        assert verify_backup(source.engine, source.settings, first.id).manifest["verification"]["ok"]
    finally:
        for key, content in removed.items():
            storage.put_bytes(media, key, content)


def test_an_object_that_differs_from_its_own_hash_is_not_copied_silently(
    source: Source, first: Backup
) -> None:
    source.storage.client.put_object(
        Bucket=source.settings.bucket_media, Key="forged", Body=b"x", Metadata={"sha256": "0" * 64}
    )
    try:
        with pytest.raises(IntegrityFailed, match="forged"):
            run_backup(source.engine, source.settings, "objects")
    finally:
        source.storage.delete(source.settings.bucket_media, "forged")
