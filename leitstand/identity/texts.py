"""Text of strangers, made fit for the database."""

from leitstand.errors import InvalidInput
from leitstand.words import msg
from leitstand.words.letters import without_controls

DESCRIPTION_LENGTH = 500


def storable(text: str) -> str:
    """Text that PostgreSQL takes: without NUL, and lone surrogates replaced."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def checked_description(description: str) -> str:
    """What a role or a group is for: one line without control characters.

    Raises:
        InvalidInput: it is too long; nothing is cut off without a word.
    """
    line = " ".join(without_controls(description).split())
    if len(line) > DESCRIPTION_LENGTH:
        raise InvalidInput(
            msg("The description may have at most {most} characters.", most=DESCRIPTION_LENGTH)
        )
    return line
