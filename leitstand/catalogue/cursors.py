"""Keyset cursors: where a listing goes on, as an opaque text in the URL."""

import base64
import binascii
from datetime import datetime
from uuid import UUID

from leitstand.errors import InvalidInput

LONGEST = 200


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
