"""What people type, and where lists go on."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.catalogue import cursors, text
from leitstand.catalogue.companions import new_slug
from leitstand.errors import InvalidInput


@given(st.text(max_size=300))
def test_a_title_is_one_storable_line_or_refused(typed: str) -> None:
    try:
        title = text.checked_title(typed)
    except InvalidInput:
        return
    assert title == title.strip()
    assert "\n" not in title
    assert "\x00" not in title
    title.encode()


@given(st.text(max_size=300))
def test_a_description_keeps_its_lines_and_nothing_unstorable(typed: str) -> None:
    description = text.checked_description(typed)
    assert "\x00" not in description
    assert "\r" not in description
    description.encode()


def test_lines_of_a_description_stay() -> None:
    assert text.checked_description(" a\r\n\r\nb \n") == "a\n\nb"


@pytest.mark.parametrize("typed", ["", "  ", "\x00", "\u200b", "x" * 201])
def test_a_title_that_is_none_is_refused(typed: str) -> None:
    with pytest.raises(InvalidInput):
        text.checked_title(typed)


def test_tags_are_lower_case_and_each_once() -> None:
    assert text.checked_tags([" Books ", "books", "", "New\nShop"]) == ["books", "new shop"]
    with pytest.raises(InvalidInput):
        text.checked_tags([str(n) for n in range(21)])
    with pytest.raises(InvalidInput):
        text.checked_tags(["x" * 41])


def test_wildcards_are_taken_literally() -> None:
    assert text.like_pattern("100%_a\\b") == "%100\\%\\_a\\\\b%"


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_cursor_leads_back_to_its_row(at: datetime, item_id: UUID) -> None:
    assert cursors.decode(cursors.encode(at, item_id)) == (at, item_id)


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "AAAA",
        "=" * 10,
        "a" * 5000,
        "MjAyNi0wMS0wMSB4",
        cursors.encode(datetime(2026, 1, 1), UUID(int=1)),
    ],
)
def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput):
        cursors.decode(cursor)


@given(st.text(max_size=100))
def test_a_link_has_only_letters_digits_and_hyphens(title: str) -> None:
    slug = new_slug(title)
    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert 3 <= len(slug) <= 60
    assert slug[0] != "-"
    assert new_slug(title) != slug
