"""A control as fields of a form, or as values that are shown: what a page needs to draw it."""

import json
from dataclasses import dataclass
from typing import Any

LONG_TEXT = 200
MOST_FIELDS = 50


@dataclass(frozen=True)
class Shown:
    """One field, or one value of an output.

    Args:
        kind: line, lines, number, slider, checkbox, select, radio, checks, date, group (its label alone), json or value.
    """

    kind: str
    name: str
    label: str
    help: str = ""
    value: Any = None
    options: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    required: bool = False
    placeholder: str = ""

    @property
    def text(self) -> str:
        """The value as a field holds it."""
        if self.value is None or isinstance(self.value, str):
            return self.value or ""
        return json.dumps(self.value, ensure_ascii=False)

    def chosen(self, option: str) -> bool:
        """Whether an option is chosen; of checks several may be."""
        if isinstance(self.value, list):
            return option in map(str, self.value)
        return self.value is not None and option == str(self.value)


def shown(content: dict[str, Any]) -> list[Shown]:
    """The fields of a control's content; of an output its example, else its default."""
    schema, ui = content["schema"], content["ui"]
    label = ui["label"] or str(schema.get("title", ""))[:200]
    if content["direction"] == "output":
        value = content["example"] if content["example"] is not None else content["default"]
        return _values(schema, label, ui["help"], value)
    value = content["default"] if content["default"] is not None else content["example"]
    return _fields(schema, "value", label, value, ui, required=False)[:MOST_FIELDS]


def _fields(
    schema: dict[str, Any], name: str, label: str, value: Any, ui: dict[str, Any], *, required: bool
) -> list[Shown]:
    told = ui.get("help") or str(schema.get("description", ""))[:500]
    properties = schema.get("properties")
    if schema.get("type") == "object" and isinstance(properties, dict):
        return _group(schema, properties, name, label, told, value)
    kind, options = _kind(schema, ui.get("widget", "auto"))
    return [
        Shown(
            kind, name, label, told, value, options, _number(schema, "minimum"), _number(schema, "maximum"), required,
            ui.get("placeholder", ""),
        )
    ]  # fmt: skip


def _group(
    schema: dict[str, Any], properties: dict[str, Any], name: str, label: str, told: str, value: Any
) -> list[Shown]:
    found = [Shown("group", name, label, told)] if label or told else []
    needed = schema.get("required", [])
    for key, part in properties.items():
        inner = part if isinstance(part, dict) else {}
        held = value.get(key) if isinstance(value, dict) else None
        title = str(inner.get("title", key))[:200]
        found += _fields(inner, f"{name}.{key}", title, held, {}, required=key in needed)
    return found


def _kind(schema: dict[str, Any], widget: str) -> tuple[str, tuple[str, ...]]:
    options = _options(schema)
    if schema.get("type") == "array":
        items = schema.get("items")
        inner = _options(items) if isinstance(items, dict) else ()
        return ("checks", inner) if inner else ("json", ())
    if options:
        return ("radio" if widget == "radio" else "select"), options
    if schema.get("type") in ("number", "integer"):
        bounded = _number(schema, "minimum") is not None and _number(schema, "maximum") is not None
        return ("slider" if widget == "slider" and bounded else "number"), ()
    if schema.get("type") == "boolean":
        return "checkbox", ()
    return (_text_kind(schema, widget) if schema.get("type", "string") == "string" else "json"), ()


def _text_kind(schema: dict[str, Any], widget: str) -> str:
    if widget == "date" or schema.get("format") == "date":
        return "date"
    return "lines" if widget == "lines" or schema.get("maxLength", 0) > LONG_TEXT else "line"


def _options(schema: dict[str, Any]) -> tuple[str, ...]:
    values = schema.get("enum")
    return tuple(str(value) for value in values[:MOST_FIELDS]) if isinstance(values, list) else ()


def _number(schema: dict[str, Any], name: str) -> float | None:
    value = schema.get(name)
    return value if isinstance(value, int | float) else None


def _values(schema: dict[str, Any], label: str, told: str, value: Any) -> list[Shown]:
    """An output: a row a member of an object, else the value as it is."""
    if isinstance(value, dict):
        head = [Shown("group", "value", label, told)] if label or told else []
        return head + [
            Shown("value", f"value.{key}", _title(schema, key), value=held)
            for key, held in list(value.items())[:MOST_FIELDS]
        ]
    return [Shown("value", "value", label, told, value)]


def _title(schema: dict[str, Any], key: str) -> str:
    part = schema.get("properties", {}).get(key)
    return str(part.get("title", key))[:200] if isinstance(part, dict) else key
