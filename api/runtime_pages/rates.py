"""Rate limits of visitors, addresses and companions, counted in the memory of each process.

Nothing is written: an address is counted under a hash with a key that the process forgets when it ends.
"""

import hashlib
import secrets
from collections.abc import Sequence
from uuid import UUID

from limits import RateLimitItem, parse_many

from leitstand.settings import Settings
from leitstand.words import msg
from serving.rates import MANY_QUESTIONS, TOO_MANY, Limiter


class Rates:
    """The limits of one process.

    Raises:
        ValueError: a rate of the settings can't be read.
    """

    def __init__(self, settings: Settings) -> None:
        self._limiter = Limiter()
        self._visitor = parse_many(settings.runtime_visitor_rate)
        self._address = parse_many(settings.runtime_address_rate)
        self._page = parse_many(settings.snippet_address_rate)
        self._companion = parse_many(settings.runtime_companion_rate)
        self._question = parse_many(settings.runtime_question_rate)
        self._questions = parse_many(settings.runtime_workspace_question_rate)
        self._key = secrets.token_bytes(16)

    def count_answer(self, companion_id: UUID, visitor_key: str) -> None:
        """One answer of a visitor.

        Raises:
            TooManyRequests: with `retry_after` in its details.
        """
        self._hit(self._visitor, "visitor", str(companion_id), visitor_key)
        self._hit(self._companion, "companion", str(companion_id))

    def count_question(self, workspace_id: UUID, visitor_key: str) -> None:
        """One question of a visitor that a model is asked.

        Raises:
            TooManyRequests: with `retry_after` in its details.
        """
        self._hit(self._question, "question", str(workspace_id), visitor_key, message=MANY_QUESTIONS)
        self._hit(self._questions, "questions", str(workspace_id))

    def count_new_visitor(self, companion_id: UUID, address: str) -> None:
        """One new visitor from a network address.

        Raises:
            TooManyRequests: with `retry_after` in its details.
        """
        self._hit(self._address, "address", self._hashed(address))
        self._hit(self._companion, "companion", str(companion_id))

    def count_page_events(self, companion_id: UUID, address: str) -> None:
        """One batch of events that a page of somebody else's sends from a network address.

        Raises:
            TooManyRequests: with `retry_after` in its details.
        """
        self._hit(self._page, "page", self._hashed(address))
        self._hit(self._companion, "companion", str(companion_id))

    def _hashed(self, address: str) -> str:
        return hashlib.blake2b(address.encode(), digest_size=16, key=self._key).hexdigest()

    def _hit(self, rates: Sequence[RateLimitItem], *identity: str, message: str = TOO_MANY) -> None:
        self._limiter.hit(rates, *identity, message=message, hint=_kept)


def _kept(seconds: int) -> str:
    return msg("Wait {wait} seconds, then go on: your answers so far are kept.", wait=seconds)
