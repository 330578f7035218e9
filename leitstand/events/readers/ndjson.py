"""One JSON object a line. Numbers become text: as written where whole, else in their shortest form."""

import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn

from leitstand.events.readers import Record
from leitstand.events.readers.text import Lines, decoded, records_of, refused
from leitstand.words import N_

# Whole numbers up to here are the same as a float and as text.
EXACT = 2**53


class NdjsonReader:
    """The records of an NDJSON file."""

    format = "ndjson"

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.progress = lines.progress
        self.close = lines.close

    def records(self, skip: int) -> Iterator[Record]:
        self._lines.skip(skip)
        decoder = json.JSONDecoder(
            parse_int=str, parse_float=_float, parse_constant=_constant, object_pairs_hook=_object
        )
        for line in records_of(self._lines):
            text = decoded(line)
            if isinstance(text, Record):
                yield text
                continue
            try:
                found = decoder.decode(text)
            except RecursionError:
                yield refused(line, "the JSON is nested too deeply")
            except ValueError as error:
                yield refused(line, f"not JSON: {error}")
            else:
                yield self._record(line.number, text, found)

    def _record(self, number: int, text: str, found: object) -> Record:
        if not isinstance(found, dict):
            return Record(number, number, None, text, N_("not a JSON object"))
        return Record(number, number, {name: truth_as_text(value) for name, value in found.items()}, text)


def truth_as_text(value: Any) -> Any:
    """Truth values as the text that other formats have for them."""
    if value is True:
        return "true"
    return "false" if value is False else value


def number_as_text(value: float) -> str:
    """A float as text: a whole one without a point, as a file of text would have it."""
    return str(int(value)) if value.is_integer() and abs(value) <= EXACT else repr(value)


def _float(literal: str) -> str:
    value = float(literal)
    return literal if math.isinf(value) else number_as_text(value)


def _constant(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is not a JSON value")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has a name twice")
    return found
