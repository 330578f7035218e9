"""What items of each kind hold: strict, bounded, and telling what they use."""

from uuid import UUID

import pytest

from leitstand.catalogue.kinds import KINDS, parse
from leitstand.catalogue.kinds.base import merged
from leitstand.db.models import catalogue
from leitstand.errors import InvalidInput

A, B = UUID(int=1), UUID(int=2)
NOTE = {"id": "n1", "text": "x"}


def test_every_kind_has_a_model_that_takes_nothing_for_a_beginning() -> None:
    assert set(KINDS) == set(catalogue.BUILT)
    for kind in KINDS:
        content = parse(kind, {})
        assert parse(kind, content.document()) == content
        assert list(content.references()) == []


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("collection", {"entries": [{"item_id": str(A)}] * 2}),
        ("collection", {"entries": [{"item_id": str(UUID(int=n + 1))} for n in range(1_001)]}),
        ("collection", {"entries": [{"item_id": str(A), "note": "x" * 501}]}),
        ("collection", {"unknown": 1}),
        ("board", {"notes": [NOTE, NOTE]}),
        ("board", {"notes": [{**NOTE, "x": 4_001}]}),
        ("board", {"notes": [{**NOTE, "x": -1}]}),
        ("board", {"notes": [{**NOTE, "colour": "pink"}]}),
        ("board", {"notes": [NOTE], "links": [{"from": "n1", "to": "n1"}]}),
        ("board", {"notes": [NOTE], "links": [{"from": "n1", "to": "n2"}]}),
        ("agent", {"provenance": {"url": "javascript:alert(1)"}}),
        ("agent", {"instructions": "x" * 20_001}),
        ("agent", {"instructions": "\x00"}),
        ("agent", {"instructions": "\ud800"}),
        ("agent", {"tools": [""]}),
        ("app", {"inputs": [{"name": "a"}, {"name": "a"}]}),
        ("app", {"inputs": [{"name": "A B"}]}),
        ("app", {"inputs": [{"name": "a", "field": "choice"}]}),
        ("space", {"sources": 1}),
        ("space", []),
        ("control", {"schema": {"$ref": "https://example.test/schema"}}),
        ("control", {"schema": {"properties": {"a": {"$ref": "#/$defs/b"}}}}),
        ("control", {"schema": {"type": "wat"}}),
        ("control", {"schema": {"$schema": "http://json-schema.org/draft-07/schema#"}}),
        ("control", {"schema": {"pattern": "(a+)+$"}}),
        ("control", {"schema": {"pattern": "a*a*a*b"}}),
        ("control", {"schema": {"patternProperties": {"(x|y)*": {}}}}),
        ("control", {"schema": {"pattern": "["}}),
        ("control", {"schema": {"description": "x" * 33_000}}),
        ("control", {"schema": {"type": "integer"}, "default": "x"}),
        ("control", {"schema": {"type": "integer"}, "example": 1.5}),
        ("control", {"schema": {"type": "number"}, "default": float("nan")}),
        ("control", {"schema": {"type": "number", "maximum": float("inf")}}),
        ("app", {"unknown": [{"deep": float("-inf")}]}),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(kind: str, document: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(kind, document)
    assert refused.value.details["errors"]


def test_a_schema_nested_without_end_is_refused() -> None:
    schema: dict[str, object] = {}
    for _ in range(200):
        schema = {"not": schema}
    with pytest.raises(InvalidInput):
        parse("control", {"schema": schema})
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidInput):
        parse("control", {"default": deep})


def test_what_is_hidden_is_left_out_and_put_back() -> None:
    board = parse(
        "board",
        {
            "notes": [NOTE],
            "items": [{"id": "a", "item_id": str(A)}, {"id": "b", "item_id": str(B)}],
            "links": [{"from": "n1", "to": "a"}, {"from": "a", "to": "b"}],
        },
    )
    shown = board.without({B})
    assert [r.item_id for r in shown.references()] == [A]
    assert len(shown.document()["links"]) == 1
    assert shown.keeping(board, {B}) == board
    app = parse(
        "app", {"agent_id": str(A), "inputs": [{"name": "x", "field": "control", "control_id": str(B)}]}
    )
    assert list(app.without({A, B}).references()) == []
    assert app.without({A, B}).keeping(app, {A, B}) == app
    agent = parse("agent", {"spaces": [str(A), str(B)]})
    assert agent.without({A}).keeping(agent, {A}).document()["spaces"] == [str(B), str(A)]


@pytest.mark.parametrize(
    ("new", "expected"),
    [("ac", "aBc"), ("ca", "caB"), ("xac", "xaBc"), ("c", "cB"), ("", "B")],
)
def test_hidden_entries_stay_behind_what_they_stood_behind(new: str, expected: str) -> None:
    assert "".join(merged(list(new), list("aBc"), [False, True, False])) == expected


def test_properties_of_a_control_keep_their_order() -> None:
    schema = {"type": "object", "properties": {"zebra": {}, "a": {}, "bb": {}}}
    kept = parse("control", {"schema": schema}).document()
    kept["schema"]["properties"] = {"a": {}, "bb": {}, "new": {}, "zebra": {}}
    assert list(parse("control", kept).document()["schema"]["properties"]) == ["zebra", "a", "bb", "new"]
