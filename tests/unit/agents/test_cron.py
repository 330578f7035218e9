"""When a schedule is due, also where clocks change."""

from datetime import UTC, datetime

import pytest

from leitstand.agents.cron import checked, next_instant
from leitstand.errors import InvalidInput

VIENNA = "Europe/Vienna"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "after", "following"),
    [
        ("0 7 * * 1-5", "2026-06-05T06:00", "2026-06-08T05:00"),
        ("0 7 * * *", "2026-12-01T00:00", "2026-12-01T06:00"),
        # An hour that is skipped comes when it would end; one that is repeated comes once.
        ("30 2 * * *", "2026-03-28T12:00", "2026-03-29T01:00"),
        ("30 2 * * *", "2026-10-25T00:30", "2026-10-26T01:30"),
    ],
)
def test_the_next_instant(cron: str, after: str, following: str) -> None:
    assert next_instant(cron, VIENNA, after=at(after)) == at(following)


def test_what_comes_often_enough_is_taken() -> None:
    assert checked(" */5  * * * * ", VIENNA) == "*/5 * * * *"
    for refused in ("*/4 * * * *", "0,1 7 * * *", "61 * * * *", "0 7 * * * *", ""):
        with pytest.raises(InvalidInput):
            checked(refused, VIENNA)
