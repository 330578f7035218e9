import copy
import pickle

import pytest

from leitstand.words import N_, Message, best_of, languages, msg, translate, translations


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.5", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("fr, de;q=0.3", "de"),
        ("fr", "en"),
        ("de;q=0", "en"),
        ("de;q=0.2, *;q=0.5", "en"),
        ("de;q=x", "en"),
        (",;=,q", "en"),
    ],
)
def test_the_best_language_of_a_header(header: str, language: str) -> None:
    assert best_of(header) == language


def test_a_message_is_its_english_text_and_can_be_said_in_german() -> None:
    name = msg("{browser} on {system}", browser="Firefox", system="Linux")
    assert name == "Firefox on Linux"
    assert translate(name, "de") == "Firefox auf Linux"
    assert translate(name) == "Firefox on Linux"


def test_values_stay_as_they_are_unless_they_are_messages() -> None:
    given = msg("{browser} on {system}", browser="Trash", system=msg("Unknown"))
    assert translate(given, "de") == "Trash auf Unbekannt"


def test_a_value_with_braces_is_no_placeholder() -> None:
    assert translate(msg("{browser} on {system}", browser="{x}", system="{}"), "de") == "{x} auf {}"


def test_a_marked_text_is_translated_and_any_other_stays() -> None:
    assert translate(N_("Trash"), "de") == "Papierkorb"
    assert translate("No such text", "de") == "No such text"
    assert translate("", "de") == ""
    assert translate("Trash", "xx") == "Trash"


def test_a_copy_of_a_message_can_still_be_translated() -> None:
    name = msg("{browser} on {system}", browser="Firefox", system="Linux")
    for twin in (pickle.loads(pickle.dumps(name)), copy.deepcopy(name)):
        assert isinstance(twin, Message)
        assert translate(twin, "de") == "Firefox auf Linux"


def test_translations_are_read_once() -> None:
    assert languages() == ("en", "de")
    assert translations("de") is translations("de")
