"""CSV with quotes and line ends inside them; after a broken quote it goes on with the next line."""

import csv
from collections.abc import Iterator
from pathlib import Path

from leitstand.errors import InvalidInput
from leitstand.events.readers import Record
from leitstand.events.readers.text import LONGEST_LINE, Line, Lines, decoded, records_of, refused
from leitstand.events.rows import KNOWN, REQUIRED, lacking, missing_columns
from leitstand.words import msg

DELIMITERS = ",;\t|"
# A quote that stays open for longer than this was never meant to be one.
MOST_LINES = 500
MOST_COLUMNS = 1_000
LONGEST_NAME = 200
OPEN_QUOTE = "unexpected end of data"
LOOSE_QUOTE = "a quote is opened on this line and not closed where one may be"


class CsvReader:
    """The records of a CSV file whose header was read."""

    format = "csv"

    def __init__(self, lines: Lines, columns: list[str], delimiter: str) -> None:
        self._lines = lines
        self._columns = columns
        self._delimiter = delimiter
        self.progress = lines.progress
        self.close = lines.close
        csv.field_size_limit(LONGEST_LINE)

    def records(self, skip: int) -> Iterator[Record]:
        self._lines.skip(skip)
        for line in records_of(self._lines):
            text = decoded(line)
            if isinstance(text, Record):
                yield text
            elif '"' in text:
                yield self._quoted(line, text)
            else:
                yield self._record(line, line.number, text, text.split(self._delimiter))

    def _record(self, line: Line, last: int, text: str, values: list[str]) -> Record:
        if len(values) != len(self._columns):
            return refused(line, f"it has {len(values)} columns where the header has {len(self._columns)}")
        return Record(line.number, last, dict(zip(self._columns, values, strict=True)), text)

    def _quoted(self, line: Line, text: str) -> Record:
        """The record that begins here, over as many lines as its quotes hold together; else this line is refused."""
        more: list[Line] = []
        try:
            values = self._parse(text)
            while values is None:
                values = self._longer(line, more)
        except csv.Error as error:
            self._lines.give_back(more)
            return refused(line, LOOSE_QUOTE if more else f"not CSV: {error}")
        if more and len(values) != len(self._columns):
            self._lines.give_back(more)
            return refused(line, LOOSE_QUOTE)
        last = more[-1].number if more else line.number
        return self._record(line, last, text, values)

    def _longer(self, line: Line, more: list[Line]) -> list[str] | None:
        """The values with one more line that closes a quote; None if the quote is still open."""
        while len(more) < MOST_LINES and (following := self._lines.next()) is not None:
            more.append(following)
            if b'"' in following.content:
                text = self._joined([line, *more])
                return self._parse(text)
        raise csv.Error("a quote is opened and never closed")

    @staticmethod
    def _joined(lines: list[Line]) -> str:
        content = b"".join(line.content for line in lines)
        if any(line.cut for line in lines) or len(content) > LONGEST_LINE:
            raise csv.Error("a quote is opened and not closed for a long time")
        text = decoded(Line(lines[0].number, content))
        if isinstance(text, Record):
            raise csv.Error(text.reason)
        return text

    def _parse(self, text: str) -> list[str] | None:
        """The values of one record; None if a quote is still open at its end."""
        try:
            rows = list(csv.reader([text], delimiter=self._delimiter, strict=True))
        except csv.Error as error:
            if str(error) == OPEN_QUOTE:
                return None
            raise
        return rows[0]


def read_header(path: Path, line: Line) -> tuple[list[str], str]:
    """The columns' names and the delimiter of a CSV file.

    Raises:
        InvalidInput: a column is missing, twice or too long, or the line is not a header at all.
    """
    text = decoded(line)
    if isinstance(text, Record):
        raise InvalidInput(
            msg("{name} can't be read: {reason}.", name=path.name, reason=text.reason),
            hint="Save it as CSV in UTF-8 with a header.",
        )
    if "\r" in text:
        raise InvalidInput(
            msg("{name} has lines that end in CR alone.", name=path.name),
            hint="Convert it: tr '\\r' '\\n' < FILE > NEW.",
        )
    delimiter = max(DELIMITERS, key=lambda mark: sum(name in KNOWN for name in _names(text, mark)))
    names = _names(text, delimiter)
    _check_names(path, names)
    return names, delimiter


def _names(text: str, delimiter: str) -> list[str]:
    try:
        found = next(csv.reader([text], delimiter=delimiter))
    except (csv.Error, StopIteration):
        return []
    names = [name.strip() for name in found]
    lowered = [name.lower() if name.lower() in KNOWN else name for name in names]
    return [name or f"column_{number}" for number, name in enumerate(lowered, 1)]


def _check_names(path: Path, names: list[str]) -> None:
    missing = missing_columns(names)
    if missing:
        there = ", ".join(names[:20])[:400]
        hint = msg(
            "The first line must name the columns {names}; it names: {there}.",
            names=", ".join(REQUIRED),
            there=there,
        )
        raise InvalidInput(
            lacking(path.name, missing),
            hint=hint,
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(
            msg("{name} names a column twice: {names}.", name=path.name, names=", ".join(twice)),
            hint="Give every column its own name.",
        )
    if len(names) > MOST_COLUMNS or any(len(name) > LONGEST_NAME for name in names):
        raise InvalidInput(
            msg("{name} has too many columns or too long names.", name=path.name),
            hint=msg(
                "At most {most_columns} columns, of names up to {longest_name} characters.",
                most_columns=MOST_COLUMNS,
                longest_name=LONGEST_NAME,
            ),
        )
