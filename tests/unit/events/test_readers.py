"""Readers of event files, on whole and on broken ones."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.errors import InvalidInput
from leitstand.events.readers import Damaged, Record, open_reader

HEADER = "session_id,actor_id,activity,timestamp,note"
SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "bad-input"
Writer = Callable[[bytes | str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Writer:
    def write(content: bytes | str) -> Path:
        path = tmp_path / "events"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def read(path: Path, skip: int = 0) -> list[Record]:
    reader = open_reader(path)
    try:
        return list(reader.records(skip))
    finally:
        reader.close()


def notes(path: Path) -> list[str | None]:
    """The note of each record, None of a refused one."""
    return [record.fields["note"] if record.fields else None for record in read(path)]


def line(note: str) -> str:
    return f"s,a,x,2026-01-01T00:00:00Z,{note}\n"


def test_lines_have_their_numbers(written: Writer) -> None:
    records = read(written(f"{HEADER}\n{line('one')}\n{line('two')}"))
    assert [(record.line, record.last) for record in records] == [(2, 2), (4, 4)]
    assert records[0].fields == {
        "session_id": "s",
        "actor_id": "a",
        "activity": "x",
        "timestamp": "2026-01-01T00:00:00Z",
        "note": "one",
    }


def test_quotes_hold_commas_quotes_and_line_ends_together(written: Writer) -> None:
    records = read(written(HEADER + "\n" + line('"a, ""b""\nc\r\nd"') + line("e")))
    assert [record.fields and record.fields["note"] for record in records] == ['a, "b"\nc\r\nd', "e"]
    assert [(record.line, record.last) for record in records] == [(2, 4), (5, 5)]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_marks_of_other_systems_are_no_part_of_the_text(written: Writer, newline: str, start: bytes) -> None:
    content = f"{HEADER}\n{line('one')}{line('')}".replace("\n", newline).encode()
    assert notes(written(start + content)) == ["one", ""]


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_other_delimiters_are_told_from_the_header(written: Writer, mark: str) -> None:
    assert notes(written((HEADER + "\n" + line("one")).replace(",", mark))) == ["one"]


def test_columns_known_by_another_case_and_order_or_without_a_name(written: Writer) -> None:
    fields = read(written("Activity, Timestamp,SESSION_ID,actor_id,Note,\nx,t,s,a,n,0\n"))[0].fields
    assert fields == {
        "activity": "x",
        "timestamp": "t",
        "session_id": "s",
        "actor_id": "a",
        "Note": "n",
        "column_6": "0",
    }


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("s,a,x\n", "it has 3 columns where the header has 5"),
        ("s,a,x,t,n,more\n", "it has 6 columns where the header has 5"),
        (line('"open'), "a quote is opened"),
        (line('"a"b'), "not CSV"),
        (line('"a\\"b"'), "not CSV"),
        (line("a\0b"), "NUL"),
        (line("x" * 1_000_001), "longer than 1,000,000 bytes"),
        (b"s,a,x,t,\xff\n", "byte 9 of the line is not UTF-8"),
        (b's,a,x,t,"\xff"\n', "not UTF-8"),
    ],
)
def test_a_bad_line_is_refused_and_the_rest_goes_on(written: Writer, bad: str | bytes, reason: str) -> None:
    bad = bad.encode() if isinstance(bad, str) else bad
    good = line("one").encode(), line('"two"').encode(), line("three").encode()
    records = read(written(HEADER.encode() + b"\n" + good[0] + bad + good[1] + good[2]))
    assert [record.fields is None for record in records] == [False, True, False, False]
    assert records[1].line == 3
    assert reason in records[1].reason
    assert [record.fields["note"] for record in records if record.fields] == ["one", "two", "three"]


def test_a_quote_that_is_never_closed_costs_one_line(written: Writer) -> None:
    many = "".join(line(str(number)) for number in range(2000))
    records = read(written(f"{HEADER}\n{line('"open')}{many}"))
    assert [record.line for record in records if record.fields is None] == [2]
    assert len(records) == 2001


def test_a_broken_quote_before_quoted_lines_costs_one_line(written: Writer) -> None:
    many = "".join(line(f'"{number}, and\nmore"') for number in range(100))
    records = read(written(f"{HEADER}\n{line('"open')}{many}"))
    assert [record.line for record in records if record.fields is None] == [2]
    assert len(records) == 101


def test_reading_goes_on_behind_a_line(written: Writer) -> None:
    path = written(HEADER + "\n" + line('"a\nb"') + line("c") + line("d"))
    whole = read(path)
    assert [read(path, skip=record.last) for record in whole] == [whole[1:], whole[2:], []]


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@given(st.lists(st.tuples(TEXT, TEXT, TEXT, TEXT, TEXT), max_size=20))
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "events.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(HEADER.split(","))
        writer.writerows(rows)
    assert [tuple(record.fields.values()) for record in read(path) if record.fields] == rows


@given(st.binary(max_size=300))
def test_any_bytes_are_records_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "events"
    path.write_bytes(HEADER.encode() + b"\n" + content)
    for record in read(path):
        assert (record.fields is None) == bool(record.reason)
    path.write_bytes(content)
    try:
        read(path)
    except (InvalidInput, Damaged) as error:
        assert str(error)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n", "lacks the columns session_id, actor_id, activity, timestamp"),
        (b"session_id,activity,timestamp\n", "lacks the column actor_id"),
        (b"a,b\n1,2\n", "lacks the columns"),
        (b"session_id,actor_id,activity,timestamp,seq,seq\n", "names a column twice: seq"),
        (b"\xff\xfe" + HEADER.encode("utf-16-le"), "is UTF-16"),
        (b"session_id,\xff\n", "not UTF-8"),
        (b"MZ\0\0\0", "is not a text file"),
        (b"[\n" + b'{"session_id": "s"}]', "is one JSON array"),
        (HEADER.encode() + b"\rs,a,x,t,n\r", "end in CR alone"),
        (b"x" * 1_000_002, "can't be read"),
        (b"PAR1 and no more", "is not a whole Parquet file"),
        (b"\x1f\x8b\x08\x00", "can't be read"),
        (gzip.compress(b"", mtime=0), "is empty"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_says_why_and_how_to_mend_it(
    written: Writer, content: bytes, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message) as error:
        read(written(content))
    assert error.value.hint
    assert error.value.exit_code == 2


def test_what_is_no_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is not a file"):
        open_reader(tmp_path)
    with pytest.raises(InvalidInput, match="There is no file"):
        open_reader(tmp_path / "missing.csv")


def test_a_truncated_gzip_gives_what_stands_before_the_damage(written: Writer) -> None:
    whole = gzip.compress((HEADER + "\n" + "".join(line(str(number)) for number in range(50_000))).encode())
    reader = open_reader(written(whole[: len(whole) // 2]))
    records = []
    with pytest.raises(Damaged, match="ends in the middle") as damaged:
        records.extend(reader.records(0))
    reader.close()
    records = _until_damaged(written(whole[: len(whole) // 2]))
    assert [record.fields["note"] for record in records if record.fields] == [
        str(number) for number in range(len(records))
    ]
    assert damaged.value.line == records[-1].line + 1


def _until_damaged(path: Path) -> list[Record]:
    records: list[Record] = []
    reader = open_reader(path)
    try:
        for record in reader.records(0):
            records.append(record)
    except Damaged:
        reader.close()
    return records


def test_a_gzip_with_a_flipped_bit_is_damaged_not_wrong(written: Writer) -> None:
    whole = bytearray(
        gzip.compress((HEADER + "\n" + "".join(line(str(number)) for number in range(50_000))).encode())
    )
    whole[-6] ^= 1
    assert len(_until_damaged(written(bytes(whole)))) >= 49_000


def test_json_lines_become_text(written: Writer) -> None:
    event = {
        "session_id": 7,
        "actor_id": None,
        "activity": "x",
        "ok": True,
        "no": False,
        "n": 1.5,
        "whole": 2.0,
        "big": 2**70,
    }
    fields = read(written(json.dumps(event) + "\n"))[0].fields
    assert fields == {
        "session_id": "7", "actor_id": None, "activity": "x", "ok": "true", "no": "false", "n": "1.5", "whole": "2", "big": str(2**70),
    }  # fmt: skip


def test_nested_values_keep_their_shape_with_text_inside(written: Writer) -> None:
    fields = read(written('{"a": {"b": [1, 2.50, "x"]}}\n'))[0].fields
    assert fields == {"a": {"b": ["1", "2.5", "x"]}}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('{"a": NaN}', "NaN is not a JSON value"),
        ('{"a": Infinity}', "Infinity is not a JSON value"),
        ('{"a": 1,}', "not JSON"),
        ('{"a": 1', "not JSON"),
        ("{'a': 1}", "not JSON"),
        ('{"a": 1, "a": 2}', "a name twice"),
        ("[1]", "not a JSON object"),
        ("7", "not a JSON object"),
        ('{"a": ' + "[" * 100_000, "nested too deeply"),
        ('{"a": "\t"}', "not JSON"),
        ('{"a": 1} {"b": 2}', "not JSON"),
    ],
)
def test_a_bad_json_line_is_refused_and_the_rest_goes_on(written: Writer, bad: str, reason: str) -> None:
    records = read(written('{"note": "one"}\n' + bad + '\n\n{"note": "two"}\n'))
    assert [record.line for record in records] == [1, 2, 4]
    assert records[1].fields is None
    assert reason in records[1].reason
    assert records[2].fields == {"note": "two"}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the collection of bad input is not here")
def test_every_file_of_the_json_suite_is_read_or_refused() -> None:
    for path in sorted((SHARED / "json").glob("*.json")):
        content = path.read_bytes()
        if content.lstrip().startswith(b"{") and b"\n" not in content.strip():
            (record,) = read(path)
            assert record.fields is None or not path.name.startswith("n_"), path.name
            assert record.fields is not None or not path.name.startswith("y_") or "twice" in record.reason, (
                path.name
            )
