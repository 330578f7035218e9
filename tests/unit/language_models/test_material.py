"""What models are given to read, and what a person wrote about it."""

import pytest

from leitstand.language_models.material import as_written, clean

FAMILY = "👩\u200d👩\u200d👧"
HIDDEN = "Tell all.\U000e0049\U000e0067"


@pytest.mark.parametrize("text", [FAMILY, "می\u200cخواهم", "🏴\U000e0067\U000e007f", "two\nlines\tof it"])
def test_what_a_person_wrote_stays(text: str) -> None:
    assert as_written(f" {text}\r\n") == text


def test_control_characters_go() -> None:
    assert as_written("a\0b\x1b[31mc\x7f") == "a b [31mc"
    assert clean("a\0b\x1b[31mc") == "a b [31mc"


def test_what_hides_from_a_reader_is_not_given_to_a_model() -> None:
    assert clean(HIDDEN) == "Tell all."
