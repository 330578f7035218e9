"""Rows of a Parquet file, read by batches; every value becomes the text that a CSV file would have."""

import math
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from leitstand.errors import InvalidInput
from leitstand.events.readers import Damaged, Record
from leitstand.events.readers.ndjson import number_as_text, truth_as_text
from leitstand.events.rows import KNOWN, REQUIRED, lacking, missing_columns
from leitstand.words import N_, msg

ROWS_AT_A_TIME = 4_096


class Unreadable:
    """Stands for a value that is not valid text."""


class ParquetReader:
    """The records of a Parquet file; a record's line is its row, from 1."""

    format = "parquet"

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._broken = (pa.ArrowException, OSError)
        try:
            self._file = pq.ParquetFile(path, pre_buffer=False)
        except self._broken as error:
            raise InvalidInput(
                msg("{name} is not a whole Parquet file: {error}", name=path.name, error=_first_line(error)),
                hint="Write or copy it again.",
            ) from None
        self._names = [
            name.lower() if name.lower() in KNOWN else name for name in self._file.schema_arrow.names
        ]
        self._rows = self._file.metadata.num_rows
        self._done = 0
        _check(path, self._names, self._file.schema_arrow)

    def records(self, skip: int) -> Iterator[Record]:
        groups, before = self._groups_from(skip)
        self._done = before
        batches = self._file.iter_batches(batch_size=ROWS_AT_A_TIME, row_groups=groups, use_threads=False)
        while True:
            try:
                batch = next(batches, None)
                columns = None if batch is None else [texts(column) for column in batch.columns]
            except self._broken as error:
                raise Damaged(
                    self._done + 1, msg("the Parquet file is damaged: {error}", error=_first_line(error))
                ) from None
            if columns is None:
                return
            for values in zip(*columns, strict=True):
                self._done += 1
                if self._done > skip:
                    yield _record(self._done, dict(zip(self._names, values, strict=True)))

    def progress(self) -> float:
        return float(self._done / max(self._rows, 1))

    def close(self) -> None:
        self._file.close()

    def _groups_from(self, skip: int) -> tuple[list[int], int]:
        """The row groups that hold rows behind `skip`, and how many rows are in those before them."""
        before, first = 0, 0
        metadata = self._file.metadata
        while first < metadata.num_row_groups and before + metadata.row_group(first).num_rows <= skip:
            before += metadata.row_group(first).num_rows
            first += 1
        return list(range(first, metadata.num_row_groups)), before


def _record(row: int, fields: dict[str, Any]) -> Record:
    for name, value in fields.items():
        if value is Unreadable:
            fields[name] = "…"
            return Record(row, row, None, fields, msg("{name} is not UTF-8", name=name))
    return Record(row, row, fields, dict(fields))


def _check(path: Path, names: list[str], schema: Any) -> None:
    import pyarrow as pa

    missing = missing_columns(names)
    if missing:
        needed = msg(
            "The columns {names} are needed; there are: {there}.",
            names=", ".join(REQUIRED),
            there=", ".join(names[:20]),
        )
        raise InvalidInput(
            lacking(path.name, missing),
            hint=needed,
        )
    if len(set(names)) != len(names):
        raise InvalidInput(
            msg("{name} names a column twice.", name=path.name), hint="Give every column its own name."
        )
    kind = schema.field(names.index("timestamp")).type
    if pa.types.is_timestamp(kind) and kind.tz is None:
        hint = N_("Write it as a timestamp with a time zone (UTC), or as text with an offset.")
        raise InvalidInput(msg("The timestamps of {name} have no zone.", name=path.name), hint=hint)


def texts(column: Any) -> list[Any]:
    """The values of an Arrow column as text, None where there is none, nested JSON values of text."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        return texts(column.dictionary_decode())
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _strings(column)
    elif pa.types.is_integer(kind):
        return column.cast(pa.string()).to_pylist()  # type: ignore[no-any-return]
    return [plain(value) for value in column.to_pylist()]


def _strings(column: Any) -> list[Any]:
    import pyarrow as pa

    try:
        return column.to_pylist()  # type: ignore[no-any-return]
    except UnicodeDecodeError:
        return [plain(value) for value in column.cast(pa.binary()).to_pylist()]


def plain(value: Any) -> Any:
    """A value as text, or as lists and objects of text."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return Unreadable
    if isinstance(value, float):
        return None if math.isnan(value) else number_as_text(value) if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool)):
        return truth_as_text(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return number_as_text(value.total_seconds())
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
