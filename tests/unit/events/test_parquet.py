"""Parquet files: every type as the text that a CSV file would have."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from leitstand.errors import InvalidInput
from leitstand.events.instants import parse_instant
from leitstand.events.readers import Damaged, open_reader

AT = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
EVENT: dict[str, list[object]] = {
    "session_id": ["s"],
    "actor_id": ["a"],
    "activity": ["x"],
    "timestamp": ["2026-01-01T12:30:00Z"],
}


def fields(path: Path, columns: dict[str, object], skip: int = 0) -> list[dict[str, object] | None]:
    pq.write_table(pa.table(columns), path, row_group_size=2)
    reader = open_reader(path)
    try:
        return [record.fields for record in reader.records(skip)]
    finally:
        reader.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.parquet"


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pa.array([7]), "7"),
        (pa.array([7], pa.uint8()), "7"),
        (pa.array([7.0]), "7"),
        (pa.array([7.25]), "7.25"),
        (pa.array([float("nan")]), None),
        (pa.array([float("inf")]), "inf"),
        (pa.array([None], pa.float64()), None),
        (pa.array([True]), "true"),
        (pa.array([Decimal("1.50")]), "1.50"),
        (pa.array([date(2026, 1, 1)]), "2026-01-01"),
        (pa.array([b"abc"]), "abc"),
        (pa.array(["NA"]).dictionary_encode(), "NA"),
        (pa.array(["NA"], pa.large_string()), "NA"),
        (pa.array([["a", "b"]]), ["a", "b"]),
        (pa.array([{"a": 1}]), {"a": "1"}),
        (pa.nulls(1), None),
    ],
)
def test_a_value_of_any_type_is_text(path: Path, column: pa.Array, text: object) -> None:
    (found,) = fields(path, EVENT | {"value": column})
    assert found
    assert found["value"] == text


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "+02:00"])
def test_typed_timestamps_are_instants(path: Path, unit: str, zone: str) -> None:
    column = pa.array([AT], pa.timestamp(unit, zone))
    (found,) = fields(path, EVENT | {"timestamp": column})
    assert found
    assert parse_instant(str(found["timestamp"])) == AT


def test_reading_goes_on_behind_a_row_in_the_middle_of_a_group(path: Path) -> None:
    columns = {name: values * 7 for name, values in EVENT.items()} | {"n": list("abcdefg")}
    assert [found["n"] for found in fields(path, columns, skip=5) if found] == ["f", "g"]


def test_columns_must_be_there_and_timestamps_have_a_zone(path: Path) -> None:
    with pytest.raises(InvalidInput, match="lacks the column actor_id"):
        fields(path, {name: values for name, values in EVENT.items() if name != "actor_id"})
    with pytest.raises(InvalidInput, match="have no zone"):
        fields(path, EVENT | {"timestamp": pa.array([AT.replace(tzinfo=None)])})


def test_a_row_with_broken_text_is_refused_and_the_others_are_read(path: Path) -> None:
    broken = pa.array([b"ok", b"\xff", b"fine"]).view(pa.string())
    found = fields(path, {name: values * 3 for name, values in EVENT.items()} | {"note": broken})
    assert [row and row["note"] for row in found] == ["ok", None, "fine"]


def test_a_damaged_page_ends_the_file_there(path: Path) -> None:
    many = {name: values * 30_000 for name, values in EVENT.items()} | {
        "note": [str(number) for number in range(30_000)]
    }
    pq.write_table(pa.table(many), path, row_group_size=5_000, write_page_checksum=True)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = bytes(byte ^ 0xFF for byte in content[middle : middle + 400])
    path.write_bytes(content)
    reader = open_reader(path)
    rows = 0
    with pytest.raises(Damaged) as damaged:
        for record in reader.records(0):
            rows = record.line
    assert 0 < rows < 30_000
    assert damaged.value.line == rows + 1
