"""What every connection to somebody else's server keeps to: whose its key is, and what its last check found."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import urlsplit

from leitstand.errors import InvalidInput, LeitstandError


class Connection(Protocol):
    """A row of a connection; `check_problem` is empty where its last check found nothing wrong."""

    updated_at: datetime
    checked_at: datetime | None
    check_problem: str


def require_key_of(address: str, *, before: str, has_key: bool, key: str) -> None:
    """Refuse to send a key to another server than the one that it was entered for.

    Args:
        address, before: where the connection will lead, and where it leads now.
        has_key: whether one is kept.
        key: what is entered; empty leaves the one that is kept.

    Raises:
        InvalidInput: another server, and no key of its own.
    """
    if has_key and not key.strip() and urlsplit(address)[:2] != urlsplit(before)[:2]:
        raise InvalidInput("The key is of the server before.", hint="Enter the new server's key as well.")


def unchecked(connection: Connection) -> None:
    """Note that it was changed, so that what its last check found holds no more."""
    connection.updated_at, connection.checked_at, connection.check_problem = datetime.now(UTC), None, ""


def check(connection: Connection, look: Callable[[], str]) -> str:
    """Look at it now, and keep what is wrong; empty where nothing is.

    Args:
        look: says what is wrong, or raises it as one of our errors.
    """
    connection.checked_at = datetime.now(UTC)
    try:
        connection.check_problem = look()
    except LeitstandError as error:
        connection.check_problem = error.said
    return connection.check_problem
