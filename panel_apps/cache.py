"""Answers remembered for everyone who may have them.

`pn.cache` drops old entries without a lock, so two threads may both drop one and fail; and it computes an answer
twice that two people ask for at once.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock


class _Answer[T]:
    """One answer, or the lock that its first asker holds while it is made."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.value: T | None = None
        self.made = False
        self.at = time.monotonic()


class Remembered[T]:
    """A bounded, thread-safe memory; a key holds everything that an answer depends on, permissions included.

    Args:
        most: how many answers are kept, the last used ones.
        seconds: how long each is kept.
    """

    def __init__(self, *, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._answers: OrderedDict[Hashable, _Answer[T]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The answer of that key, made by `make` when there is none; whoever asks meanwhile waits for it."""
        answer = self._find(key)
        with answer.lock:
            if not answer.made:
                answer.value = make()
                answer.made = True
            return answer.value  # type: ignore[return-value]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._answers.clear()

    def __len__(self) -> int:
        return len(self._answers)

    def _find(self, key: Hashable) -> _Answer[T]:
        with self._lock:
            held = self._answers.pop(key, None)
            if held is None or time.monotonic() - held.at > self._seconds:
                held = _Answer()
            self._answers[key] = held
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)
            return held
