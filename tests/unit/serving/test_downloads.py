"""Which bytes a Range header asks for."""

import pytest

from serving.downloads import span


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", (0, 9)),
        ("bytes=0-3", (0, 3)),
        ("bytes=4-", (4, 9)),
        ("bytes=-3", (7, 9)),
        ("bytes=-30", (0, 9)),
        ("bytes=3-99", (3, 9)),
        ("bytes=5-4", (0, 9)),
        ("bytes=0-1,3-4", (0, 9)),
        ("lines=0-1", (0, 9)),
        ("bytes=-", (0, 9)),
    ],
)
def test_a_range_is_read(header: str, wanted: tuple[int, int]) -> None:
    assert span(header, 10) == wanted


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-12", "bytes=-0"])
def test_a_range_behind_the_end_is_none(header: str) -> None:
    first, last = span(header, 10)
    assert first > last
