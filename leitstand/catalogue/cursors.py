"""Keyset cursors: where a listing goes on, as an opaque text in the URL."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from leitstand.errors import InvalidInput

LONGEST = 200
LONGEST_TEXT = 1_500


def encode(at: datetime, item_id: UUID) -> str:
    """The cursor behind a row."""
    return base64.urlsafe_b64encode(f"{at.isoformat()} {item_id}".encode()).decode().rstrip("=")


def decode(cursor: str) -> tuple[datetime, UUID]:
    """The row behind which a listing goes on.

    Raises:
        InvalidInput: it is not one of ours.
    """
    try:
        if len(cursor) > LONGEST:
            raise ValueError
        at, _, item_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(" ")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError
        return moment, UUID(item_id)
    except (ValueError, binascii.Error) as error:
        raise InvalidInput(
            "This page of the list can't be found.", hint="Begin at the first page."
        ) from error


def encode_text(text: str, item_id: UUID) -> str:
    """The cursor behind a row of a list that goes by a text."""
    return base64.urlsafe_b64encode(f"{item_id} {text}".encode()).decode().rstrip("=")


def decode_text(cursor: str) -> tuple[str, UUID]:
    """The row behind which a list that goes by a text goes on.

    Raises:
        InvalidInput: it is not one of ours.
    """
    try:
        if len(cursor) > LONGEST_TEXT:
            raise ValueError
        item_id, _, text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(" ")
        if "\x00" in text:
            raise ValueError
        return text, UUID(item_id)
    except (ValueError, binascii.Error) as error:
        raise InvalidInput(
            "This page of the list can't be found.", hint="Begin at the first page."
        ) from error


def encode_numbered(at: datetime, number: int) -> str:
    """The cursor behind a row that has a number for an id."""
    return f"{at.isoformat()}~{number}"


def decode_numbered(cursor: str) -> tuple[datetime, int] | None:
    """The row with a number behind which a listing goes on; None for its beginning.

    Raises:
        InvalidInput: it is not one of ours.
    """
    if not cursor:
        return None
    at, _, number = cursor.partition("~")
    try:
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or len(number) > 18:
            raise ValueError
        return moment, int(number)
    except ValueError as error:
        raise InvalidInput(
            "This page of the list can't be found.", hint="Begin at the first page."
        ) from error


def cut[Row](rows: Sequence[Row], limit: int, behind: Callable[[Row], str]) -> tuple[list[Row], str | None]:
    """A page of at most `limit` rows, and the cursor to the next; None at the end.

    Args:
        rows: one more than `limit` where there is a next page.
        behind: gives the cursor behind a row.
    """
    shown = list(rows[:limit])
    return shown, behind(shown[-1]) if len(rows) > limit else None
