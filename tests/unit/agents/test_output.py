"""An app's output in its view, and a text wherever it is not what the view needs."""

import pytest

from leitstand.agents.output import View, view_of


@pytest.mark.parametrize(
    ("output", "kind", "view"),
    [
        ("Hello", "text", View("text", "Hello")),
        ('```json\n{"a": 1}\n```', "json", View("json", '{\n  "a": 1\n}')),
        ("No JSON", "json", View("text", "No JSON")),
        ("- one\n- two", "list", View("list", entries=["one", "two"])),
        ("1. one\n\n2) two", "list", View("list", entries=["one", "two"])),
        ('["one", {"a": 2}]', "list", View("list", entries=["one", "a: 2"])),
        ("Here:\n- one", "list", View("text", "Here:\n- one")),
        ("", "list", View("text", "")),
        ('[{"a": 1}, {"b": null}]', "table", View("table", columns=["a", "b"], rows=[["1", ""], ["", ""]])),
        ('[{"a": 1}, 2]', "table", View("text", '[{"a": 1}, 2]')),
        ("[" * 100_000, "table", View("text", "[" * 100_000)),
    ],
)
def test_a_view(output: str, kind: str, view: View) -> None:
    assert view_of(output, kind) == view
