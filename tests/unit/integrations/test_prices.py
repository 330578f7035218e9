"""Prices of a million tokens: written by people, kept in whole millionths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.errors import InvalidInput
from leitstand.integrations.prices import checked_price, price_text


@pytest.mark.parametrize(
    ("text", "kept", "shown"),
    [("0.15", 150_000, "0.15"), (" 0,15 ", 150_000, "0.15"), ("", 0, "0"), ("10", 10_000_000, "10"), ("1000000", 10**12, "1000000"),
     ("0.000001", 1, "0.000001"), ("1e1", 10_000_000, "10")],
)  # fmt: skip
def test_a_price_as_people_write_it(text: str, kept: int, shown: str) -> None:
    assert checked_price(text) == kept and price_text(kept) == shown


@pytest.mark.parametrize(
    "text", ["-0.1", "x", "NaN", "Infinity", "1e9", "0.0000001", "1.000.000", "٣", "1" * 30, "1e-999999"]
)  # fmt: skip
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="A price is a number"):
        checked_price(text)


@given(st.integers(0, 10**12))
def test_what_is_shown_is_what_is_kept(millionths: int) -> None:
    assert checked_price(price_text(millionths)) == millionths
