"""Files of items read: JSON of our own export, or CSV of titles, descriptions and tags. Nothing is written here."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from leitstand.catalogue.exports import COLUMNS, FORMAT, FORMAT_VERSION, FORMULA
from leitstand.errors import InvalidInput, TooLarge
from leitstand.words import N_, msg

LARGEST = 5_000_000
MOST = 5_000
TAKEN = ("kind", "title", "description", "tags", "external_key", "visibility", "icon")
WHOLE = {"format", "version", "items"}
MEMBERS = {
    "id",
    "kind",
    "external_key",
    "title",
    "description",
    "tags",
    "icon",
    "visibility",
    "status",
    "content",
}


@dataclass(frozen=True)
class Record:
    """One item of a file: the line on which it begins, where it stands, and what it says."""

    line: int | None
    pointer: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file, and where."""

    line: int | None
    pointer: str
    detail: str


def read_file(data: bytes, form: str, kind: str = "") -> list[Record]:
    """The items of a file, as they are written there.

    Args:
        form: `csv` or `json`.
        kind: of rows of CSV that name none.

    Raises:
        TooLarge: it has more than 5 MB.
        InvalidInput: it can't be read, or has more than 5,000 items.
    """
    if len(data) > LARGEST:
        raise TooLarge("The file has more than 5 MB.", hint="Split it into several files.")
    text = _text(data)
    records = list(_from_csv(text, kind) if form == "csv" else _from_json(text))
    if len(records) > MOST:
        raise TooLarge(
            msg("The file has more than {most:,} items.", most=MOST), hint="Split it into several files."
        )
    if not records:
        raise InvalidInput("There is nothing in the file.")
    return records


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            msg("The file is not UTF-8 (byte {start}).", start=error.start),
            hint="Save it as UTF-8, then import it again.",
        ) from None
    if "\x00" in text:
        raise InvalidInput("The file holds the character NUL.", hint="Save it as text, then import it again.")
    return text


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidInput(msg("This is no JSON, which has no number {name}.", name=name))


def _from_json(text: str) -> Iterator[Record]:
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise InvalidInput(
            msg(
                "This is no JSON: line {lineno}, column {colno}: {msg}.",
                lineno=error.lineno,
                colno=error.colno,
                msg=error.msg,
            )
        ) from None
    except (RecursionError, ValueError):
        raise InvalidInput("The JSON is nested too deeply, or has a number that is too long.") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        hint = N_("Export items as JSON to see what it looks like.")
        raise InvalidInput(
            msg('This is no export of items: "format" is not "{format}".', format=FORMAT), hint=hint
        )
    if document.get("version") != FORMAT_VERSION or not isinstance(document.get("items"), list):
        raise InvalidInput(
            msg(
                'The export\'s "version" is not {format_version}, or it has no list "items".',
                format_version=FORMAT_VERSION,
            )
        )
    if unknown := sorted(set(document) - WHOLE):
        raise InvalidInput(
            msg("An export of items has no member {name!r}.", name=unknown[0][:40]),
            hint="Export items as JSON to see what it looks like.",
        )
    lines = _lines_of(text, document["items"])
    for at, values in enumerate(document["items"]):
        known = values if isinstance(values, dict) else {"": values}
        yield Record(lines[at] if lines else None, f"/items/{at}", known)


def _lines_of(text: str, items: list[Any]) -> list[int]:
    """On which line each item begins; empty where that can't be told."""
    decoder, found, line, counted = json.JSONDecoder(), [], 1, 0
    at = text.find("[", text.find('"items"'))
    for item in items:
        at += 1
        while at < len(text) and (text[at].isspace() or text[at] == ","):
            at += 1
        try:
            value, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            return []
        if value != item:
            return []
        line, counted = line + text.count("\n", counted, at), at
        found.append(line)
        at = end - 1
    return found


def _from_csv(text: str, kind: str) -> Iterator[Record]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        _check_header(header)
        begins = reader.line_num + 1
        for at, cells in enumerate(reader, start=1):
            if any(cell.strip() for cell in cells):
                yield Record(begins, f"/{at}", _values(header, cells, kind))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise InvalidInput(
            msg("This is no CSV: line {line_num}: {error}.", line_num=reader.line_num, error=error)
        ) from None


def _check_header(header: list[str]) -> None:
    unknown = [name for name in header if name not in COLUMNS]
    if "title" not in header or unknown or len(set(header)) != len(header):
        problem = (
            f"there is no column {unknown[0][:40]!r}" if unknown else "it names a column twice, or no title"
        )
        raise InvalidInput(
            msg("The first line of the CSV has to name its columns: {problem}.", problem=problem),
            hint=msg("They are: {taken}; only title is needed.", taken=", ".join(TAKEN)),
        )


def _values(header: list[str], cells: list[str], kind: str) -> dict[str, Any]:
    if len(cells) != len(header):
        return {"": f"{len(cells)} cells"}
    said = {name: _plain(cell) for name, cell in zip(header, cells, strict=True) if name in TAKEN and cell}
    values: dict[str, Any] = {"kind": kind, **said}
    if "tags" in said:
        values["tags"] = [tag.strip() for tag in said["tags"].split(",")]
    return values


def _plain(cell: str) -> str:
    """A cell without the mark that keeps spreadsheets from taking it for a formula."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell
