"""Retention holds its promises on any catalogue."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.backups.retention import (
    COMPLETE,
    DAMAGED,
    MISSING,
    REMOVING,
    RUNNING,
    UNPROVEN,
    Entry,
    Plan,
    Policy,
    plan,
)

START = datetime(2025, 1, 1, tzinfo=UTC)
KINDS = ("postgres", "objects")


@st.composite
def catalogues(draw: st.DrawFn) -> list[Entry]:
    """Up to 40 backups over up to two years, some of them increments of the one that was newest then."""
    hours = sorted(draw(st.lists(st.integers(0, 24 * 730), min_size=1, max_size=40)))
    entries: list[Entry] = []
    for number, hour in enumerate(hours):
        kind = draw(st.sampled_from(KINDS))
        status = draw(st.sampled_from([COMPLETE] * 8 + [RUNNING, MISSING, REMOVING]))
        before = [entry for entry in entries if entry.kind == kind and entry.status == COMPLETE]
        parent = before[-1].id if before and draw(st.integers(0, 3)) == 0 else ""
        at = START + timedelta(hours=hour)
        archive = draw(st.sampled_from(["71", "72"])) if kind == "postgres" and status != RUNNING else ""
        entries.append(
            Entry(
                f"{number:04d}", kind, status, at - timedelta(minutes=20), None if status == RUNNING else at,
                parent_id=parent,
                proven_at=at + timedelta(hours=1) if draw(st.booleans()) else None,
                verified=draw(st.sampled_from([None, None, True, False])),
                kept=draw(st.integers(0, 9)) == 0, pinned=draw(st.integers(0, 9)) == 0,
                ours=draw(st.integers(0, 9)) > 0, archive=archive,
                first_position=f"{hour:016X}" if archive else "", last_position=f"{hour + 1:016X}" if archive else "",
            )
        )  # fmt: skip
    return entries


instants = st.integers(0, 24 * 1100).map(lambda hour: START + timedelta(hours=hour, seconds=1))


def kept_ids(made: Plan) -> set[str]:
    return {verdict.id for verdict in made.verdicts if verdict.keep}


def removed_ids(made: Plan) -> set[str]:
    return {verdict.id for verdict in made.removed}


def usable(entry: Entry, by_id: dict[str, Entry]) -> bool:
    return entry.status == COMPLETE and (
        not entry.parent_id or (entry.parent_id in by_id and usable(by_id[entry.parent_id], by_id))
    )


@given(catalogues(), instants)
def test_the_last_proven_backup_and_all_that_is_newer_stay(entries: list[Entry], now: datetime) -> None:
    gone, by_id = removed_ids(plan(entries, now)), {entry.id: entry for entry in entries}
    for kind in KINDS:
        sound = [
            entry for entry in entries if entry.kind == kind and usable(entry, by_id) and entry.at <= now
        ]
        drilled = [entry for entry in sound if entry.proven_at and entry.proof != DAMAGED]
        proven = drilled or [entry for entry in sound if entry.proof > UNPROVEN]
        complete = [entry for entry in entries if entry.kind == kind and entry.status == COMPLETE]
        floor = max(proven, key=lambda entry: (entry.at, entry.id)) if proven else None
        for entry in complete:
            if floor is None or (entry.at, entry.id) >= (floor.at, floor.id):
                assert entry.id not in gone


@given(catalogues(), instants)
def test_what_is_marked_in_use_running_recent_or_not_ours_stays(entries: list[Entry], now: datetime) -> None:
    gone = removed_ids(plan(entries, now))
    for entry in entries:
        recent = entry.at > now - timedelta(days=14)
        protected = entry.kept or entry.pinned or not entry.ours or recent
        if entry.status == RUNNING or (entry.status == COMPLETE and protected):
            assert entry.id not in gone


@given(catalogues(), instants)
def test_nothing_that_stays_lacks_a_parent_and_increments_go_first(
    entries: list[Entry], now: datetime
) -> None:
    made, by_id = plan(entries, now), {entry.id: entry for entry in entries}
    kept, order = kept_ids(made), [verdict.id for verdict in made.removed]
    for entry in entries:
        parent = by_id.get(entry.parent_id)
        if entry.id in kept and parent and parent.status == COMPLETE:
            assert parent.id in kept
        if entry.id in order and entry.parent_id in order:
            assert order.index(entry.id) < order.index(entry.parent_id)


@given(catalogues(), instants, st.integers(0, 24 * 400))
def test_what_is_not_wanted_is_never_wanted_again(entries: list[Entry], now: datetime, hours: int) -> None:
    later = plan(entries, now + timedelta(hours=hours))
    sooner = plan(entries, now)
    assert removed_ids(sooner) <= removed_ids(later)
    afterwards = [entry for entry in entries if entry.id not in removed_ids(sooner)]
    assert kept_ids(plan(afterwards, now)) == kept_ids(sooner), "carried out, the plan changes nothing more"


@given(catalogues(), instants, st.integers(0, 24 * 400))
def test_the_log_that_something_needs_stays(entries: list[Entry], now: datetime, hours: int) -> None:
    made, by_id = plan(entries, now), {entry.id: entry for entry in entries}
    later = {need.archive: need for need in plan(entries, now + timedelta(hours=hours)).logs}
    for need in made.logs:
        mine = [
            by_id[identifier] for identifier in kept_ids(made) if by_id[identifier].archive == need.archive
        ]
        for entry in mine:
            assert need.needs(f"00000001{entry.first_position}") and need.needs(
                f"00000002{entry.last_position}"
            )
            if entry.at > now - timedelta(days=14):
                assert need.needs("00000001" + "F" * 16), "and everything since"
                assert need.keep_from <= entry.first_position
        assert need.needs("00000003.history")
        for entry in entries:
            name = f"00000001{entry.first_position}"
            if entry.archive == need.archive and need.archive in later and not need.needs(name):
                assert not later[need.archive].needs(name)


@given(catalogues(), instants, st.randoms(use_true_random=False))
def test_order_zone_and_clock_changes_make_no_difference(
    entries: list[Entry], now: datetime, random: object
) -> None:
    zone = ZoneInfo("Europe/Berlin")
    local = [
        replace(
            entry,
            started_at=entry.started_at.astimezone(zone),
            finished_at=entry.finished_at.astimezone(zone) if entry.finished_at else None,
        )
        for entry in entries
    ]
    random.shuffle(local)  # type: ignore[attr-defined]
    assert plan(local, now.astimezone(zone)).to_dict() == plan(entries, now).to_dict()


def nightly(days: int, now: datetime, **more: object) -> list[Entry]:
    """A backup a night at 02:15 UTC, the newest this night; each drilled and with its log."""
    newest = now.replace(hour=2, minute=15)
    made = []
    for age in range(days):
        at = newest - timedelta(days=age)
        position = f"{10_000 - age:016X}"
        values = {
            "proven_at": at,
            "archive": "71",
            "first_position": position,
            "last_position": position,
            **more,
        }
        made.append(Entry(f"{days - age:04d}", "postgres", COMPLETE, at, at, **values))  # type: ignore[arg-type]
    return made


NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)


def test_a_year_and_a_half_of_nights() -> None:
    made = plan(nightly(550, NOW), NOW)
    by_class = {
        name: sorted(
            f"{verdict.at:%Y-%m-%d}" for verdict in made.verdicts if verdict.keep and name in verdict.classes
        )
        for name in ("window", "daily", "weekly", "monthly")
    }
    assert len(by_class["window"]) == 15 and by_class["window"][0] == "2026-11-12"
    assert by_class["daily"][0] == "2026-11-20" and len(by_class["daily"]) == 7
    assert by_class["weekly"] == ["2026-11-08", "2026-11-15", "2026-11-22", "2026-11-26"]
    assert by_class["monthly"][:2] == ["2025-12-31", "2026-01-31"] and len(by_class["monthly"]) == 12
    assert len(made.removed) == 550 - len(kept_ids(made)) and len(kept_ids(made)) == 15 + 1 + 11
    (need,) = made.logs
    assert need.keep_from == f"{10_000 - 14:016X}" and len(need.ranges) == 12


def test_run_every_night_it_keeps_what_it_would_have_kept_at_once() -> None:
    """Carried out each night for 400 nights, across changes of clocks, it ends where one plan over all would."""
    everything = list(reversed(nightly(400, NOW)))
    there: list[Entry] = []
    for entry in everything:
        there.append(entry)
        gone = removed_ids(plan(there, entry.at + timedelta(hours=2)))
        there = [one for one in there if one.id not in gone]
        assert len(gone) <= 2, "a steady schedule removes little at a time"
    assert {entry.id for entry in there} == kept_ids(plan(everything, NOW))


def test_a_day_in_which_clocks_change_is_one_day() -> None:
    """The night of 25 October 2026 has 25 hours in Berlin: the backups of 00:30 and 23:30 UTC are of one UTC day."""
    at = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1, 22, 23)]
    entries = [Entry(str(n), "objects", COMPLETE, one, one, verified=True) for n, one in enumerate(at)]
    made = plan(
        entries, datetime(2026, 12, 1, tzinfo=UTC), Policy(window=timedelta(hours=1), weekly=0, monthly=0)
    )
    assert kept_ids(made) == {"3"}


def test_a_proven_backup_stands_for_its_period_before_a_newer_one_that_is_not() -> None:
    entries = nightly(60, NOW, proven_at=None)
    good = next(entry for entry in entries if f"{entry.at:%m-%d}" == "10-29")
    proven = [
        replace(entry, proven_at=entry.at) if entry in (good, entries[0]) else entry for entry in entries
    ]
    reasons = {verdict.id: verdict.classes for verdict in plan(proven, NOW).verdicts if verdict.keep}
    assert reasons[good.id] == ("monthly",)


def test_nothing_is_removed_while_nothing_was_ever_proven() -> None:
    made = plan(nightly(100, NOW, proven_at=None), NOW)
    assert made.removed == ()
    assert "no backup of postgres has been proven yet" in made.verdicts[-1].words


def test_while_drills_fail_backups_and_their_log_pile_up() -> None:
    entries = [
        replace(entry, proven_at=entry.at if number >= 40 else None)
        for number, entry in enumerate(nightly(60, NOW))
    ]
    made = plan(entries, NOW)
    assert {entry.id for entry in entries[:41]} <= kept_ids(made)
    assert made.logs[0].keep_from == entries[40].first_position


def test_the_log_of_a_cluster_without_a_backup_is_left_alone() -> None:
    running = Entry("1", "postgres", RUNNING, NOW, archive="71")
    assert plan([running], NOW).logs == ()


@pytest.mark.parametrize("change", [{"status": MISSING}, {"parent_id": "gone"}, {"verified": False}])
def test_what_can_not_be_restored_stands_for_nothing(change: dict[str, object]) -> None:
    """The last night of September is of no use: the night before stands for the month."""
    entries = [
        replace(entry, **change) if f"{entry.at:%m-%d}" == "09-30" else entry  # type: ignore[arg-type]
        for entry in nightly(100, NOW)
    ]
    months = [
        verdict for verdict in plan(entries, NOW).verdicts if verdict.keep and "monthly" in verdict.classes
    ]
    assert "2026-09-29" in {f"{verdict.at:%Y-%m-%d}" for verdict in months}


def test_the_same_removal_has_the_same_hash() -> None:
    entries = nightly(30, NOW)
    made = plan(entries, NOW)
    assert plan(entries, NOW + timedelta(minutes=5)).sha256 == made.sha256
    assert plan(entries, NOW + timedelta(days=1)).sha256 != made.sha256
