"""RPO from transactions, not from guesses."""

from datetime import UTC, datetime, timedelta

from leitstand.runbooks.source_point import Point, bytes_behind, lost, rpo_seconds

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


def point(next_transaction: int, committed: set[int], lsn: str = "0/3000000") -> Point:
    return Point(AT, lsn, next_transaction, frozenset(committed))


def test_nothing_is_lost_when_every_commit_is_there() -> None:
    assert lost(point(105, {100, 101, 104}), point(105, {100, 101, 104})) == 0
    assert lost(point(105, {100, 101}), point(120, {100, 101, 110})) == 0
    assert rpo_seconds(point(105, set()), 0, AT - timedelta(hours=5)) == 0.0


def test_a_commit_that_the_log_has_not_is_lost_though_its_id_was_seen() -> None:
    assert lost(point(105, {100, 104}), point(105, {100})) == 1
    assert rpo_seconds(point(105, set()), 1, AT - timedelta(seconds=42)) == 42.0


def test_a_recovery_beyond_the_start_loses_nothing_negative() -> None:
    assert rpo_seconds(point(105, set()), 1, AT + timedelta(seconds=3)) == 0.0
    assert bytes_behind(point(1, set(), "0/3000000"), "0/4000000") == 0
    assert bytes_behind(point(1, set(), "0/3000010"), "0/3000000") == 16


def test_json_and_back() -> None:
    original = point(105, {100, 104})
    assert Point.of(original.to_dict()) == original
