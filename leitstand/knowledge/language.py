"""Which of PostgreSQL's languages a text is written in, told by its stop words."""

import re

from sqlalchemy import text
from sqlalchemy.orm import Session

# The text-search configurations that have both stems and stop words.
LANGUAGES = (
    "danish", "dutch", "english", "finnish", "french", "german", "hungarian", "italian", "norwegian", "portuguese",
    "russian", "spanish", "swedish", "turkish",
)  # fmt: skip
UNKNOWN = "simple"
SAMPLE_CHARACTERS = 20_000
SAMPLE_WORDS = 2_000
# Of the different words of a text, so that a name with "los" in it does not make it Spanish. Running text has 10 to
# 40 %; tables, code and texts in other languages have far fewer of any language's.
LEAST_SHARE = 0.05
WORD = re.compile(r"[^\W\d_]+")

STOP_WORDS = text("""
    SELECT language, count(*) AS stop_words
    FROM unnest(CAST(:languages AS text[])) AS language, unnest(CAST(:words AS text[])) AS word
    WHERE ts_lexize(CAST(language || '_stem' AS regdictionary), word) = '{}'
    GROUP BY language ORDER BY stop_words DESC, language LIMIT 1
""")


def language_of(session: Session, sample: str) -> str:
    """The configuration for a text: the language with the most different stop words in it, `simple` where none has enough."""
    words = list({word.lower() for word in WORD.findall(sample[:SAMPLE_CHARACTERS])[:SAMPLE_WORDS]})
    best = session.execute(STOP_WORDS, {"languages": list(LANGUAGES), "words": words}).first()
    return best.language if best is not None and best.stop_words >= LEAST_SHARE * len(words) else UNKNOWN
