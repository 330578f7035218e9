"""What a run remembers: answers and set values by name, shown in texts and tested by conditions. Nothing is evaluated."""

import re
import unicodedata
from collections.abc import Collection, Mapping
from decimal import Decimal

from leitstand.companions.steps import MAX_ANSWER, Branch, Set

NAMED = re.compile(r"\{\{ {0,3}([^{}\n]{1,120}?) {0,3}\}\}")
NUMBER = re.compile(r"\s*([+-]?\d{1,15}(?:[.,]\d{1,10})?)\s*", re.ASCII)
LONGEST_SHOWN = 20_000
Values = Mapping[str, str]


def filled_in(text: str, values: Values, known: Collection[str]) -> str:
    """A text with {{names}} replaced by what the run remembers of them; a name that no step makes stays as it is."""

    def value(match: re.Match[str]) -> str:
        return values.get(match[1], "") if match[1] in known else match[0]

    return NAMED.sub(value, text)[:LONGEST_SHOWN] if "{{" in text else text


def holds(branch: Branch, values: Values) -> bool:
    """Whether a test holds: words regardless of case, less and more as numbers, and false where one is none."""
    have, wanted = values.get(branch.variable, ""), branch.value
    match branch.operator:
        case "equals":
            return _same(have) == _same(wanted) or _equal_numbers(have, wanted)
        case "differs":
            return not (_same(have) == _same(wanted) or _equal_numbers(have, wanted))
        case "contains":
            return _same(wanted) in _same(have)
        case "empty":
            return not have.strip()
        case "filled":
            return bool(have.strip())
        case _:
            return _compared(branch.operator, number_of(have), number_of(wanted))


def value_of(step: Set, values: Values, known: Collection[str]) -> str:
    """What a set step remembers under its name."""
    given = filled_in(step.value, values, known)
    if step.operation == "put":
        return given[:MAX_ANSWER]
    before = number_of(values.get(step.variable, "")) or Decimal(0)
    return format(before + (number_of(given) or Decimal(0)), "f")


def number_of(text: str) -> Decimal | None:
    """The number that a text is, with a point or a comma; None where it is none, or has over 15 digits before it."""
    match = NUMBER.fullmatch(text)
    return Decimal(match[1].replace(",", ".")) if match else None


def _compared(operator: str, have: Decimal | None, wanted: Decimal | None) -> bool:
    if have is None or wanted is None:
        return False
    return {
        "less": have < wanted,
        "at_most": have <= wanted,
        "at_least": have >= wanted,
        "more": have > wanted,
    }[operator]


def _equal_numbers(have: str, wanted: str) -> bool:
    first = number_of(have)
    return first is not None and first == number_of(wanted)


def _same(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip().casefold()
