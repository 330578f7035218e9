"""The words that people read, in their languages.

English is written in the code; German stands in `locale/de/LC_MESSAGES/leitstand.po`, which `./run words` keeps.
"""

from leitstand.words.locales import DEFAULT, LANGUAGES, best_of, languages, translations
from leitstand.words.messages import N_, Message, joined, msg, said, translate, words_of
from leitstand.words.stored import from_stored, to_stored

__all__ = [
    "DEFAULT",
    "LANGUAGES",
    "N_",
    "Message",
    "best_of",
    "from_stored",
    "joined",
    "languages",
    "msg",
    "said",
    "to_stored",
    "translate",
    "translations",
    "words_of",
]  # fmt: skip
