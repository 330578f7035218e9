"""Readers of event files: CSV, NDJSON (both also gzipped) and Parquet, told apart by their content."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from leitstand.errors import InvalidInput
from leitstand.events.rows import REQUIRED
from leitstand.words import msg

GZIP, PARQUET = b"\x1f\x8b", b"PAR1"


class Record(NamedTuple):
    """One line, or row, of a file.

    Args:
        line: its number, from 1 (a CSV file's header is line 1).
        last: the last line that it takes; more than `line` where a quoted field holds line ends.
        fields: its values by column, all text (or nested JSON, of text); None where it can't be read.
        raw: it as it came.
        reason: why it can't be read; empty where it can.
    """

    line: int
    last: int
    fields: dict[str, Any] | None
    raw: object
    reason: str = ""


class Damaged(Exception):
    """The file ends, or can't be read further, in the middle: everything before was read.

    Args:
        line: the line or row after the last whole one.
        reason: what is wrong, for people.
    """

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


class Reader(Protocol):
    """An open event file."""

    format: str

    def records(self, skip: int) -> Iterator[Record]:
        """The records behind line (or row) `skip`, in order; raises `Damaged`."""

    def progress(self) -> float:
        """The share of the file that was read, 0 to 1."""

    def close(self) -> None:
        """Let go of the file."""


def open_reader(path: Path) -> Reader:
    """The reader that fits the file's content, whatever its name.

    Raises:
        InvalidInput: there is no such file, or it can't be read as events at all.
    """
    start = _first_bytes(path)
    if not start:
        raise InvalidInput(
            msg("{name} is empty.", name=path.name),
            hint=msg("An event file has at least a header: {names}.", names=",".join(REQUIRED)),
        )
    if start.startswith(PARQUET):
        from leitstand.events.readers.parquet import ParquetReader

        return ParquetReader(path)
    from leitstand.events.readers.text import open_text

    return open_text(path, gzipped=start.startswith(GZIP))


def _first_bytes(path: Path) -> bytes:
    if not path.exists():
        raise InvalidInput(
            msg("There is no file {path!r}.", path=str(path)),
            hint="Check the path; a relative one starts at the working directory.",
        )
    if not path.is_file():
        raise InvalidInput(
            msg("{path!r} is not a file.", path=str(path)),
            hint="Give one CSV, NDJSON or Parquet file; import several one by one.",
        )
    try:
        with path.open("rb") as file:
            return file.read(16)
    except OSError as error:
        raise InvalidInput(
            msg("{name} can't be read: {strerror}.", name=path.name, strerror=error.strerror),
            hint="Check who may read the file.",
        ) from None
