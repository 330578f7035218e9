"""What people type, made fit to be kept: titles, descriptions, tags."""

from collections.abc import Iterable
from typing import Any, NamedTuple

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


class Patterns[T](NamedTuple):
    """The ILIKE patterns that find a text at the beginning, at the beginning of a later word, and anywhere."""

    begins: T
    word: T
    anywhere: T


def patterns(q: str) -> Patterns[str]:
    """The patterns that find `q`."""
    anywhere = like_pattern(q)
    begins = anywhere.removeprefix("%")
    return Patterns(begins, f"% {begins}", anywhere)


def contains(column: InstrumentedAttribute[str], q: str) -> ColumnElement[bool]:
    """Whether the text contains `q`, in any case; see `matches`."""
    return matches(column, patterns(q), short=len(q) < TRIGRAM)


def matches(
    column: InstrumentedAttribute[str], found_by: Patterns[Any], *, short: bool
) -> ColumnElement[bool]:
    """Whether the text contains what the patterns find.

    Args:
        short: it has one or two characters, which must begin a word: fewer than three inside of a word can't be looked
            up by trigrams.
    """
    if short:
        return or_(column.ilike(found_by.begins), column.ilike(found_by.word))
    return column.ilike(found_by.anywhere)


def searchable(q: str) -> str:
    """A search text without control characters, cut to a title's length."""
    return _one_line(q)[:TITLE_LENGTH]


def _one_line(text: str) -> str:
    return " ".join(without_controls(text).split())
