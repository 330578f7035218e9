"""Values of a control: read from the fields of a form, and from JSON text."""

import json
import re
from collections.abc import Mapping
from typing import Any

# C0 and C1 controls, without tab and line ends: PostgreSQL refuses NUL, and none of them is meant to be read.
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
UNREADABLE = object()


def from_fields(schema: dict[str, Any], name: str, fields: Mapping[str, list[str]]) -> Any:
    """The value that a form's fields give, which `control_fields.shown` drew under `name`; None where nothing was given.

    What a field can't be read as stays the text that it is, so that the schema refuses it.

    Args:
        fields: every value sent under a name.
    """
    properties = schema.get("properties")
    if schema.get("type") == "object" and isinstance(properties, dict):
        members = {
            key: from_fields(part if isinstance(part, dict) else {}, f"{name}.{key}", fields)
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


def value_of(answer: str) -> Any:
    """The value that a JSON text holds; None for an empty one, `UNREADABLE` for what is no JSON of ours."""
    if not answer.strip():
        return None
    try:
        value = json.loads(answer)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        return UNREADABLE if "\x00" in words_of(value) else value
    except (ValueError, RecursionError):
        return UNREADABLE


def words_of(value: Any) -> str:
    """A control's value as people read it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(words_of(one) for one in value)
    if isinstance(value, dict):
        return "; ".join(f"{name}: {words_of(one)}" for name, one in value.items())
    return json.dumps(value, ensure_ascii=False)


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
