"""The languages that there are, which of them a browser asks for, and their translations."""

import gettext
from functools import lru_cache
from io import BytesIO
from pathlib import Path

DEFAULT = "en"
# Each by the name that it has for itself.
LANGUAGES = {"en": "English", "de": "Deutsch"}
LOCALE = Path(__file__).parent / "locale"
DOMAIN = "leitstand"
# A header with more than this is nobody's wish.
MOST_WISHES = 20


def languages() -> tuple[str, ...]:
    """The codes of the languages, the one that the code is written in first."""
    return tuple(LANGUAGES)


def catalogue_path(language: str) -> Path:
    """The file of a language's translations."""
    return LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}.po"


@lru_cache(maxsize=len(LANGUAGES))
def translations(language: str) -> gettext.NullTranslations:
    """The translations of a language, read once a process; those of the language of the code change nothing."""
    if language == DEFAULT or language not in LANGUAGES:
        return gettext.NullTranslations()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with catalogue_path(language).open("rb") as file:
        catalogue = read_po(file, locale=language, domain=DOMAIN)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@lru_cache(maxsize=256)
def best_of(accept_language: str) -> str:
    """The language that fits an Accept-Language header (RFC 9110) best; the code's own where none does."""
    wishes = [_wish(part) for part in accept_language[:500].split(",")[:MOST_WISHES]]
    fitting = [wish for wish in wishes if wish[0] in LANGUAGES and wish[1] > 0]
    return max(fitting, key=lambda wish: wish[1])[0] if fitting else DEFAULT


def _wish(part: str) -> tuple[str, float]:
    """Language and weight of one member: "de-AT;q=0.8" is ("de", 0.8); "*" is the code's own language."""
    tag, _, parameter = part.strip().partition(";")
    name, _, weight = parameter.strip().partition("=")
    code = tag.strip().lower().partition("-")[0]
    try:
        share = float(weight) if name.strip().lower() == "q" else 1.0
    except ValueError:
        share = 0.0
    return DEFAULT if code == "*" else code, share
