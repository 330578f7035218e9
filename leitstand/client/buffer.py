"""Events that wait to be sent: as bytes, in order, never more than memory was given to them."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Counters:
    """What became of the events that were tracked; together they are all of them.

    Args:
        waiting: not yet answered.
        accepted, duplicate, refused: as the server said.
        dropped: given up: the buffer was full, the server took none of the batch for good, or the time to end was over.
    """

    waiting: int = 0
    accepted: int = 0
    duplicate: int = 0
    refused: int = 0
    dropped: int = 0

    @property
    def tracked(self) -> int:
        """All of them."""
        return self.waiting + self.accepted + self.duplicate + self.refused + self.dropped


class Buffer:
    """A queue of lines, bounded in bytes; safe to use from any thread."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._changed = threading.Condition()
        self._counters = Counters()
        self._given_up = False

    def put(self, line: bytes) -> bool:
        """Let a line wait; False, and counted as dropped, where there is no room."""
        with self._changed:
            if self._size + len(line) > self._most:
                self._counters = replace(self._counters, dropped=self._counters.dropped + 1)
                return False
            self._lines.append(line)
            self._size += len(line)
            self._counters = replace(self._counters, waiting=self._counters.waiting + 1)
            self._changed.notify_all()
            return True

    def first(self, most: int, most_bytes: int) -> list[bytes]:
        """The lines that have waited longest, at least one if there are any; they stay until `settle`."""
        with self._changed:
            found: list[bytes] = []
            size = 0
            for line in self._lines:
                size += len(line) + 1
                if len(found) == most or (found and size > most_bytes):
                    break
                found.append(line)
            return found

    def settle(self, lines: Sequence[bytes], **counts: int) -> None:
        """Let go of these, the first ones, and count what became of them; nothing where all was given up."""
        with self._changed:
            if self._given_up:
                return
            for line in lines:
                self._size -= len(line)
                self._lines.popleft()
            now = self._counters
            more = {name: getattr(now, name) + count for name, count in counts.items()}
            self._counters = replace(now, waiting=now.waiting - len(lines), **more)
            self._changed.notify_all()

    def give_up(self) -> None:
        """Let go of everything for good; it counts as dropped, also what is being sent this moment."""
        with self._changed:
            now, self._given_up = self._counters, True
            self._counters = replace(now, waiting=0, dropped=now.dropped + now.waiting)
            self._lines.clear()
            self._changed.notify_all()

    def wait(self, enough: int, seconds: float, hurried: Callable[[], bool]) -> None:
        """Wait until so many lines are there, or so long, or until there is a hurry."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._lines) >= enough or hurried(), seconds)

    def wait_until_empty(self, seconds: float) -> bool:
        """Wait until nothing waits any more; False where that took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._lines, seconds)

    def wake(self) -> None:
        """Let whoever waits look again."""
        with self._changed:
            self._changed.notify_all()

    @property
    def counters(self) -> Counters:
        """What became of everything so far."""
        with self._changed:
            return self._counters
