"""Texts that are kept: as English words that whoever finds them can read, and as what they were made of."""

from uuid import UUID

import pytest

from leitstand.errors import InvalidInput
from leitstand.words import from_stored, joined, msg, said, to_stored, translate, words_of

LONG = msg("The receiver answers {status}.", status=500)


@pytest.mark.parametrize(
    ("text", "german"),
    [
        (LONG, "Der Empfänger antwortet mit 500."),
        (msg("{name}: {problem}", name="A", problem=LONG), "A: Der Empfänger antwortet mit 500."),
        (joined("It is empty.", "", LONG), "Es ist leer. Der Empfänger antwortet mit 500."),
        (InvalidInput("It is empty.", hint="Read it again.").said, "Es ist leer. Noch einmal lesen."),
        (msg("it is longer than {value_bytes:,} bytes", value_bytes=4000), "er ist länger als 4,000 Bytes"),
        ("It is empty.", "Es ist leer."),
        (said("It is empty."), "Es ist leer."),
        ("", ""),
    ],
)
def test_a_kept_text_is_said_in_the_language_of_whoever_reads_it(text: str, german: str) -> None:
    kept = to_stored(text)
    assert kept.startswith(str(text))
    assert from_stored(kept) == text
    assert translate(from_stored(kept), "de") == german


def test_values_that_can_not_be_kept_leave_the_words() -> None:
    texts = (msg("backup {id}", id=UUID(int=1)), msg("timestamp {text} is not ISO 8601", text="\x00"))
    assert translate(from_stored(to_stored(texts[0])), "de") == f"Sicherung {UUID(int=1)}"
    assert to_stored(texts[1]) == str(texts[1])


@pytest.mark.parametrize(
    "behind", ["", "{", "1", '{"text": "{x.__class__}", "with": {"x": 1}}', '{"text": 1}']
)
def test_a_stranger_s_text_is_no_template(behind: str) -> None:
    assert from_stored(f"Hello\x1e{behind}") == "Hello"
    assert "\x1e" not in to_stored(f"Hello\x1e{behind}")


def test_what_an_error_was_raised_with_is_not_forgotten() -> None:
    assert translate(words_of(ValueError(LONG)), "de") == "Der Empfänger antwortet mit 500."
    assert words_of(KeyError(1)) == "1"
    assert words_of(ValueError()) == ""
