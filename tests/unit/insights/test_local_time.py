"""The stretches between two changes of the clocks are those of the zone, to the second."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.insights.local_time import EPOCH, MICROSECOND, offsets

FIRST, LAST = datetime(2019, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Kathmandu",
]


@given(zone=st.sampled_from(ZONES), seconds=st.integers(0, int((LAST - FIRST).total_seconds()) - 1))
def test_every_instant_gets_the_offset_of_its_stretch(zone: str, seconds: int) -> None:
    at = FIRST + timedelta(seconds=seconds)
    since = [offset for begin, offset in offsets(zone, FIRST, LAST) if begin <= (at - EPOCH) // MICROSECOND]
    assert since[-1] * MICROSECOND == at.astimezone(ZoneInfo(zone)).utcoffset()


@pytest.mark.parametrize("zone", ZONES)
def test_a_stretch_begins_at_the_second_of_the_change(zone: str) -> None:
    for begin, offset in offsets(zone, FIRST, LAST)[1:]:
        at = EPOCH + begin * MICROSECOND
        assert at.astimezone(ZoneInfo(zone)).utcoffset() == offset * MICROSECOND
        assert (at - timedelta(seconds=1)).astimezone(ZoneInfo(zone)).utcoffset() != offset * MICROSECOND


def test_a_zone_without_changes_is_one_stretch() -> None:
    assert offsets("UTC", FIRST, LAST) == (((FIRST - EPOCH) // MICROSECOND, 0),)
