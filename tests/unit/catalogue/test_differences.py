"""What differs between two documents."""

import pytest

from leitstand.catalogue.differences import differences
from leitstand.catalogue.exports import harmless


def told(before: object, after: object) -> list[tuple[object, ...]]:
    return [(d.what, "/".join(d.path), d.before, d.after) for d in differences(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [("changed", "a", 1, 2)]),
        ({"a": 1}, {"b": 2}, [("removed", "a", 1, None), ("added", "b", None, 2)]),
        ({"a": {"b": 1}}, {"a": {"b": None}}, [("changed", "a/b", 1, None)]),
        ({"t": ["a", "b"]}, {"t": ["b", "c"]}, [("removed", "t/a", "a", None), ("added", "t/c", None, "c")]),
        ({"t": ["a", "b", "c"]}, {"t": ["c", "a", "b"]}, [("moved", "t/c", 3, 1)]),
        ([{"id": "x", "n": 1}], [{"id": "x", "n": 2}], [("changed", "x/n", 1, 2)]),
        ([{"from": "a", "to": "b"}], [], [("removed", "a → b", {"from": "a", "to": "b"}, None)]),
        ([[1], [2]], [[2]], [("changed", "", [[1], [2]], [[2]])]),
        (["a", "a"], ["a"], [("changed", "", ["a", "a"], ["a"])]),
    ],
)
def test_differences_are_told(before: object, after: object, expected: list[tuple[object, ...]]) -> None:
    assert told(before, after) == expected


def test_long_texts_are_told_by_lines() -> None:
    (found,) = differences({"text": "one\ntwo\nthree"}, {"text": "one\n2\nthree"})
    assert found.what == "text"
    assert [line for line in found.lines if line[0] in "+-"] == ["-two", "+2"]


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "\tx", "\rx"])
def test_a_cell_is_no_formula(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"
    assert harmless("x" + cell) == "x" + cell
