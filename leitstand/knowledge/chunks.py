"""The arithmetic of an upload in pieces: which piece may come next, and how large the pieces are."""

from collections.abc import Sequence

from leitstand.errors import Conflict, InvalidInput
from leitstand.storage.parts import SMALLEST_PART
from leitstand.words import msg

CHUNK_BYTES = 8 * 1024 * 1024
# One request of the API has at most so much.
LARGEST_CHUNK = 16 * 1024 * 1024
MOST_PARTS = 10_000


def chunk_bytes(size: int) -> int:
    """Bytes a piece of a file of `size` bytes, the last one aside: so many that S3 takes them all as parts."""
    return CHUNK_BYTES if size <= CHUNK_BYTES * MOST_PARTS else LARGEST_CHUNK


def check_chunk(*, size: int, received: int, offset: int, length: int) -> None:
    """Refuse a piece that is not what comes next.

    Args:
        size: bytes of the whole file.
        received: bytes that are there.
        offset: where the piece begins.
        length: bytes of the piece.

    Raises:
        Conflict: it does not begin where the file ends; `details["offset"]` says where that is.
        InvalidInput: it is empty, goes beyond the file's end, or is too small or too large for a piece.
    """
    if offset != received:
        raise Conflict(
            msg(
                "{received:,} bytes are there, so that what comes next begins there and not at {offset:,}.",
                received=received,
                offset=offset,
            ),
            hint="Ask for the offset (HEAD) and go on from it.",
            details={"offset": received},
        )
    if length == 0 or received + length > size:
        raise InvalidInput(
            msg("The piece goes beyond the size that was declared.")
            if length
            else msg("The piece is empty."),
            hint=msg("{size:,} bytes are missing.", size=size - received),
        )
    last = received + length == size
    if length > LARGEST_CHUNK or (length < SMALLEST_PART and not last):
        raise InvalidInput(
            msg("The piece has {length:,} bytes.", length=length),
            hint=msg(
                "Every piece but the last has {smallest_part:,} to {largest_chunk:,}.",
                smallest_part=SMALLEST_PART,
                largest_chunk=LARGEST_CHUNK,
            ),
        )


def part_bytes(size: int, number: int) -> int:
    """Bytes of part `number` (from 1) of a file that is cut into pieces of `chunk_bytes`.

    Raises:
        InvalidInput: the file has no such part.
    """
    each = chunk_bytes(size)
    count = -(-size // each)
    if not 1 <= number <= count:
        raise InvalidInput(
            msg("There is no part {number}.", number=number),
            hint=msg("This file has the parts 1 to {count}.", count=count),
        )
    return min(each, size - (number - 1) * each)


def whole(size: int, parts: Sequence[int]) -> bool:
    """Whether parts of these sizes are the whole file."""
    return sum(parts) == size
