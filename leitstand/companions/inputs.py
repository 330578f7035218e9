"""Values that visitors give through a control: read from a form, checked by the control's schema, kept as JSON text."""

import json
from collections.abc import Mapping
from typing import Any

from leitstand.catalogue.kinds.control import fault_of
from leitstand.catalogue.kinds.control_fields import Shown, shown
from leitstand.companions.memory import words_of
from leitstand.companions.steps import CONTROLS, Input
from leitstand.errors import InvalidInput
from leitstand.words import msg

PREFIX = "value"
UNREADABLE = object()


def fields_of(step: Input, given: str = "") -> list[Shown]:
    """The fields of a form that ask for the value; their names begin with `value`.

    Args:
        given: what `from_form` made of the form that was refused, to be mended in it.
    """
    content = step.content | {"direction": "input"}
    value = value_of(given)
    return shown(content if value in (None, UNREADABLE) else content | {"default": value})


def from_form(step: Input, fields: Mapping[str, list[str]]) -> str:
    """The JSON text of what a form of `fields_of` sends; empty where nothing was given.

    Args:
        fields: every value sent under a name.
    """
    found = _value(step.content["schema"], PREFIX, fields)
    return "" if found is None else json.dumps(found, ensure_ascii=False)


def checked(step: Input, answer: str) -> str:
    """An answer as it is kept: the JSON text of a value that fits the control's schema.

    Raises:
        InvalidInput: it is no JSON, or does not fit.
    """
    if not answer.strip():
        if step.required:
            raise InvalidInput("Please give an answer.", details={"step": step.name})
        return ""
    value = value_of(answer)
    if value is UNREADABLE:
        raise InvalidInput("This can't be read as a value.", details={"step": step.name})
    if fault := fault_of(step.content["schema"], value):
        raise InvalidInput(msg("This does not fit: {fault}", fault=fault), details={"step": step.name})
    return json.dumps(value, ensure_ascii=False)


def value_of(answer: str) -> Any:
    """The value that a kept answer holds; None for an empty one, `UNREADABLE` for what is no JSON of ours."""
    if not answer.strip():
        return None
    try:
        value = json.loads(answer)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        return UNREADABLE if "\x00" in words_of(value) else value
    except (ValueError, RecursionError):
        return UNREADABLE


def _value(schema: dict[str, Any], name: str, fields: Mapping[str, list[str]]) -> Any:
    properties = schema.get("properties")
    if schema.get("type") == "object" and isinstance(properties, dict):
        members = {
            key: _value(part if isinstance(part, dict) else {}, f"{name}.{key}", fields)
            for key, part in properties.items()
        }
        given = {key: value for key, value in members.items() if value is not None}
        return given or None
    sent = [text for given in fields.get(name, []) if (text := CONTROLS.sub("", given)).strip()]
    kind = schema.get("type", "string")
    if kind == "boolean":
        return bool(sent)
    if kind == "array":
        return _array(schema, sent)
    return _scalar(schema, kind, sent[-1].strip()) if sent else None


def _array(schema: dict[str, Any], sent: list[str]) -> Any:
    items = schema.get("items")
    if isinstance(items, dict) and isinstance(items.get("enum"), list):
        by_text = {str(one): one for one in items["enum"]}
        return [by_text.get(text, text) for text in sent] or None
    return _json(sent[-1]) if sent else None


def _scalar(schema: dict[str, Any], kind: Any, text: str) -> Any:
    if isinstance(schema.get("enum"), list):
        return {str(one): one for one in schema["enum"]}.get(text, text)
    if kind in ("number", "integer"):
        return _number(text, point="," if kind == "number" else ".")
    return text.replace("\r\n", "\n") if kind == "string" else _json(text)


def _number(text: str, *, point: str) -> Any:
    """The number of a text; the text itself where it is none."""
    number = value_of(text.replace(point, ".", 1))
    return number if isinstance(number, int | float) and not isinstance(number, bool) else text


def _json(text: str) -> Any:
    """The JSON value of a text; the text itself where it is none or a text in quotes, so that it stays as it was typed."""
    value = value_of(text)
    return text if value is UNREADABLE or value is None or isinstance(value, str) else value
