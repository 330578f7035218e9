"""Derived UUIDv7."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from leitstand.db.ids import derived_uuid7, lowest_uuid7

MOMENTS = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))


@given(MOMENTS, st.binary())
def test_is_a_valid_uuid7_of_its_instant_and_repeatable(at: datetime, content: bytes) -> None:
    made = derived_uuid7(at, content)
    assert made == derived_uuid7(at, content)
    assert made.version == 7
    assert made.int >> 80 == int(at.timestamp() * 1000)
    assert lowest_uuid7(at) <= made


@given(MOMENTS)
def test_other_content_gives_another_id(at: datetime) -> None:
    assert derived_uuid7(at, b"a") != derived_uuid7(at, b"b")
