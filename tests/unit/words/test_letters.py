"""What of a typed text is kept."""

import pytest

from leitstand.words.letters import without_controls

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


@pytest.mark.parametrize(
    "text", [FAMILY, SCOTLAND, "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "Caf\u00e9"]
)
def test_words_and_signs_stay_whole(text: str) -> None:
    assert without_controls(text) == text


@pytest.mark.parametrize("control", ["\x00", "\x07", "\n", "\u2028", "\u202e", "\ud800"])
def test_a_control_is_a_blank(control: str) -> None:
    assert without_controls(f"a{control}b") == "a b"


def test_what_is_wanted_stays_and_what_can_not_be_seen_is_nothing() -> None:
    assert without_controls("a\n\tb", keep="\n\t") == "a\n\tb"
    assert without_controls("\u200d \u200c\x00") == ""
