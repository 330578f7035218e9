"""Retention carried out: what the plan says goes, its log goes, and everything doubtful stays."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from leitstand.backups import entries, pins, pruning
from leitstand.backups.caution import cautions
from leitstand.backups.pruning import propose, prune
from leitstand.backups.retention import COMPLETE, Entry, plan
from leitstand.db.engine import transaction
from leitstand.db.exclusive import exclusive
from leitstand.db.models import Backup, PruneRun
from leitstand.errors import Conflict, NotFound, PreconditionFailed
from tests.backups import CLUSTER, Shelf, nights, segment, shelf

__all__ = ["shelf"]


def run_rows(shelf: Shelf) -> list[PruneRun]:
    with transaction(shelf.engine) as session:
        return list(session.scalars(select(PruneRun).order_by(PruneRun.started_at.desc())))


def confirmed(shelf: Shelf) -> str:
    with transaction(shelf.engine) as session:
        return propose(session, shelf.settings).plan.sha256


def gone(shelf: Shelf, backup_id: UUID) -> bool:
    """Nothing is left of it but what says that it was removed."""
    with pytest.raises(NotFound):
        entries.read(shelf.storage, shelf.bucket, "postgres", backup_id)
    told = entries.buried(shelf.storage, shelf.bucket, "postgres", backup_id)
    return shelf.keys(backup_id) == [] and told["status"] == shelf.row(backup_id).status == "removed"


@pytest.fixture
def eighteen(shelf: Shelf) -> list[UUID]:
    """Three nights are older than the window; at most two of them end a week or a month, so one at least goes."""
    return nights(shelf, 18)


def test_what_the_plan_says_goes_with_its_log(shelf: Shelf) -> None:
    ids = nights(shelf, 32)
    shelf.put_log(35)
    shelf.storage.put_bytes(shelf.bucket, f"postgres/{CLUSTER}/wal/notes.txt", b"not ours")
    shelf.storage.put_bytes(shelf.bucket, "other/thing", b"not ours")
    with transaction(shelf.engine) as session:
        proposal = propose(session, shelf.settings)
    assert {caution.name for caution in proposal.cautions} <= {"much"}
    result = prune(shelf.engine, shelf.settings, confirmed=proposal.plan.sha256, requested_by="me")
    assert sorted(result.removed) == sorted(verdict.id for verdict in proposal.plan.removed)
    assert len(result.removed) > 8 and result.bytes > 0 and result.left == []
    assert all(gone(shelf, UUID(one)) for one in result.removed)
    stay = [one for one in ids if str(one) not in result.removed]
    assert set(shelf.statuses(stay)) == {"complete"} and all(len(shelf.keys(one)) == 4 for one in stay)
    log = shelf.log()
    assert [name for name in log if name >= segment(14)] == [
        segment(day, n) for day in range(14, -1, -1) for n in range(3)
    ] + ["00000002.history", "notes.txt"]
    older = {shelf.row(one).manifest["start_segment"] for one in stay if one in ids[15:]}
    assert set(log) - {"notes.txt", "00000002.history"} >= older and "00000002.history" in log
    assert result.logs[0].gap == "" and result.log_removed == (35 - 14) * 3 - len(older)
    assert shelf.storage.get_bytes(shelf.bucket, "other/thing") == b"not ours"
    (run,) = run_rows(shelf)
    assert (run.status, run.removed, run.requested_by) == ("complete", len(result.removed), "me")
    again = prune(shelf.engine, shelf.settings)
    assert (again.removed, again.log_removed) == ([], 0)


def test_a_backup_that_is_kept_or_in_use_stays_with_its_log(shelf: Shelf) -> None:
    ids = nights(shelf, 20, first=10.5)
    recent = shelf.put(0.2)
    shelf.put_log(31)
    kept, used = ids[9], ids[13]
    with transaction(shelf.engine) as session:
        session.get_one(Backup, kept).kept = True
    with pins.in_use(shelf.storage, shelf.bucket, "postgres", str(used), say=print, afterwards=True):
        pass
    result = prune(shelf.engine, shelf.settings, confirmed=confirmed(shelf))
    assert result.removed and not {str(kept), str(used), str(recent)} & set(result.removed)
    assert set(shelf.statuses([kept, used, recent])) == {"complete"}
    first = shelf.row(used).manifest["start_segment"]
    assert [name for name in shelf.log() if name >= first][:3] == [first, segment(23, 1), segment(23, 2)]


def test_a_mark_that_comes_after_the_plan_is_seen(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """The restore sets its mark between the plan and the removal: the backup is called complete again."""
    ids = nights(shelf, 18)
    wanted = confirmed(shelf)
    with transaction(shelf.engine) as session:
        target = propose(session, shelf.settings).plan.removed[0].id
    original = pruning.remove_backup

    def late(*arguments: object, **named: object) -> object:
        if arguments[3] == target:
            shelf.storage.put_bytes(shelf.bucket, f"{pins.PINS}{target}/29991231T000000Z-x", b"")
        return original(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(pruning, "remove_backup", late)
    result = prune(shelf.engine, shelf.settings, confirmed=wanted)
    assert [(removal.id, removal.in_use) for removal in result.left] == [(target, True)]
    assert shelf.row(UUID(target)).status == "complete" and len(shelf.keys(UUID(target))) == 4
    assert entries.read(shelf.storage, shelf.bucket, "postgres", target)["status"] == "complete"
    assert len(ids) == 18


def test_a_restore_refuses_what_is_being_removed(shelf: Shelf) -> None:
    (backup_id,) = nights(shelf, 1)
    with transaction(shelf.engine) as session:
        row = session.get_one(Backup, backup_id)
        row.status = "removing"
    entries.store(shelf.storage, shelf.bucket, row)
    assert entries.usable_entries(shelf.storage, shelf.bucket, "postgres") == []
    with (
        pytest.raises(Conflict, match="is being removed"),
        pins.in_use(shelf.storage, shelf.bucket, "postgres", str(backup_id), say=print, afterwards=True),
    ):
        pytest.fail("it must not begin")
    assert pins.used(shelf.storage, shelf.bucket, datetime.now(UTC)) == set()


def test_marks_wear_off(shelf: Shelf) -> None:
    with pins.in_use(shelf.storage, shelf.bucket, "postgres", "one", say=print, afterwards=True):
        assert pins.used(shelf.storage, shelf.bucket, datetime.now(UTC)) == {"one"}
    tomorrow = datetime.now(UTC) + timedelta(hours=25)
    assert pins.used(shelf.storage, shelf.bucket, tomorrow) == set()
    pins.clear_worn_off(shelf.storage, shelf.bucket, datetime.now(UTC))
    assert pins.used(shelf.storage, shelf.bucket, datetime.now(UTC)) == {"one"}
    pins.clear_worn_off(shelf.storage, shelf.bucket, tomorrow)
    assert list(shelf.storage.list(shelf.bucket, pins.PINS)) == []


def test_while_a_backup_runs_none_of_its_kind_is_removed(shelf: Shelf, eighteen: list[UUID]) -> None:
    wanted = confirmed(shelf)
    with exclusive(shelf.engine, "backup of postgres"):
        result = prune(shelf.engine, shelf.settings, confirmed=wanted)
    assert result.removed == [] and result.skipped == ["postgres"] and result.left
    assert "Another backup of postgres is running." in {removal.left for removal in result.left}
    assert prune(shelf.engine, shelf.settings, confirmed=wanted).removed


def test_one_run_at_a_time(shelf: Shelf) -> None:
    with exclusive(shelf.engine, "prune"), pytest.raises(Conflict, match="Another prune"):
        prune(shelf.engine, shelf.settings)


def test_an_increment_goes_before_what_it_builds_on_and_keeps_it_otherwise(shelf: Shelf) -> None:
    base = shelf.put(40.0)
    child = shelf.put(39.9, parent_id=base)
    other = shelf.put(39.8)
    shelf.put(1.0), shelf.put(0.1)
    with transaction(shelf.engine) as session:
        session.get_one(Backup, child).kept = True
        session.get_one(Backup, other).status = "failed"
    prune(shelf.engine, shelf.settings, confirmed=confirmed(shelf))
    assert shelf.statuses([base, child]) == ["complete", "complete"]


def test_a_plan_that_changed_is_not_carried_out(shelf: Shelf, eighteen: list[UUID]) -> None:
    with pytest.raises(Conflict, match="has changed"):
        prune(shelf.engine, shelf.settings, confirmed="0" * 64)
    assert set(shelf.statuses(eighteen)) == {"complete"}
    assert run_rows(shelf)[0].status == "refused"


def test_unattended_it_removes_only_what_a_steady_schedule_would(shelf: Shelf) -> None:
    ids = nights(shelf, 60)
    with pytest.raises(PreconditionFailed, match="would go at once"):
        prune(shelf.engine, shelf.settings)
    assert set(shelf.statuses(ids)) == {"complete"}
    assert prune(shelf.engine, shelf.settings, confirmed=confirmed(shelf)).removed
    assert prune(shelf.engine, shelf.settings).removed == []


def test_a_clock_that_differs_from_the_stores_decides_nothing(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "clock_difference", lambda *_: 86_400.0)
    with pytest.raises(PreconditionFailed, match="86400 s ahead of"):
        prune(shelf.engine, shelf.settings, confirmed="anything")


def entry(number: int, at: datetime, **values: object) -> Entry:
    log = {"archive": "71", "first_position": f"{int(at.timestamp()):016X}"}
    return Entry(str(number), "postgres", COMPLETE, at, at, proven_at=at, **log, **values)  # type: ignore[arg-type]


NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("jump", "ages", "name"),
    [
        (timedelta(days=365), range(30), "hole"),
        (timedelta(days=365), range(4), "hole"),
        (timedelta(days=20), range(30), "hole"),
        (timedelta(days=-2), range(30), "clock-behind"),
        (timedelta(0), range(60), "much"),
    ],
)
def test_what_a_jumping_clock_brings_about_is_noticed(jump: timedelta, ages: range, name: str) -> None:
    """Also when a backup was taken, and proven, under the wrong time since."""
    past = [entry(age, NOW - timedelta(days=age)) for age in ages]
    now = NOW + jump
    found = [*past, entry(1000, now - timedelta(hours=1))] if jump > timedelta(0) else past
    assert name in {caution.name for caution in cautions(plan(found, now), found)}


def nightly(night: int) -> Entry:
    return entry(night, NOW + timedelta(days=night))


def increments(night: int) -> Entry:
    """A full one each week, and each other night an increment of the one before."""
    at = NOW + timedelta(days=night)
    return entry(night, at, parent_id="" if at.isoweekday() == 7 or night == 0 else str(night - 1))


def dumps(night: int) -> Entry | None:
    return (
        replace(entry(night, NOW + timedelta(days=night)), kind="dump", archive="")
        if night % 7 == 2
        else None
    )


@pytest.mark.parametrize("schedule", [nightly, increments, dumps])
def test_a_steady_schedule_raises_no_suspicion(schedule: Callable[[int], Entry | None]) -> None:
    there: list[Entry] = []
    for night in range(200):
        there += [taken] if (taken := schedule(night)) else []
        now = NOW + timedelta(days=night, hours=2)
        made = plan(there, now)
        assert cautions(made, there) == ()
        there = [one for one in there if one.id not in {verdict.id for verdict in made.removed}]
        known = {one.id for one in there}
        assert all(one.parent_id in known for one in there if one.parent_id)


def test_an_inventory_in_the_second_store_goes_with_its_backup_and_the_copies_stay(shelf: Shelf) -> None:
    settings = shelf.settings.model_copy(
        update={
            "copies_s3_endpoint": shelf.settings.s3_endpoint,
            "copies_s3_access_key": shelf.settings.s3_access_key,
            "copies_s3_secret_key": shelf.settings.s3_secret_key,
            "bucket_copies": f"{shelf.bucket}-copies",
        }
    )
    ids = nights(shelf, 18, kind="objects")
    bucket, storage = settings.bucket_copies, shelf.storage
    storage.ensure_bucket(bucket, versioned=False)
    storage.put_bytes(bucket, "objects/data/aa/content", b"a copy")
    for one in ids:
        storage.put_bytes(bucket, f"objects/{one}/inventory.json.zst.age", b"which copies")
        entries.store(storage, bucket, shelf.row(one))
    result = prune(shelf.engine, settings)
    assert result.removed
    left = {str(one) for one in ids} - set(result.removed)
    assert set(entries.ids(storage, bucket, "objects")) == left
    keys = {info.key for info in storage.list(bucket, "objects/")}
    assert keys == {"objects/data/aa/content"} | {f"objects/{one}/inventory.json.zst.age" for one in left}
    for info in list(storage.list(bucket)):
        storage.delete(bucket, info.key)
