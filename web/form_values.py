"""What forms send as text: days and ids."""

import base64
import binascii
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from leitstand.errors import Conflict, InvalidInput, LimitReached

# What is answered with the form that was sent, what was typed in it, and the error beside it.
REFUSALS = (Conflict, InvalidInput, LimitReached)
# A cookie has about 4,000 letters.
MOST_MARKED = 150


def end_of_day(text: str, zone: str) -> datetime | None:
    """The end of a day (yyyy-mm-dd) in a zone; None where no day was chosen.

    Raises:
        InvalidInput: it is no day.
    """
    if not text.strip():
        return None
    try:
        following = date.fromisoformat(text.strip()) + timedelta(days=1)
        return datetime.combine(following, time(), ZoneInfo(zone))
    except (ValueError, OverflowError) as error:
        raise InvalidInput("This is not a day.", hint="Write it as 2030-12-31.") from error


def last_day(at: datetime | None, zone: str) -> str:
    """The day that `end_of_day` made an end of, for a form; empty for none."""
    if at is None:
        return ""
    return (at - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date().isoformat()


def ids(values: Iterable[str]) -> list[UUID]:
    """Ids that a form sent; empty ones are left out.

    Raises:
        InvalidInput: one is none.
    """
    try:
        return [UUID(value) for value in values if value.strip()]
    except ValueError as error:
        raise InvalidInput("This choice is not on the page.", hint="Load the page again.") from error


def one_id(value: str) -> UUID | None:
    """An id that a form sent; None where nothing was chosen.

    Raises:
        InvalidInput: it is none.
    """
    return next(iter(ids([value])), None)


def start_of_day(text: str, zone: str) -> datetime | None:
    """The beginning of a day (yyyy-mm-dd) in a zone; None where no day was chosen.

    Raises:
        InvalidInput: it is no day.
    """
    end = end_of_day(text, zone)
    return None if end is None else datetime.combine(date.fromisoformat(text.strip()), time(), ZoneInfo(zone))


def marked(ids: Sequence[UUID]) -> str:
    """Ids as one short text for an address and a cookie; empty where they are too many for a cookie."""
    if len(ids) > MOST_MARKED:
        return ""
    return base64.urlsafe_b64encode(b"".join(one.bytes for one in ids)).decode().rstrip("=")


def unmarked(text: str) -> list[UUID]:
    """What `marked` made a text of.

    Raises:
        InvalidInput: it did not.
    """
    try:
        joined = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return [UUID(bytes=joined[start : start + 16]) for start in range(0, len(joined), 16)]
    except (ValueError, binascii.Error):
        raise InvalidInput("What is to be undone can't be read.", hint="Look into the trash.") from None
