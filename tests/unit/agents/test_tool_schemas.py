"""Schemas of arguments, the arguments themselves, and what is told of answers."""

import json
from typing import Any

import pytest

from leitstand.agents.tools import answers, arguments
from leitstand.agents.tools.discovering import suggested_name
from leitstand.agents.tools.schemas import checked_parameters, inlined
from leitstand.errors import InvalidInput

COUNT = {
    "type": "object",
    "properties": {"count": {"type": "integer", "maximum": 9}, "names": {"type": "array", "items": {"type": "string"}}},
    "required": ["count"],
    "additionalProperties": False,
}  # fmt: skip


def deep(levels: int) -> dict[str, Any]:
    """Objects within objects."""
    inner: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        inner = {"type": "object", "properties": {"a": inner}}
    return inner


@pytest.mark.parametrize(
    "schema",
    [
        [], {}, {"type": "string"}, {"type": "object", "properties": []}, {"type": "object", "properties": {"a": {"type": "nonsense"}}},
        {"type": "object", "properties": {"a": {"$ref": "https://evil.example/schema"}}},
        {"type": "object", "properties": {"a": {"type": "string", "pattern": "(a+)+"}}},
        {"type": "object", "properties": {"a": {"enum": ["x" * 40_000]}}}, deep(20),
        {"type": "object", "description": "\0"}, {"type": "object", "properties": {"\ud800": {}}},
    ],
)  # fmt: skip
def test_schemas_that_are_none_or_unbounded_are_not_taken(schema: Any) -> None:
    with pytest.raises(InvalidInput):
        checked_parameters(schema)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ("{", "not JSON"), ("[]", "no JSON object"), ("[" * 60_000, "not JSON"), ('{"count": NaN}', "not JSON"),
        ("{}", "'count' is a required property"), ('{"count": "1"}', "at /count: '1' is not of type 'integer'"),
        ('{"count": 10}', "greater than the maximum"), ('{"count": 1, "more": 1}', "more"),
        ('{"count": 1, "names": ["a", 1]}', "at /names/1"), ('{"count": 1, "names": ["\\u0000"]}', "characters that no text has"),
        ('{"count": 1, "names": ["\\ud800"]}', "characters that no text has"), (f'{{"count": 1, "names": ["{"x" * 70_000}"]}}', "longer than"),
    ],
)  # fmt: skip
def test_a_model_is_told_why_its_arguments_do_not_fit(raw: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        arguments.checked(COUNT, arguments.read(raw))


def test_arguments_that_fit_are_given_as_they_are() -> None:
    assert arguments.checked(COUNT, arguments.read(' {"count": 3, "names": ["ä"]} ')) == {"count": 3, "names": ["ä"]}  # fmt: skip
    assert arguments.read("") == {}


def test_the_audit_log_keeps_the_beginning_of_long_arguments() -> None:
    kept = arguments.shortened({"a": "x" * 5_000, "b": list(range(100)), "c": {"d": True}})
    assert (len(kept["a"]), len(kept["b"]), kept["c"]) == (300, 30, {"d": True})


def test_a_servers_schema_has_its_parts_put_in_place() -> None:
    given = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "properties": {
            "at": {"$ref": "#/$defs/a~1b", "description": "where"},
            "definitions": {"type": "string", "pattern": "(a+)+"},
        },
        "$defs": {"a/b": {"type": "array", "items": {"$ref": "#/definitions/Name"}}},
        "definitions": {"Name": {"type": "string"}},
    }
    assert inlined(given) == {
        "type": "object",
        "properties": {
            "at": {"type": "array", "items": {"type": "string"}, "description": "where"},
            "definitions": {"type": "string"},
        },
    }


def test_a_schema_that_leads_elsewhere_or_grows_without_end_is_not_taken() -> None:
    doubling = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 9} for n in range(11)}
    for schema in (
        {"properties": {"a": {"$ref": "https://evil.example/"}}},
        {"properties": {"a": {"$ref": "#/$defs/missing"}}},
        {"properties": {"a": {"$ref": "#/$defs/loop"}}, "$defs": {"loop": {"items": {"$ref": "#/$defs/loop"}}}},
        {"properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": doubling | {"d11": {"type": "string"}}},
        {"type": "array"},
        {"properties": {f"p{n}": {"type": "string"} for n in range(5_000)}},
        None,
    ):  # fmt: skip
        with pytest.raises(InvalidInput):
            inlined(schema)


def test_answers_are_shortened_and_say_nothing_of_the_secret() -> None:
    secret = 'k"ey/+1'
    text = f"a {secret} b {json.dumps(secret)} c k%22ey%2F%2B1 \x00\x1b[31m\nd"
    told = answers.told(text, secret=secret)
    assert "ey" not in told and "\x00" not in told and "\x1b" not in told and told.endswith("\nd")
    long = answers.told("ä" * 9_000)
    assert long.startswith("ä" * 8_000 + "\n…") and "9,000" in long
    assert len(str(answers.failure(500, "x" * 9_000))) < 700
    assert "image/png" in answers.readable(b"\x89PNG", "image/png; q=1")
    assert answers.readable(b"\xff{}", "application/vnd.x+json") == "\N{REPLACEMENT CHARACTER}{}"


def test_a_servers_name_becomes_one_that_models_take() -> None:
    assert suggested_name("files.read/all") == "files_read_all"
    assert suggested_name("…") == "tool" and len(suggested_name("a" * 99)) == 64
