"""Remembered answers: bounded, made once, kept apart by key."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from panel_apps.cache import Remembered


def test_an_answer_is_made_once_per_key() -> None:
    made: list[str] = []
    memory: Remembered[str] = Remembered(most=4, seconds=60)
    for key in ("a", "b", "a", "a"):
        assert memory.get(key, lambda key=key: made.append(key) or f"answer {key}") == f"answer {key}"  # type: ignore[misc]
    assert made == ["a", "b"]


def test_the_least_used_is_forgotten_first() -> None:
    memory: Remembered[int] = Remembered(most=2, seconds=60)
    for key in ("a", "b", "a", "c"):
        memory.get(key, lambda: 1)
    assert memory.get("a", lambda: 2) == 1
    assert memory.get("b", lambda: 2) == 2
    assert len(memory) == 2


def test_an_old_answer_is_made_again() -> None:
    memory: Remembered[int] = Remembered(most=2, seconds=0.01)
    memory.get("a", lambda: 1)
    time.sleep(0.03)
    assert memory.get("a", lambda: 2) == 2


def test_none_is_an_answer() -> None:
    memory: Remembered[None] = Remembered(most=2, seconds=60)
    made: list[int] = []
    for _ in range(2):
        assert memory.get("a", lambda: made.append(1)) is None
    assert made == [1]


def test_who_asks_meanwhile_waits_for_the_same_answer() -> None:
    memory: Remembered[int] = Remembered(most=2, seconds=60)
    made: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> int:
        begun.set()
        go_on.wait(5)
        made.append(1)
        return len(made)

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(memory.get, "a", slow)
        assert begun.wait(5)
        others = [pool.submit(memory.get, "a", slow) for _ in range(3)]
        assert memory.get("b", lambda: 7) == 7  # another key does not wait
        go_on.set()
        assert {first.result(5), *(other.result(5) for other in others)} == {1}
    assert made == [1]


def test_a_failure_is_not_remembered() -> None:
    memory: Remembered[int] = Remembered(most=2, seconds=60)

    def fail() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        memory.get("a", fail)
    assert memory.get("a", lambda: 3) == 3


def test_many_threads_and_few_places() -> None:
    memory: Remembered[int] = Remembered(most=3, seconds=0.001)

    def ask(number: int) -> bool:
        return memory.get(number % 11, lambda: number % 11) == number % 11

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(3000)))
    assert len(memory) <= 3
