"""Controls: input and output widgets with a schema, a default and an example."""

import json
import re
from typing import Annotated, Any, Literal, Self

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import Field, model_validator

from leitstand.catalogue.kinds.base import Content, Part, Text
from leitstand.catalogue.kinds.faults import of_schema
from leitstand.words import N_, Message, msg

DRAFT = "https://json-schema.org/draft/2020-12/schema"
WIDGETS = ("auto", "line", "lines", "select", "radio", "slider", "checkbox", "date")
SCHEMA_BYTES, VALUE_BYTES = 32_000, 4_000
DEPTH, VALUE_DEPTH, PATTERN_LENGTH, OPEN_ENDED = 12, 50, 200, 2
# They lead elsewhere, or run in circles.
REFUSED = ("$ref", "$dynamicRef", "$recursiveRef", "$id", "$anchor", "$dynamicAnchor", "$vocabulary")
MISFITS = {
    "default": N_("the default does not fit the schema: {fault}"),
    "example": N_("the example does not fit the schema: {fault}"),
}
REPEATED_GROUP = re.compile(r"\)[*+?{]")


class Hints(Part):
    """How a control looks; `order` is that of the properties, which the database does not keep."""

    widget: Literal["auto", "line", "lines", "select", "radio", "slider", "checkbox", "date"] = "auto"
    label: Annotated[Text, Field(max_length=200)] = ""
    help: Annotated[Text, Field(max_length=500)] = ""
    placeholder: Annotated[Text, Field(max_length=200)] = ""
    order: Annotated[tuple[Annotated[Text, Field(max_length=200)], ...], Field(max_length=100)] = ()


class Control(Content):
    """What a value must be (`schema`, of JSON Schema's draft 2020-12), how it is asked for or shown."""

    direction: Literal["input", "output"] = "input"
    schema_: Annotated[dict[str, Any], Field(alias="schema")] = {"type": "string"}  # noqa: RUF012 - never changed
    ui: Hints = Hints()
    default: Any = None
    example: Any = None

    @model_validator(mode="before")
    @classmethod
    def _in_order(cls, document: Any) -> Any:
        return _ordered(document) if isinstance(document, dict) else document

    @model_validator(mode="after")
    def _holds(self) -> Self:
        check_schema(self.schema_)
        for name, template in MISFITS.items():
            value = getattr(self, name)
            if value is not None and (fault := fault_of(self.schema_, value)):
                raise ValueError(Message(template, {"fault": fault}))
        return self


def _ordered(document: dict[str, Any]) -> dict[str, Any]:
    """The document with its properties in the order that its hints keep; those that it does not name follow."""
    schema, ui = document.get("schema"), document.get("ui", {})
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(schema, dict) or not isinstance(properties, dict) or not isinstance(ui, dict):
        return document
    kept = ui.get("order") if isinstance(ui.get("order"), list | tuple) else ()
    order = [name for name in kept or () if isinstance(name, str) and name in properties]
    order = list(dict.fromkeys(order + list(properties)))
    sorted_ = {name: properties[name] for name in order}
    return {**document, "schema": {**schema, "properties": sorted_}, "ui": {**ui, "order": order}}


def check_schema(schema: dict[str, Any]) -> None:
    """Refuse what is no schema, leads elsewhere, or can't be checked in bounded time.

    Raises:
        ValueError: what is wrong with it.
    """
    if len(json.dumps(schema)) > SCHEMA_BYTES:
        raise ValueError(msg("a schema may have at most {schema_bytes:,} bytes", schema_bytes=SCHEMA_BYTES))
    _check_parts(schema, 0)
    if schema.get("$schema", DRAFT) != DRAFT:
        raise ValueError(N_("the schema's draft is 2020-12"))
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = "/".join(str(part) for part in error.absolute_path)
        raise ValueError(
            msg("this is no schema: at /{place}: {fault}", place=place, fault=of_schema(error))
        ) from None


def fault_of(
    schema: dict[str, Any], value: Any, *, most_bytes: int = VALUE_BYTES, placed: bool = False
) -> Message | None:
    """Why a value does not fit; None where it does.

    Args:
        most_bytes: of the value, written as JSON.
        placed: whether to say where in the value it is.
    """
    if _deeper(value, VALUE_DEPTH):
        return msg("it is nested more than {depth} deep", depth=VALUE_DEPTH)
    if len(json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")) > most_bytes:
        return msg("it is longer than {value_bytes:,} bytes", value_bytes=most_bytes)
    try:
        error = next(iter(Draft202012Validator(schema).iter_errors(value)), None)
    except OverflowError:
        # Whether a whole number of some hundred digits is a multiple of a fraction.
        return msg("it holds a number that is too long")
    if error is None or not placed or not error.absolute_path:
        return of_schema(error) if error else None
    place = "/".join(str(part) for part in error.absolute_path)
    return msg("at /{place}: {fault}", place=place, fault=of_schema(error))


def _deeper(value: Any, depth: int) -> bool:
    """Whether lists and objects lie within each other more often than that."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth < 0 or any(_deeper(one, depth - 1) for one in inner)


def _check_parts(part: Any, depth: int) -> None:
    if depth > DEPTH:
        raise ValueError(msg("a schema is nested at most {depth} deep", depth=DEPTH))
    if isinstance(part, list):
        for value in part:
            _check_parts(value, depth + 1)
    if not isinstance(part, dict):
        return
    for name, value in part.items():
        if name in REFUSED:
            raise ValueError(msg("{name} is not taken in a schema", name=name))
        if name == "pattern" and isinstance(value, str):
            check_pattern(value)
        if name == "patternProperties" and isinstance(value, dict):
            for pattern in value:
                check_pattern(pattern)
        _check_parts(value, depth + 1)


def check_pattern(pattern: str) -> None:
    """Only patterns that take bounded time: no repeated group, and few that go on without end.

    Raises:
        ValueError: another one.
    """
    if len(pattern) > PATTERN_LENGTH or REPEATED_GROUP.search(pattern) or _open_ended(pattern) > OPEN_ENDED:
        raise ValueError(N_("a pattern has at most 200 characters, two * or +, and repeats no group"))
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        raise ValueError(N_("a pattern can't be read")) from None


def _open_ended(pattern: str) -> int:
    return pattern.count("*") + pattern.count("+") + pattern.count(",}")
