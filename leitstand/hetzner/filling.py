"""Values put into a document's strings; its structure stays as it was written, whatever the values hold."""

import re
from collections.abc import Mapping
from typing import Any

from leitstand.errors import InvalidInput
from leitstand.words import msg

PLACE = re.compile(r"\$\{([a-z][a-z0-9_]*)\}")


def fill(document: Any, values: Mapping[str, Any]) -> Any:
    """The document with each `${name}` replaced: alone in a string by the value itself, in a text by its words.

    A value that is a list becomes the list in its place, and in a text its items with ", " between.

    Raises:
        InvalidInput: a name has no value.
    """
    if isinstance(document, dict):
        return {key: fill(value, values) for key, value in document.items()}
    if isinstance(document, list):
        return [fill(value, values) for value in document]
    if not isinstance(document, str):
        return document
    if alone := PLACE.fullmatch(document):
        return _value(alone.group(1), values)
    return PLACE.sub(lambda found: _words(_value(found.group(1), values)), document)


def _value(name: str, values: Mapping[str, Any]) -> Any:
    if name not in values:
        raise InvalidInput(
            msg("Nothing says what {name} is.", name=name),
            hint="Write it into the site's file; deploy/hetzner/site.example.toml has all of them.",
        )
    return values[name]


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
