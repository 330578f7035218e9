"""Texts that are kept and read later, by people of other languages: the English words, and behind them what they were made of.

The English comes first, so that whoever searches or reads the database without this package finds plain words.
"""

import json
from typing import Any

from leitstand.words.messages import Message

# No text of ours holds it (a control character: "record separator"), and PostgreSQL takes it.
BEHIND = "\x1e"
PLAIN = (str, int, float, bool, type(None))


def to_stored(text: str) -> str:
    """A text as it is kept; one without values, or whose values can't be kept, is kept as its English words."""
    words = str(text).replace(BEHIND, " ")
    if not isinstance(text, Message) or not text.values:
        return words
    made = json.dumps(_parts(text), ensure_ascii=False)
    whole = f"{words}{BEHIND}{made}"
    return whole if str(from_stored(whole)) == words and "\\u0000" not in made else words


def from_stored(kept: str) -> str:
    """A kept text, as `to_stored` was given it."""
    words, behind, made = kept.partition(BEHIND)
    if not behind:
        return kept
    try:
        found = _message(json.loads(made))
    except (ValueError, TypeError, KeyError, LookupError, AttributeError):
        return words
    return found if str(found) == words else words


def _parts(text: Message) -> dict[str, Any]:
    return {"text": text.template, "with": {name: _part(value) for name, value in text.values.items()}}


def _part(value: Any) -> Any:
    if isinstance(value, Message):
        return _parts(value)
    return value if isinstance(value, PLAIN) else str(value)


def _message(parts: dict[str, Any]) -> Message:
    values = {
        name: _message(value) if isinstance(value, dict) else value for name, value in parts["with"].items()
    }
    return Message(parts["text"], values)
