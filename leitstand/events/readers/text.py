"""Lines of a text file, gzipped or not, one at a time and never too long for memory."""

import gzip
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from leitstand.errors import InvalidInput
from leitstand.events.readers import Damaged, Reader, Record
from leitstand.words import N_, msg, said

LONGEST_LINE = 1_000_000
BUFFER = 1 << 18
BOM = b"\xef\xbb\xbf"
OTHER_ENCODINGS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class Line(NamedTuple):
    """A physical line: its number, its bytes with the line end, and whether it was cut for its length."""

    number: int
    content: bytes
    cut: bool = False


class Lines:
    """The lines of a file with their numbers; a line can be given back to be read again."""

    def __init__(self, path: Path, *, gzipped: bool) -> None:
        self._file = path.open("rb", buffering=BUFFER)
        self._size = max(path.stat().st_size, 1)
        self._stream = cast(BinaryIO, gzip.GzipFile(fileobj=self._file)) if gzipped else self._file
        self._returned: deque[Line] = deque()
        self.number = 0

    def next(self) -> Line | None:
        """The next line, None at the end; raises `Damaged`."""
        if self._returned:
            return self._returned.popleft()
        content = self._read()
        if not content:
            return None
        self.number += 1
        if self.number == 1 and content.startswith(BOM):
            content = content[len(BOM) :] or b"\n"
        if len(content) <= LONGEST_LINE:
            return Line(self.number, content)
        while content and not content.endswith(b"\n"):
            content = self._read()
        return Line(self.number, b"", cut=True)

    def give_back(self, lines: list[Line]) -> None:
        """Read these lines again, in this order, before any other."""
        self._returned.extendleft(reversed(lines))

    def skip(self, count: int) -> None:
        """Pass over the first `count` lines."""
        while self.number < count and self.next() is not None:
            pass

    def progress(self) -> float:
        return min(self._file.tell() / self._size, 1.0)

    def close(self) -> None:
        self._file.close()

    def _read(self) -> bytes:
        try:
            return self._stream.readline(LONGEST_LINE + 1)
        except EOFError:
            raise Damaged(self.number + 1, N_("the compressed file ends in the middle")) from None
        except (gzip.BadGzipFile, zlib.error):
            raise Damaged(self.number + 1, N_("the compressed file is damaged")) from None


def open_text(path: Path, *, gzipped: bool) -> Reader:
    """The reader of a text file: NDJSON if its first line is an object, else CSV.

    Raises:
        InvalidInput: it is neither, or its header lacks a column.
    """
    lines = Lines(path, gzipped=gzipped)
    try:
        first = lines.next()
        if first is None:
            raise InvalidInput(
                msg("{name} is empty.", name=path.name), hint="An event file has at least a header."
            )
        _check_encoding(path, first.content)
        return _reader(path, lines, first)
    except Damaged as damaged:
        lines.close()
        raise InvalidInput(
            msg("{name} can't be read: {reason}.", name=path.name, reason=said(damaged.reason)),
            hint="Copy or compress the file again.",
        ) from None
    except BaseException:
        lines.close()
        raise


def _reader(path: Path, lines: Lines, first: Line) -> Reader:
    start = first.content.lstrip()
    if start.startswith(b"["):
        hint = N_("Write one JSON object a line (NDJSON), for example with: jq -c '.[]'.")
        raise InvalidInput(msg("{name} is one JSON array.", name=path.name), hint=hint)
    if start.startswith(b"{"):
        from leitstand.events.readers.ndjson import NdjsonReader

        lines.give_back([first])
        return NdjsonReader(lines)
    from leitstand.events.readers.delimited import CsvReader, read_header

    return CsvReader(lines, *read_header(path, first))


def _check_encoding(path: Path, start: bytes) -> None:
    encoding = OTHER_ENCODINGS.get(start[:2])
    if encoding:
        raise InvalidInput(
            msg("{name} is {encoding}.", name=path.name, encoding=encoding),
            hint=msg("Convert it: iconv -f {encoding} -t UTF-8 FILE > NEW.", encoding=encoding),
        )
    if b"\0" in start[:1000]:
        raise InvalidInput(
            msg("{name} is not a text file.", name=path.name),
            hint="Give a CSV, NDJSON or Parquet file, plain or gzipped.",
        )


def decoded(line: Line) -> str | Record:
    """The text of a line without its end, or its refusal."""
    if line.cut:
        return refused(line, f"the line is longer than {LONGEST_LINE:,} bytes")
    try:
        text = line.content.decode()
    except UnicodeDecodeError as error:
        return refused(line, f"byte {error.start + 1} of the line is not UTF-8")
    if "\0" in text:
        return refused(line, "the line holds a NUL character")
    return text.removesuffix("\n").removesuffix("\r")


def refused(line: Line, reason: str) -> Record:
    """The record of a line that can't be read."""
    return Record(line.number, line.number, None, line.content, reason)


def records_of(lines: Lines) -> Iterator[Line]:
    """Every line that is not blank."""
    while (line := lines.next()) is not None:
        if line.cut or not line.content.isspace():
            yield line
