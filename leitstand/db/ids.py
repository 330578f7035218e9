"""UUIDv7: fresh ones, and those derived from a time and a content."""

import hashlib
from datetime import datetime
from uuid import UUID

MICROSECONDS = 1_000_000
RANDOM_BITS_HIGH = 12
RANDOM_BITS_LOW = 62


def derived_uuid7(at: datetime, content: bytes) -> UUID:
    """The UUIDv7 of an instant (millisecond) and a content: the same input gives the same id (RFC 9562).

    Args:
        at: an aware datetime from 1970 on.
        content: whatever tells this thing from every other of that millisecond.
    """
    digest = hashlib.blake2b(content, digest_size=10).digest()
    random = int.from_bytes(digest, "big")
    high = random & ((1 << RANDOM_BITS_HIGH) - 1)
    low = (random >> RANDOM_BITS_HIGH) & ((1 << RANDOM_BITS_LOW) - 1)
    return UUID(int=(milliseconds_of(at) << 80) | (7 << 76) | (high << 64) | (2 << 62) | low)


def lowest_uuid7(at: datetime) -> UUID:
    """The smallest UUIDv7-ordered value of an instant: the bound of a partition or of a range scan."""
    return UUID(int=milliseconds_of(at) << 80)


def milliseconds_of(at: datetime) -> int:
    """An instant as UUIDv7 has it: whole milliseconds since 1970."""
    return int(at.timestamp() * 1000)
