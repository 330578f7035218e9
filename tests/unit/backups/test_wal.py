"""Names of log segments."""

import random

import pytest

from leitstand.backups import wal

TIMELINE = "00000001"


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("000000010000000000000001", "000000010000000000000002"),
        ("0000000100000000000000FF", "000000010000000100000000"),
        ("00000002000000FF000000FF", "000000020000010000000000"),
    ],
)
def test_next_segment(name: str, after: str) -> None:
    assert wal.next_segment(name) == after


def test_next_segment_with_larger_segments() -> None:
    assert wal.next_segment("000000010000000000000003", 1024**3) == "000000010000000100000000"


def test_the_segment_of_a_position() -> None:
    assert wal.segment_of(wal.lsn_number("0/2000028"), 1) == "000000010000000000000002"
    assert wal.segment_of(wal.lsn_number("1A/FF000028"), 3) == "000000030000001A000000FF"


def test_a_gap_is_found_wherever_it_is() -> None:
    names = ["0000000100000000000000FD"]
    while len(names) < 12:
        names.append(wal.next_segment(names[-1]))
    shuffled = random.sample(names, len(names))
    assert wal.first_gap(shuffled) == ""
    assert wal.first_gap([]) == ""
    for missing in names[1:-1]:
        assert wal.first_gap([name for name in names if name != missing]) == missing


@pytest.mark.parametrize(
    "name",
    [
        "000000010000000000000001",
        "00000002.history",
        "000000010000000000000001.partial",
        "000000010000000000000003.00000028.backup",
    ],
)
def test_what_postgresql_archives(name: str) -> None:
    assert wal.is_archived_name(name)
    assert wal.key("7", name).startswith(f"postgres/7/wal/{name[:8]}/{name}")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../../etc/passwd",
        "000000010000000000000001\n",
        "00000001000000000000000g",
        "000000010000000000000001/..",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    assert not wal.is_archived_name(name)
