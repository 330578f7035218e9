"""The words that people read, in their languages.

English is written in the code; German stands in `locale/de/LC_MESSAGES/leitstand.po`, which `./run words` keeps.
"""

from leitstand.words.locales import DEFAULT, LANGUAGES, best_of, languages, translations
from leitstand.words.messages import N_, Message, msg, translate

__all__ = [
    "DEFAULT",
    "LANGUAGES",
    "N_",
    "Message",
    "best_of",
    "languages",
    "msg",
    "translate",
    "translations",
]  # fmt: skip
