"""Prices of a million tokens as people write them, and in the whole millionths of the currency in which they are kept."""

from decimal import Decimal, InvalidOperation

from leitstand.errors import InvalidInput

A_WHOLE = 1_000_000
LARGEST = 1_000_000
LONGEST = 20


def checked_price(text: str) -> int:
    """A price in millionths, from a number such as 0.15 or 0,15; empty is none.

    Raises:
        InvalidInput: it is no price, or has more than six decimals.
    """
    written = text.strip().replace(",", ".")
    try:
        price = Decimal(written or "0") if len(written) <= LONGEST and written.isascii() else Decimal("NaN")
        fit = price.is_finite() and 0 <= price <= LARGEST and price * A_WHOLE == int(price * A_WHOLE)
    except InvalidOperation:
        fit = False
    if not fit:
        raise InvalidInput(
            "A price is a number from 0 to 1,000,000 with at most six decimals.",
            hint="It looks like 0.15: what a million tokens cost.",
        )
    return int(price * A_WHOLE)


def price_text(millionths: int) -> str:
    """A price as it is written: 0.15."""
    return f"{(Decimal(millionths) / A_WHOLE).normalize():f}"
