"""From fields to events."""

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.events.rows import CLAMPED, Builder, Refused, Row

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BUILDER = Builder("file", NOW)
FIELDS = {
    "session_id": "RB", "actor_id": "ResN", "activity": "NEW", "timestamp": "2012-12-13T10:13:18.000+00:00",
    "seq": "1", "flow_id": "B", "item": "C", "state": "In progress", "closecode": "",
}  # fmt: skip


def build(**changes: object) -> Row:
    return BUILDER.build(FIELDS | changes)


def test_the_id_of_an_event_never_changes() -> None:
    """Events imported by earlier versions must be known again: this id is forever."""
    row = build()
    assert str(row.event_id) == "013b93c1-0230-7696-885e-6fbfd9a39be0"
    assert row.content_hash == -1027189449472105136


def test_fields_become_an_event_and_empty_ones_are_nothing() -> None:
    row = build(actor_id="", item="", seq="")
    assert (row.run_key, row.step, row.actor_key, row.touched, row.seq) == ("RB", "NEW", None, None, None)
    assert orjson.loads(row.props) == {"state": "In progress"}


def test_the_companion_is_the_flow_else_the_item_else_the_file() -> None:
    assert build().companion == "B"
    assert build(flow_id="").companion == "C"
    assert build(flow_id="", item="").companion == "file"


def test_the_file_s_name_is_no_part_of_the_event() -> None:
    bare = {name: value for name, value in FIELDS.items() if name not in ("flow_id", "item")}
    assert Builder("one", NOW).build(dict(bare)).event_id == Builder("two", NOW).build(dict(bare)).event_id


@pytest.mark.parametrize("name", ["NA", "NAN", "INF", "NIL", "NO", "null", "None", "1e5", "007", " x "])
def test_values_are_text(name: str) -> None:
    assert build(session_id=name, actor_id=name, activity=name)[2:4] == (name, name)


@pytest.mark.parametrize(("left", "right"), [
    ({"timestamp": "2012-12-13T10:13:18Z"}, {"timestamp": "2012-12-13T11:13:18+01:00"}),
    ({"closecode": ""}, {"closecode": None}),
    ({"seq": "1"}, {"seq": "01"}),
])  # fmt: skip
def test_the_same_event_written_otherwise_has_the_same_id(
    left: dict[str, object], right: dict[str, object]
) -> None:
    assert build(**left).event_id == build(**right).event_id


@pytest.mark.parametrize("change", [
    {"session_id": "RC"}, {"actor_id": "x"}, {"actor_id": ""}, {"activity": "x"}, {"seq": "2"}, {"seq": ""}, {"flow_id": ""},
    {"item": "x"}, {"state": "x"}, {"closecode": "1"}, {"timestamp": "2012-12-13T10:13:18.000001+00:00"},
])  # fmt: skip
def test_any_other_value_makes_another_event(change: dict[str, object]) -> None:
    assert build(**change).event_id != build().event_id


def test_a_time_in_the_future_is_set_back_and_noted() -> None:
    row = build(timestamp="2050-01-01T00:00:00Z")
    assert row.occurred_at == NOW
    assert orjson.loads(row.props)[CLAMPED] == "2050-01-01T00:00:00+00:00"
    later = Builder("file", datetime(2060, 1, 1, tzinfo=UTC)).build(
        FIELDS | {"timestamp": "2050-01-01T00:00:00Z"}
    )
    assert later.event_id == row.event_id
    assert later.content_hash == row.content_hash


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"session_id": ""}, "session_id is empty"),
        ({"session_id": None}, "session_id is empty"),
        ({"activity": ""}, "activity is empty"),
        ({"timestamp": ""}, "timestamp is empty"),
        ({"timestamp": "2012-12-13"}, "no zone"),
        ({"timestamp": ["x"]}, "timestamp is not a single value"),
        ({"session_id": {"a": "b"}}, "session_id is not a single value"),
        ({"item": ["x"]}, "item is not a single value"),
        ({"session_id": "x" * 501}, "session_id is longer than 500"),
        ({"actor_id": "x" * 501}, "actor_id is longer than 500"),
        ({"flow_id": "x" * 501}, "flow_id is longer than 500"),
        ({"item": "x" * 4001}, "item is longer than 4000"),
        ({"item": "x" * 501, "flow_id": ""}, "item is longer than 500"),
        ({"seq": "first"}, "seq is not a whole number"),
        ({"seq": "1.5"}, "seq is not a whole number"),
        ({"seq": "1_0"}, "seq is not a whole number"),
        ({"seq": "٣"}, "seq is not a whole number"),
        ({"seq": "-"}, "seq is not a whole number"),
        ({"seq": "2147483648"}, "seq is not a whole number"),
        ({"seq": "9" * 11}, "seq is not a whole number"),
        ({"seq": "9" * 5000}, "seq is not a whole number"),
        ({"state": "a\0b"}, "NUL"),
        ({"a\0b": "state"}, "NUL"),
        ({"session_id": "a\0b"}, "NUL"),
        ({"state": "\ud800"}, "not valid Unicode"),
        ({"state": "x" * 1_000_001}, "larger than"),
    ],
)
def test_what_cannot_be_taken_says_why(change: dict[str, object], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        build(**change)


def test_the_letters_of_an_escaped_nul_are_only_letters() -> None:
    assert build(state="a\\u0000b").props == orjson.dumps({"state": "a\\u0000b"})


@given(
    st.dictionaries(
        st.sampled_from([*FIELDS, "more"]), st.text() | st.none() | st.lists(st.text(), max_size=2)
    )
)
def test_any_fields_are_an_event_or_a_reason(changes: dict[str, object]) -> None:
    try:
        row = build(**changes)
    except Refused as refused:
        assert str(refused)
    else:
        assert row.event_id.version == 7
        assert row == build(**changes)
