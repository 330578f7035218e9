"""Instants as text."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.events.instants import parse_instant

TEN = datetime(2022, 7, 8, 10, 14, 7, tzinfo=UTC)
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2099, 12, 30), timezones=OFFSETS)


@pytest.mark.parametrize(
    "text",
    [
        "2022-07-08T10:14:07Z",
        "2022-07-08T10:14:07z",
        "2022-07-08t10:14:07Z",
        "2022-07-08 10:14:07+00:00",
        "2022-07-08T12:14:07+02:00",
        "2022-07-08T12:14:07+0200",
        "2022-07-08T12:14:07+02",
        "2022-07-08T12:14:07.000000000+02:00",
        "20220708T121407+0200",
        "2022-07-08T12:14:07+02:00[Europe/Berlin]",
        "2022-07-08T12:14:07+02:00[!Europe/Berlin][u-ca=hebrew]",
        "2022-07-08T10:14:07Z[Asia/Tokyo]",
        "2022-07-08T12:14:07[Europe/Berlin]",
        " 2022-07-08T10:14:07Z ",
    ],
)
def test_every_way_to_write_one_instant(text: str) -> None:
    assert parse_instant(text) == TEN


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2022-07-08T10:14:07", "has no zone"),
        ("2022-07-08", "has no zone"),
        ("8.7.2022 10:14", "not ISO 8601"),
        ("1657275247", "not ISO 8601"),
        ("now", "not ISO 8601"),
        ("2022-02-30T00:00:00Z", "not ISO 8601"),
        ("2022-07-08T25:00:00Z", "not ISO 8601"),
        ("0001-01-01T00:00:00+14:00", "not between"),
        ("1969-12-31T23:59:59Z", "not between"),
        ("9999-12-31T23:59:59-12:00", "not between"),
        ("2022-07-08T12:14:07[Mars/Olympus]", "no known time zone"),
        ("2022-07-08T12:14:07+05:00[!Europe/Berlin]", "its offset is not that of its zone"),
        ("2022-07-08T12:14:07Z[!u-ca=hebrew]", "critical suffix"),
        ("2022-07-08T12:14:07Z[", "not ISO 8601"),
        ("x" * 10_000, "not ISO 8601"),
    ],
)
def test_what_is_not_an_instant_says_why(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        parse_instant(text)
    assert len(str(refused.value)) < 200


@given(MOMENTS)
def test_what_python_writes_is_read_to_the_microsecond(moment: datetime) -> None:
    assert parse_instant(moment.isoformat()) == moment


@given(st.text())
def test_any_text_is_an_instant_or_a_reason(text: str) -> None:
    try:
        assert parse_instant(text).tzinfo is not None
    except ValueError as refused:
        assert "timestamp" in str(refused)
