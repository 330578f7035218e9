"""How long something takes, and when to stop asking."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import duckdb
from psycopg.errors import QueryCanceled

from leitstand.insights.columnar import engine
from leitstand.insights.sources import TooSlow

# What takes longer is asked once, the rest twice.
QUICK_MS = 10_000.0


@dataclass(frozen=True)
class Took:
    """Milliseconds, and the answer; `cut`: it was stopped then, and there is none."""

    milliseconds: float
    answer: Any = None
    cut: bool = False

    def __str__(self) -> str:
        if self is NOT_ASKED:
            return "not asked"
        return f"> {self.milliseconds / 1000:,.0f} s" if self.cut else f"{self.milliseconds:,.0f}"


# The time for all rivals was up before.
NOT_ASKED = Took(0.0, cut=True)


@dataclass(frozen=True)
class Patience:
    """How long the rivals are waited for.

    Args:
        limit_ms: one statement.
        until: when none is asked any more (`time.monotonic()`).
    """

    limit_ms: int
    until: float

    def best(self, ask: Callable[[int], Any]) -> Took:
        """The faster of two, or the only one of what is slow; `NOT_ASKED` where the time is up.

        Args:
            ask: asks, and raises when it takes longer than so many milliseconds.
        """
        first = self._once(ask)
        if first.cut or first.milliseconds > QUICK_MS:
            return first
        second = self._once(ask)
        return first if second.cut else min(first, second, key=lambda it: it.milliseconds)

    def _once(self, ask: Callable[[int], Any]) -> Took:
        limit = min(self.limit_ms, int((self.until - time.monotonic()) * 1000))
        if limit <= 0:
            return NOT_ASKED
        try:
            return timed(lambda: ask(limit))
        except (TooSlow, QueryCanceled):
            return Took(limit, cut=True)


def timed(ask: Callable[[], Any]) -> Took:
    """Milliseconds, and the answer."""
    begun = time.perf_counter()
    answer = ask()
    return Took((time.perf_counter() - begun) * 1000, answer)


def p95(ask: Callable[[], Any], repeats: int) -> Took:
    """The 95th percentile of some, and the answer."""
    found = [timed(ask) for _ in range(repeats)]
    return sorted(found, key=lambda it: it.milliseconds)[int(0.95 * (repeats - 1))]


def postgres(cursor: Any, statement: str, limit_ms: int) -> list[tuple[Any, ...]]:
    """The rows of a statement, outside of any transaction.

    Raises:
        QueryCanceled: it took longer.
    """
    cursor.execute(f"SET statement_timeout = {limit_ms}")
    return list(cursor.execute(statement).fetchall())


def columnar(statement: str, limit_ms: int) -> list[tuple[Any, ...]]:
    """The rows of a statement in a DuckDB of its own.

    Raises:
        TooSlow: it took longer.
    """
    with duckdb.connect(config={"threads": 2}) as database, engine.limited(database, limit_ms):
        return database.execute(statement).fetchall()
