"""What a tool's answer becomes before a model reads it: text, within bounds, without what was sealed."""

import json
from urllib.parse import quote

from leitstand.errors import Unavailable
from leitstand.language_models.material import clean, shortened
from leitstand.words import msg

LONGEST = 8_000
LONGEST_OF_FAILURE = 500
HIDDEN = "•••"
READABLE = ("text/", "application/json", "application/xml", "application/problem+json")


class ToolFailed(Unavailable):
    """The tool was asked and says that it did not do it."""


def readable(body: bytes, media: str) -> str:
    """The body of an answer as text; what is no text is only described.

    Args:
        media: its Content-Type; empty is taken for text.
    """
    kind = media.partition(";")[0].strip().lower()
    if kind and not kind.startswith(READABLE) and not kind.endswith(("+json", "+xml")):
        return f"({len(body):,} bytes of {kind[:100]}, which is no text)"
    return body.decode(errors="replace")


def told(text: str, *, secret: str = "", most: int = LONGEST) -> str:
    """A text as a model is told it, shortened, without control characters and without the tool's own secret."""
    return shortened(clean(_without(text, secret)), most)


def failure(status: int, text: str, *, secret: str = "") -> ToolFailed:
    """What is told where a server answers that it failed."""
    short = told(text, secret=secret, most=LONGEST_OF_FAILURE)
    if not short:
        return ToolFailed(msg("The tool's server answers {status}.", status=status))
    return ToolFailed(msg("The tool's server answers {status}: {text}", status=status, text=short))


def _without(text: str, secret: str) -> str:
    """A server may give back what it was sent, as it is or written in JSON or in an address."""
    for form in {secret, json.dumps(secret)[1:-1], quote(secret, safe=""), quote(secret)} - {""}:
        text = text.replace(form, HIDDEN)
    return text
