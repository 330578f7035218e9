"""Values that visitors give through a control: read from a form, checked by the control's schema, kept as JSON text."""

import json
from collections.abc import Mapping

from leitstand.catalogue.kinds.control import fault_of
from leitstand.catalogue.kinds.control_fields import Shown, shown
from leitstand.catalogue.kinds.control_values import UNREADABLE, from_fields, value_of
from leitstand.companions.steps import Input
from leitstand.errors import InvalidInput
from leitstand.words import msg

PREFIX = "value"


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
    found = from_fields(step.content["schema"], PREFIX, fields)
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
