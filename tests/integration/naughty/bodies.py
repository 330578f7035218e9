"""A value of a JSON Schema with a text in each place, in turn, that may hold one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.integration.permissions.bodies import instance

Place = tuple[str, Any]


@dataclass(frozen=True)
class Filler:
    """Puts a text into values whose shapes refer to those of an OpenAPI document.

    Args:
        an_id: stands for the ids that a value needs.
    """

    document: dict[str, Any]
    an_id: str
    text: str

    def fill(self, shape: dict[str, Any], value: Any) -> Iterator[Place]:
        """Where the text stands, and the value with it there; each place once."""
        found: dict[str, Any] = {}
        for pointer, filled in self._fill(shape, value):
            found.setdefault(pointer, filled)
        yield from found.items()

    def _fill(self, shape: dict[str, Any], value: Any) -> Iterator[Place]:
        if "$ref" in shape:
            shape = self.document["components"]["schemas"][shape["$ref"].rpartition("/")[2]]
        for choice in shape.get("anyOf", shape.get("oneOf", [])):
            yield from self._fill(choice, value)
        kind = shape.get("type", "" if "anyOf" in shape or "oneOf" in shape else _kind_of(value))
        if kind == "string":
            yield "", self.text
        elif kind == "array":
            yield from self._of_list(shape, value)
        elif kind == "object":
            yield from self._of_object(shape, value)

    def _of_list(self, shape: dict[str, Any], value: Any) -> Iterator[Place]:
        inner = shape.get("items", {})
        if not isinstance(value, list) or not value:
            value = [instance(inner, self.document, self.an_id)]
        for at, entry in enumerate(value):
            for pointer, filled in self._fill(inner, entry):
                yield f"/{at}{pointer}", [*value[:at], filled, *value[at + 1 :]]

    def _of_object(self, shape: dict[str, Any], value: Any) -> Iterator[Place]:
        if not isinstance(value, dict):
            value = instance({"properties": {}, **shape}, self.document, self.an_id)
        known: dict[str, Any] = shape.get("properties", {})
        free = shape.get("additionalProperties", not known)
        inner = free if isinstance(free, dict) else {}
        for name in dict.fromkeys([*known, *value]):
            for pointer, filled in self._fill(known.get(name, inner), value.get(name)):
                yield f"/{name}{pointer}", value | {name: filled}
        if free:
            yield "/*", value | {self.text: instance(inner or {"type": "string"}, self.document, self.an_id)}


def _kind_of(value: Any) -> str:
    """What stands where a shape leaves it open."""
    return {dict: "object", list: "array"}.get(type(value), "string")
