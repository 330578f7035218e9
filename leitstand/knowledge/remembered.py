"""What questions found, kept in the memory of this process for as long as the passages stay as they were.

Frequent questions come again and again, word for word. Whoever asks has first to be somebody who may read the spaces;
what was found is shared by all who may read the same ones.
"""

from threading import Lock
from uuid import UUID

from cachetools import TTLCache
from sqlalchemy.orm import Session

from leitstand.knowledge.citations import Quotes, quotes
from leitstand.knowledge.scope import Scope
from leitstand.knowledge.search import checked_question, search_in

CANDIDATES = 10
MOST_BYTES = 32 * 1024 * 1024
# After a restore to an earlier time the numbers of transactions come again.
KEPT_SECONDS = 600.0
Key = tuple[UUID, frozenset[UUID], str, bool, int, str]


def _size(quotes: Quotes) -> int:
    """About how many bytes it takes."""
    return 1_000 + sum(2 * len(one.text) + 1_000 for one in quotes.passages)


_kept: TTLCache[Key, Quotes] = TTLCache(MOST_BYTES, KEPT_SECONDS, getsizeof=_size)
_turn = Lock()


def quotes_of(session: Session, scope: Scope, question: str) -> Quotes:
    """What fits a question in a scope that was read in the same transaction; found anew, or as it was found before.

    Raises:
        InvalidInput: the question is empty or too long.
    """
    question = checked_question(question)
    key = scope.workspace_id, scope.spaces, scope.model, scope.endpoints, scope.changed, question
    with _turn:
        known = _kept.get(key)
    if known is not None:
        return known
    found = search_in(session, scope, question, limit=CANDIDATES)
    made = quotes(session, found, for_model=scope.endpoints)
    # Unless a transaction is still under way that may change it unseen.
    if scope.settled and found.whole:
        with _turn:
            _kept[key] = made
    return made
