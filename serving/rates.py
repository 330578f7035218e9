"""Rate limits that each process counts in its memory."""

import math
import time
from collections.abc import Callable, Sequence
from functools import lru_cache

from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from leitstand.errors import TooManyRequests
from leitstand.identity.access import Principal
from leitstand.settings import get_settings
from leitstand.words import N_, msg

LONGEST_WAIT = 3600
TOO_MANY = N_("There are too many requests at the moment.")
MANY_QUESTIONS = N_("You have asked many questions in a short time.")


class Limiter:
    """Counts by whatever names who asks."""

    def __init__(self) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def hit(
        self,
        rates: Sequence[RateLimitItem],
        *identity: str,
        message: str = TOO_MANY,
        hint: Callable[[int], str] | None = None,
    ) -> None:
        """Count one.

        Args:
            message: what is said where there were too many.
            hint: what to do then, given the seconds to wait.

        Raises:
            TooManyRequests: with `retry_after` in its details.
        """
        for rate in rates:
            if not self._limiter.hit(rate, *identity):
                reset = self._limiter.get_window_stats(rate, *identity).reset_time
                wait = min(max(1, math.ceil(reset - time.time())), LONGEST_WAIT)
                raise TooManyRequests(message, hint=(hint or _wait)(wait), details={"retry_after": wait})


def _wait(seconds: int) -> str:
    return msg("Wait {wait} seconds, then go on.", wait=seconds)


def count_question(principal: Principal) -> None:
    """One question of a person to a model.

    Raises:
        TooManyRequests: with `retry_after` in its details.
    """
    rates = parse_many(get_settings().model_person_rate)
    who = str(principal.person_id or principal.name)
    _questions().hit(rates, str(principal.workspace_id), who, message=MANY_QUESTIONS)


@lru_cache(maxsize=1)
def _questions() -> Limiter:
    return Limiter()
