"""The JSON Schema of a tool's arguments: what is taken, and how a server's own becomes one that is."""

import json
from collections.abc import Mapping
from typing import Any

from leitstand.catalogue.kinds.control import DEPTH, SCHEMA_BYTES, check_pattern, check_schema
from leitstand.errors import InvalidInput
from leitstand.words import msg, said, words_of

LOCAL = "#/"
# What says how a schema is called or kept, and nothing about a value.
LEFT_OUT = frozenset(
    {"$schema", "$id", "$anchor", "$dynamicAnchor", "$vocabulary", "$comment", "$defs", "definitions"}
)
NOTHING: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


def checked_parameters(parameters: object) -> dict[str, Any]:
    """A schema of arguments: one of an object, without references, that is checked in bounded time.

    Raises:
        InvalidInput: it is none.
    """
    if not isinstance(parameters, dict) or parameters.get("type") != "object":
        raise InvalidInput(
            "The arguments are no JSON Schema of an object.",
            hint='It begins with {"type": "object", "properties": {…}}.',
        )
    if not isinstance(parameters.get("properties", {}), dict):
        raise InvalidInput("The arguments have no properties that can be read.")
    try:
        check_schema(parameters)
        kept = can_be_kept(parameters)
    except ValueError as error:
        raise InvalidInput(
            msg("The schema of the arguments is not taken: {fault}.", fault=said(words_of(error)))
        ) from None
    if not kept:
        raise InvalidInput("The schema of the arguments holds characters that no text has.")
    return parameters


def can_be_kept(value: Any) -> bool:
    """Whether every text can be written and kept: no half of a character, and no NUL."""
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
    if isinstance(value, dict):
        return all(map(can_be_kept, value)) and all(map(can_be_kept, value.values()))
    return all(map(can_be_kept, value)) if isinstance(value, list) else True


def inlined(schema: object) -> dict[str, Any]:
    """A server's schema as we keep it: what it refers to within itself is put in place, and bounded.

    A pattern that takes unbounded time is left out: the server checks its arguments itself.

    Raises:
        InvalidInput: it refers elsewhere or to itself, or is no schema of an object.
    """
    if not isinstance(schema, dict):
        raise InvalidInput("The server gives no schema of its arguments.")
    written = _written(schema)
    budget = [SCHEMA_BYTES]
    found = _resolved({"type": "object", **written}, written, (), budget)
    return checked_parameters(found)


def _written(schema: Mapping[str, Any]) -> dict[str, Any]:
    try:
        text = json.dumps(schema)
    except (RecursionError, ValueError) as error:
        raise InvalidInput("The server gives a schema that can't be read.") from error
    if len(text) > SCHEMA_BYTES:
        raise InvalidInput(msg("The server's schema has more than {most:,} bytes.", most=SCHEMA_BYTES))
    return dict(schema)


def _resolved(part: Any, root: Mapping[str, Any], within: tuple[str, ...], budget: list[int]) -> Any:
    """A part with its references put in place; `within` are those that lead to it."""
    budget[0] -= 1
    if budget[0] < 0 or len(within) > DEPTH:
        raise InvalidInput("The server's schema is too large once its parts are put in place.")
    if isinstance(part, list):
        return [_resolved(one, root, within, budget) for one in part]
    if not isinstance(part, dict):
        return part
    if isinstance(target := part.get("$ref"), str):
        if target in within:
            raise InvalidInput("The server's schema refers to itself, which is not taken.")
        beside = {name: value for name, value in part.items() if name != "$ref"}
        return _resolved({**_found(root, target), **beside}, root, (*within, target), budget)
    return {
        name: _named(value, root, within, budget)
        if name == "properties"
        else _resolved(value, root, within, budget)
        for name, value in part.items()
        if name not in LEFT_OUT and not _unbounded(name, value)
    }


def _named(properties: Any, root: Mapping[str, Any], within: tuple[str, ...], budget: list[int]) -> Any:
    """Schemas by the names of properties, which may be called like a keyword."""
    if not isinstance(properties, dict):
        return properties
    return {name: _resolved(value, root, within, budget) for name, value in properties.items()}


def _found(root: Mapping[str, Any], target: str) -> Mapping[str, Any]:
    place: Any = root
    if not target.startswith(LOCAL):
        raise InvalidInput("The server's schema refers to another document, which is not taken.")
    for name in target.removeprefix(LOCAL).split("/"):
        key = name.replace("~1", "/").replace("~0", "~")
        place = place.get(key) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        raise InvalidInput("The server's schema refers to a part that it does not have.")
    return place


def _unbounded(name: str, value: Any) -> bool:
    if name == "patternProperties":
        return True
    if name != "pattern" or not isinstance(value, str):
        return False
    try:
        check_pattern(value)
    except ValueError:
        return True
    return False
