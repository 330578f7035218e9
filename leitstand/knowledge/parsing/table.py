"""CSV: a block a row, each value under its column's name."""

import csv
import io
from collections.abc import Sequence

from leitstand.knowledge.parsing.outline import Block, Outline, Unreadable
from leitstand.knowledge.parsing.plain import decode
from leitstand.words import msg

SAMPLE = 20_000
LONGEST_FIELD = 1_000_000


def read_csv(data: bytes) -> list[Block]:
    """The rows of a CSV file with a header; the separator (comma, semicolon, tab or bar) is found by itself.

    Raises:
        Unreadable: a quote is never closed, or it is no text.
    """
    text = decode(data)
    csv.field_size_limit(LONGEST_FIELD)
    outline = Outline()
    try:
        rows = csv.reader(io.StringIO(text, newline=""), _dialect(text), strict=True)
        header = [name.strip() for name in next(rows, [])]
        outline.text(" | ".join(name for name in header if name))
        for row in rows:
            outline.text(row_text(header, row))
    except csv.Error as error:
        raise Unreadable(msg("It is not a well-formed CSV file: {error}.", error=error)) from None
    return outline.finish()


def _dialect(text: str) -> type[csv.Dialect]:
    try:
        return csv.Sniffer().sniff(text[:SAMPLE], delimiters=",;\t|")
    except csv.Error:
        return csv.excel


def row_text(header: Sequence[str], row: Sequence[str]) -> str:
    """The values of a row, each under its column's name where it has one."""
    named = (
        f"{header[index]}: {value.strip()}" if index < len(header) and header[index] else value.strip()
        for index, value in enumerate(row)
        if value.strip()
    )
    return "; ".join(named)
