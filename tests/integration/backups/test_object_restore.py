"""Objects as they were at an instant: one, a prefix or all, from copies and from the bucket's own versions."""

import hashlib
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leitstand.backups.inventory import data_key
from leitstand.backups.object_restore import Plan, Selection, execute_restore, plan_restore
from leitstand.backups.operations import run_backup
from leitstand.db.models import Backup
from leitstand.errors import Conflict, InvalidInput, NotFound, PreconditionFailed
from tests.source import Source

ALL = Selection(everything=True)
CONTENTS = {"documents/a": b"alpha", "documents/b": b"beta", "documents/c%/d": b"gamma", "other/e": b""}


def wait() -> datetime:
    """An instant that is more than a second, a store's unit, away from what happens before and after it."""
    time.sleep(1.2)
    instant = datetime.now(UTC)
    time.sleep(1.2)
    return instant


@pytest.fixture
def media(source: Source) -> str:
    """The bucket with nothing but CONTENTS in it."""
    bucket = source.settings.bucket_media
    for info in list(source.storage.list(bucket)):
        source.storage.delete(bucket, info.key)
    for key, content in CONTENTS.items():
        source.storage.put_bytes(bucket, key, content, "text/plain", metadata={"language": "de"})
    return bucket


@pytest.fixture
def backup(source: Source, media: str) -> Backup:
    taken = run_backup(source.engine, source.settings, "objects")
    time.sleep(1.2)
    return taken


def contents(source: Source, bucket: str, prefix: str = "") -> dict[str, bytes]:
    return {
        info.key: source.storage.get_bytes(bucket, info.key) for info in source.storage.list(bucket, prefix)
    }


def plan(
    source: Source, at: datetime, target: str, selection: Selection = ALL, *, only_missing: bool = False
) -> Plan:
    return plan_restore(
        source.settings, selection=selection, to_time=at, target=target, only_missing=only_missing
    )


def purge(source: Source, bucket: str, prefix: str = "") -> None:
    """Remove every version and every mark of a deletion: what only copies bring back."""
    for info in list(source.storage.list_history(bucket, prefix)):
        source.storage.delete(bucket, info.key, version=info.version)


def test_deleted_and_overwritten_objects_come_back_and_nothing_current_is_lost(
    source: Source, backup: Backup, media: str
) -> None:
    at = wait()
    source.storage.put_bytes(media, "documents/a", b"overwritten")
    source.storage.delete(media, "documents/b")
    source.storage.put_bytes(media, "documents/new", b"came later")
    planned = plan(source, at, media)
    assert [(item.wanted.key, item.action) for item in planned.items] == [
        ("documents/a", "replace"), ("documents/b", "write"), ("documents/c%/d", "same"), ("other/e", "same"),
    ]  # fmt: skip
    assert planned.newer == 1 and planned.bytes == len(b"alphabeta")
    done = execute_restore(source.settings, planned)
    assert (done.written, done.failed) == (2, {})
    assert contents(source, media) == {**CONTENTS, "documents/new": b"came later"}
    versions = [
        source.storage.get_bytes(media, info.key, version=info.version)
        for info in source.storage.list_versions(media, "documents/a")
    ]
    assert b"overwritten" in versions
    head = source.storage.head(media, "documents/a")
    assert head.content_type == "text/plain" and head.metadata["language"] == "de"


def test_it_may_be_repeated_and_the_hash_of_the_plan_stays(
    source: Source, backup: Backup, media: str
) -> None:
    at = wait()
    source.storage.delete(media, "documents/a")
    first = plan(source, at, media)
    execute_restore(source.settings, first)
    again = plan(source, at, media)
    assert again.sha256 == first.sha256 and not again.of("write", "replace", "missing")
    assert execute_restore(source.settings, again).written == 0
    assert plan(source, at, media, Selection(prefix="other/")).sha256 != first.sha256


def test_when_every_version_is_gone_the_copies_bring_it_back(
    source: Source, backup: Backup, media: str
) -> None:
    at = wait()
    purge(source, media)
    done = execute_restore(source.settings, plan(source, at, media))
    assert (done.written, done.verified) == (4, 4)
    assert contents(source, media) == CONTENTS


def test_a_bucket_that_is_gone_is_made_and_filled(source: Source, backup: Backup, media: str) -> None:
    at = wait()
    purge(source, media)
    source.storage.client.delete_bucket(Bucket=media)
    assert execute_restore(source.settings, plan(source, at, media)).failed == {}
    assert contents(source, media) == CONTENTS and source.storage.is_versioned(media)


def test_between_two_inventories_the_bucket_itself_knows(source: Source, backup: Backup, media: str) -> None:
    """Written, overwritten and deleted after the inventory: what was there at the instant, not what was copied."""
    source.storage.put_bytes(media, "documents/a", b"second")
    source.storage.put_bytes(media, "documents/fresh", b"never copied")
    source.storage.delete(media, "documents/b")
    at = wait()
    source.storage.put_bytes(media, "documents/a", b"third")
    source.storage.delete(media, "documents/fresh")
    execute_restore(source.settings, plan(source, at, media))
    found = contents(source, media)
    assert found["documents/a"] == b"second" and found["documents/fresh"] == b"never copied"
    assert "documents/b" not in found, "it was deleted at that instant"


@pytest.mark.long
def test_an_earlier_inventory_is_in_force_before_the_later(
    source: Source, backup: Backup, media: str
) -> None:
    at = wait()
    source.storage.put_bytes(media, "documents/a", b"later")
    run_backup(source.engine, source.settings, "objects")
    purge(source, media)
    earlier, now = plan(source, at, media), plan(source, datetime.now(UTC), media)
    assert earlier.state.manifest["id"] == str(backup.id) != now.state.manifest["id"]
    execute_restore(source.settings, earlier)
    assert contents(source, media)["documents/a"] == b"alpha"


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        pytest.param(Selection(frozenset({"documents/a"})), {"documents/a"}, marks=pytest.mark.long),
        (Selection(prefix="documents/"), {"documents/a", "documents/b", "documents/c%/d"}),
        pytest.param(
            Selection(frozenset({"documents/a", "other/e"})),
            {"documents/a", "other/e"},
            marks=pytest.mark.long,
        ),
    ],
)
def test_one_object_a_prefix_or_several(
    source: Source, backup: Backup, media: str, selection: Selection, expected: set[str]
) -> None:
    at = wait()
    for key in CONTENTS:
        source.storage.delete(media, key)
    execute_restore(source.settings, plan(source, at, media, selection))
    assert set(contents(source, media)) == expected


def test_into_a_folder_nothing_leads_out_of_it_and_nothing_is_replaced(
    source: Source, backup: Backup, media: str, tmp_path: Path
) -> None:
    target, at = tmp_path / "restored", wait()
    done = execute_restore(source.settings, plan(source, at, str(target)))
    assert (done.written, done.verified) == (4, 4)
    files = {
        path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()
    }
    assert files == {
        "documents/a": b"alpha", "documents/b": b"beta", "documents/c%25/d": b"gamma", "other/e": b"",
    }  # fmt: skip
    (target / "documents" / "a").write_bytes(b"mine")
    with pytest.raises(PreconditionFailed, match="1 other files"):
        execute_restore(source.settings, plan(source, at, str(target)))
    execute_restore(source.settings, plan(source, at, str(target), only_missing=True))
    assert (target / "documents" / "a").read_bytes() == b"mine"


@pytest.mark.long
def test_into_another_bucket(source: Source, backup: Backup, media: str) -> None:
    at, other = wait(), f"{media}-restored"
    with pytest.raises(NotFound, match="no bucket"):
        plan(source, at, other)
    source.storage.ensure_bucket(other, versioned=False)
    execute_restore(source.settings, plan(source, at, other))
    assert contents(source, other) == CONTENTS
    source.storage.put_bytes(other, "documents/a", b"mine")
    with pytest.raises(PreconditionFailed, match="keeps no versions"):
        execute_restore(source.settings, plan(source, at, other))
    with pytest.raises(InvalidInput, match="holds something else"):
        plan(source, at, source.settings.bucket_backups)


@pytest.mark.long
def test_only_missing_replaces_nothing(source: Source, backup: Backup, media: str) -> None:
    at = wait()
    source.storage.put_bytes(media, "documents/a", b"newer")
    source.storage.delete(media, "documents/b")
    planned = plan(source, at, media, only_missing=True)
    assert [item.wanted.key for item in planned.of("left")] == ["documents/a"]
    execute_restore(source.settings, planned)
    assert (
        contents(source, media)["documents/a"] == b"newer"
        and contents(source, media)["documents/b"] == b"beta"
    )


@pytest.mark.long
def test_what_neither_copy_nor_bucket_has_is_named_and_the_rest_comes_back(
    source: Source, backup: Backup, media: str
) -> None:
    at = wait()
    purge(source, media)
    lost = data_key(hashlib.sha256(b"beta").hexdigest())
    source.storage.delete(source.settings.bucket_backups, lost)
    planned = plan(source, at, media)
    assert planned.to_dict()["missing_keys"] == ["documents/b"]
    done = execute_restore(source.settings, planned)
    assert set(done.failed) == {"documents/b"} and done.written == 3


def test_an_object_whose_content_is_not_what_it_says_is_replaced(
    source: Source, backup: Backup, media: str
) -> None:
    """Its metadata has the right hash; only reading it back tells."""
    at = wait()
    forged = {"sha256": hashlib.sha256(b"alpha").hexdigest()}
    source.storage.client.put_object(Bucket=media, Key="documents/a", Body=b"ALPHA", Metadata=forged)
    assert execute_restore(source.settings, plan(source, at, media)).written == 1
    assert contents(source, media)["documents/a"] == b"alpha"


def test_an_instant_without_an_inventory_is_refused(source: Source, backup: Backup, media: str) -> None:
    with pytest.raises(NotFound, match="as old as") as caught:
        plan(source, datetime(2001, 1, 1, tzinfo=UTC), media)
    assert "The oldest is of" in caught.value.hint
    with pytest.raises(InvalidInput, match="future"):
        plan(source, datetime.now(UTC) + timedelta(hours=1), media)
    with pytest.raises(NotFound, match="no such object"):
        plan(source, datetime.now(UTC), media, Selection(frozenset({"documents/none"})))


@pytest.mark.parametrize("arguments", [{}, {"prefix": "a", "everything": True}])
def test_a_selection_says_one_thing(arguments: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match="Say which"):
        Selection(**arguments)  # type: ignore[arg-type]


def test_one_restore_at_a_time(source: Source, backup: Backup, media: str) -> None:
    import fcntl

    with (source.settings.data_dir / "tmp" / "restore-objects.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Conflict, match="Another restore"):
            execute_restore(source.settings, plan(source, datetime.now(UTC), media))
