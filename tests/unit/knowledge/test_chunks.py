"""The arithmetic of uploads in pieces."""

import pytest

from leitstand.errors import Conflict, InvalidInput
from leitstand.knowledge import chunks

MIB = 1024 * 1024
SIZE = 20 * MIB + 3


@pytest.mark.parametrize(
    ("received", "offset", "length"),
    [(0, 0, 5 * MIB), (0, 0, 16 * MIB), (8 * MIB, 8 * MIB, 12 * MIB + 3), (20 * MIB, 20 * MIB, 3)],
)
def test_a_piece_that_comes_next_is_taken(received: int, offset: int, length: int) -> None:
    chunks.check_chunk(size=SIZE, received=received, offset=offset, length=length)


@pytest.mark.parametrize(
    ("received", "offset", "length", "error"),
    [
        (8 * MIB, 0, 8 * MIB, Conflict),
        (0, 8 * MIB, 8 * MIB, Conflict),
        (0, 0, 0, InvalidInput),
        (0, 0, 5 * MIB - 1, InvalidInput),
        (0, 0, 16 * MIB + 1, InvalidInput),
        (20 * MIB, 20 * MIB, 4, InvalidInput),
        (SIZE, SIZE, 1, InvalidInput),
    ],
)
def test_another_piece_is_refused(received: int, offset: int, length: int, error: type[Exception]) -> None:
    with pytest.raises(error) as told:
        chunks.check_chunk(size=SIZE, received=received, offset=offset, length=length)
    if error is Conflict:
        assert told.value.details == {"offset": received}  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [1, 8 * MIB, 8 * MIB + 1, 100_000_000_000])
def test_the_parts_of_a_file_are_all_of_it_and_not_too_many(size: int) -> None:
    count = -(-size // chunks.chunk_bytes(size))
    parts = [chunks.part_bytes(size, number) for number in range(1, count + 1)]
    assert chunks.whole(size, parts)
    assert count <= chunks.MOST_PARTS
    for number in (0, count + 1):
        with pytest.raises(InvalidInput):
            chunks.part_bytes(size, number)
