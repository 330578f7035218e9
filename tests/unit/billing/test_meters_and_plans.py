"""Meters warn in time, and a file of plans that is not in order is refused."""

import pytest
from pydantic import ValidationError

from leitstand.billing.usage import Meter
from leitstand.limits.intake import allowed
from leitstand.limits.plans import Plans


@pytest.mark.parametrize(
    ("meter", "percent", "near"),
    [
        (Meter("items", 80, 100), 80, False),
        (Meter("items", 81, 100), 81, True),
        (Meter("items", 0, 0), 100, True),
        (Meter("items", 900), None, False),
        (Meter("events_a_month", 10, 100, 101), 10, True),
        (Meter("events_a_month", 10, 100, 100), 10, False),
    ],
)
def test_a_meter_warns_over_80_percent_or_when_more_is_expected(
    meter: Meter, percent: int | None, near: bool
) -> None:
    assert (meter.percent, meter.near) == (percent, near)


@pytest.mark.parametrize(
    "plans",
    [
        [],
        [{"name": "a", "title": "A"}, {"name": "a", "title": "B"}],
        [{"name": "A b", "title": "A"}],
        [{"name": "a", "title": "A", "limits": {"moons": 3}}],
        [{"name": "a", "title": "A", "price_cents": -1}],
        [{"name": "a", "title": "A", "currency": "eur"}],
    ],
)
def test_a_file_that_is_not_in_order_is_refused(plans: list[dict[str, object]]) -> None:
    with pytest.raises(ValidationError):
        Plans.model_validate({"plans": plans})


def test_the_grace_is_a_tenth() -> None:
    assert [allowed(limit) for limit in (0, 9, 10, 1000)] == [0, 9, 11, 1100]
