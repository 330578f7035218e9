"""What people type, made fit to be kept: titles, descriptions, tags."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, or_
from sqlalchemy.orm import InstrumentedAttribute

from leitstand.errors import InvalidInput
from leitstand.words import msg
from leitstand.words.letters import without_controls

TITLE_LENGTH = 200
DESCRIPTION_LENGTH = 5_000
TAG_LENGTH = 40
TAGS = 20
TRIGRAM = 3


def checked_title(title: str) -> str:
    """One line without control characters.

    Raises:
        InvalidInput: nothing is left, or it is too long.
    """
    title = _one_line(title)
    if not title:
        raise InvalidInput("The title is empty.", hint="Give it a name by which people find it.")
    if len(title) > TITLE_LENGTH:
        raise InvalidInput(msg("The title may have at most {most} characters.", most=TITLE_LENGTH))
    return title


def checked_description(description: str) -> str:
    """Text of several lines without control characters.

    Raises:
        InvalidInput: it is too long.
    """
    lines = description.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    text = "\n".join(without_controls(line, keep="\t").rstrip() for line in lines).strip()
    if len(text) > DESCRIPTION_LENGTH:
        raise InvalidInput(
            msg("The description may have at most {most} characters.", most=DESCRIPTION_LENGTH)
        )
    return text


def checked_tags(tags: Iterable[str]) -> list[str]:
    """Tags in lower case, each once, in the order they came.

    Raises:
        InvalidInput: there are too many, or one is too long.
    """
    cleaned = list(dict.fromkeys(tag for tag in (_one_line(tag).lower() for tag in tags) if tag))
    if len(cleaned) > TAGS:
        raise InvalidInput(msg("There may be at most {most} tags.", most=TAGS))
    if any(len(tag) > TAG_LENGTH for tag in cleaned):
        raise InvalidInput(msg("A tag may have at most {most} characters.", most=TAG_LENGTH))
    return cleaned


def like_pattern(q: str) -> str:
    """An ILIKE pattern that finds `q` anywhere, its wildcards taken literally."""
    escaped = q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def begins_a_word(column: InstrumentedAttribute[str], q: str) -> ColumnElement[bool]:
    """Whether a word of the text begins with `q`."""
    start = like_pattern(q).removeprefix("%")
    return or_(column.ilike(start), column.ilike(f"% {start}"))


def contains(column: InstrumentedAttribute[str], q: str) -> ColumnElement[bool]:
    """Whether the text contains `q`, in any case.

    One or two characters must begin a word: fewer than three inside of a word can't be looked up by trigrams.
    """
    return begins_a_word(column, q) if len(q) < TRIGRAM else column.ilike(like_pattern(q))


def searchable(q: str) -> str:
    """A search text without control characters, cut to a title's length."""
    return _one_line(q)[:TITLE_LENGTH]


def _one_line(text: str) -> str:
    return " ".join(without_controls(text).split())
