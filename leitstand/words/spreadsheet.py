"""Rows as CSV (RFC 4180) that no spreadsheet takes for a program."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

# What a spreadsheet takes for the beginning of a formula; a leading apostrophe makes a text of it.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def harmless(value: Any) -> Any:
    """A cell's value; a text that a spreadsheet would calculate gets a leading apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def lines(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The lines of a CSV file: the names, then each row, as they come."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    yield _taken(out)
    for row in rows:
        writer.writerow([harmless(value) for value in row])
        yield _taken(out)


def _taken(out: io.StringIO) -> str:
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text
