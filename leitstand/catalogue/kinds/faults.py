"""What is wrong with a document, in words that are translated: the faults of models and of JSON Schema.

The English is that of the libraries, which know no other language; what is not in the tables stays as they say it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from jsonschema.exceptions import ValidationError as SchemaFault

from leitstand.words import N_, Message, msg, said, words_of

LONGEST = 300
SHOWN = 120
# By pydantic's name of the fault, with the values that it gives.
OF_MODELS = {
    "missing": N_("Field required"),
    "extra_forbidden": N_("Extra inputs are not permitted"),
    "string_type": N_("Input should be a valid string"),
    "string_too_short": N_("String should have at least {min_length} characters"),
    "string_too_long": N_("String should have at most {max_length} characters"),
    "string_pattern_mismatch": N_("String should match pattern '{pattern}'"),
    "int_type": N_("Input should be a valid integer"),
    "int_parsing": N_("Input should be a valid integer, unable to parse string as an integer"),
    "int_from_float": N_("Input should be a valid integer, got a number with a fractional part"),
    "float_type": N_("Input should be a valid number"),
    "float_parsing": N_("Input should be a valid number, unable to parse string as a number"),
    "finite_number": N_("Input should be a finite number"),
    "bool_type": N_("Input should be a valid boolean"),
    "bool_parsing": N_("Input should be a valid boolean, unable to interpret input"),
    "list_type": N_("Input should be a valid list"),
    "tuple_type": N_("Input should be a valid tuple"),
    "dict_type": N_("Input should be a valid dictionary"),
    "model_type": N_("Input should be a valid dictionary or instance of {class_name}"),
    "model_attributes_type": N_("Input should be a valid dictionary or object to extract fields from"),
    "literal_error": N_("Input should be {expected}"),
    "greater_than": N_("Input should be greater than {gt}"),
    "greater_than_equal": N_("Input should be greater than or equal to {ge}"),
    "less_than": N_("Input should be less than {lt}"),
    "less_than_equal": N_("Input should be less than or equal to {le}"),
    "too_short": N_("At least {min_length} entries are needed, not {actual_length}"),
    "too_long": N_("At most {max_length} entries are allowed, not {actual_length}"),
    "uuid_type": N_("UUID input should be a string, bytes or UUID object"),
    "uuid_parsing": N_("Input should be a valid UUID, {error}"),
    "timezone_aware": N_("Input should have timezone info"),
    "datetime_from_date_parsing": N_("Input should be a valid datetime or date, {error}"),
    "date_from_datetime_parsing": N_("Input should be a valid date or datetime, {error}"),
}  # fmt: skip
ONE_CHARACTER = {
    "string_too_short": N_("String should have at least 1 character"),
    "string_too_long": N_("String should have at most 1 character"),
}
# By the schema's keyword.
OF_SCHEMAS: dict[str, Callable[[str, Any], Message]] = {
    "type": lambda value, types: msg("{value} is not of type {types}", value=value, types=_listed(types)),
    "enum": lambda value, choices: msg("{value} is not one of {choices}", value=value, choices=_shown(choices)),
    "const": lambda value, choice: msg("{choice} was expected", choice=_shown(choice)),
    "minimum": lambda value, limit: msg("{value} is less than the minimum of {limit}", value=value, limit=limit),
    "maximum": lambda value, limit: msg("{value} is greater than the maximum of {limit}", value=value, limit=limit),
    "exclusiveMinimum": lambda value, limit: msg("{value} is less than or equal to the minimum of {limit}", value=value, limit=limit),
    "exclusiveMaximum": lambda value, limit: msg("{value} is greater than or equal to the maximum of {limit}", value=value, limit=limit),
    "multipleOf": lambda value, step: msg("{value} is not a multiple of {step}", value=value, step=step),
    "minLength": lambda value, limit: msg("{value} is too short", value=value),
    "maxLength": lambda value, limit: msg("{value} is too long", value=value),
    "minItems": lambda value, limit: msg("{value} is too short", value=value),
    "maxItems": lambda value, limit: msg("{value} is too long", value=value),
    "uniqueItems": lambda value, _: msg("{value} has non-unique elements", value=value),
    "pattern": lambda value, pattern: msg("{value} does not match {pattern}", value=value, pattern=_shown(pattern)),
    "anyOf": lambda value, _: msg("{value} is not valid under any of the given schemas", value=value),
    "oneOf": lambda value, _: msg("{value} is not valid under any of the given schemas", value=value),
}  # fmt: skip


def of_model(issue: Mapping[str, Any]) -> Message:
    """One of pydantic's issues, as `ValidationError.errors()` gives it with its context."""
    kind, values = issue["type"], dict(issue.get("ctx", {}))
    if kind == "value_error":
        return said(words_of(values["error"]))
    # What is checked before its length is measured is no list of entries to pydantic, but a "value": a text.
    if values.get("field_type") == "Value":
        kind = {"too_short": "string_too_short", "too_long": "string_too_long"}.get(kind, kind)
    template = OF_MODELS.get(kind)
    if 1 in (values.get("min_length"), values.get("max_length")):
        template = ONE_CHARACTER.get(kind, template)
    try:
        return Message(template, values) if template else said(issue["msg"])
    except (KeyError, IndexError, ValueError):
        return said(issue["msg"])


def of_schema(error: SchemaFault) -> Message:
    """A fault that jsonschema found."""
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return msg("{name} is a required property", name=_shown(missing[0]))
    if error.validator == "minLength" and error.instance == "":
        return msg("{value} should be non-empty", value="''")
    form = OF_SCHEMAS.get(str(error.validator))
    return form(_shown(error.instance), error.validator_value) if form else said(error.message[:LONGEST])


def _listed(types: Any) -> str:
    return ", ".join(map(repr, types if isinstance(types, list) else [types]))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
