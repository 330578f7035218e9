"""UUIDv7: fresh ones, and those derived from a time and a content."""

from datetime import datetime
from hashlib import blake2b
from uuid import UUID

# Of an id's 80 lowest bits, 12 and 62 are random; version and variant stand before them.
HIGH, LOW = (1 << 12) - 1, (1 << 62) - 1
VERSION_AND_VARIANT = 7 << 76 | 2 << 62


def derived_uuid7(at: datetime, content: bytes) -> UUID:
    """The UUIDv7 of an instant (millisecond) and a content: the same input gives the same id (RFC 9562).

    Args:
        at: an aware datetime from 1970 on.
        content: whatever tells this thing from every other of that millisecond.
    """
    random = int.from_bytes(blake2b(content, digest_size=10).digest())
    bits = (random & HIGH) << 64 | (random >> 12) & LOW
    return UUID(int=int(at.timestamp() * 1000) << 80 | VERSION_AND_VARIANT | bits)


def lowest_uuid7(at: datetime) -> UUID:
    """The smallest UUIDv7-ordered value of an instant: the bound of a partition or of a range scan."""
    return UUID(int=milliseconds_of(at) << 80)


def milliseconds_of(at: datetime) -> int:
    """An instant as UUIDv7 has it: whole milliseconds since 1970."""
    return int(at.timestamp() * 1000)
