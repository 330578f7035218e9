"""Answers kept as long as the facts stay the same: the same question about the same state is computed once."""

import threading
from collections import OrderedDict
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Select

from leitstand.insights.columnar.dialect import Question
from leitstand.insights.sources import Facts, Rows

MOST_ROWS = 500_000
# Never more than a few percent of the memory for one answer.
MOST_ROWS_OF_ONE = 50_000
Key = tuple[Any, ...]


class Computing(Protocol):
    """Facts of which each answer costs something, and that can tell beforehand what it depends on."""

    as_of: datetime
    workspace_id: UUID

    def question(self, statement: Select[Any]) -> Question:
        """The statement for the engine."""

    def joined(self, question: Question) -> tuple[str, ...]:
        """Make the small tables that a question joins; hashes of what they hold."""

    def answer(self, question: Question) -> Rows:
        """What a question finds, whose small tables are there."""


class Memory:
    """Answers by their question and the state of the facts; the last used ones, up to a number of rows."""

    def __init__(self, most_rows: int = MOST_ROWS) -> None:
        self._most = most_rows
        self._rows = 0
        self._kept: OrderedDict[Key, Rows] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key) -> Rows | None:
        """The answer to that question, if it is kept."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def keep(self, key: Key, answer: Rows) -> None:
        """Keep an answer, and forget those that were used longest ago."""
        if len(answer.values) > MOST_ROWS_OF_ONE:
            return
        with self._lock:
            self._forget(key)
            self._kept[key] = answer
            self._rows += _size(answer)
            while self._rows > self._most:
                self._forget(next(iter(self._kept)))

    def _forget(self, key: Key) -> None:
        answer = self._kept.pop(key, None)
        if answer is not None:
            self._rows -= _size(answer)

    def __len__(self) -> int:
        return len(self._kept)


def _size(answer: Rows) -> int:
    return len(answer.values) + 1


MEMORY = Memory()


class RememberedFacts(Facts):
    """Facts from the copy whose answers are kept for everyone who asks about the same workspace in the same state.

    Args:
        facts: what computes an answer that is not kept.
        version: the state of the workspace's facts.
    """

    def __init__(self, facts: Computing, version: tuple[int, ...], memory: Memory = MEMORY) -> None:
        self.as_of = facts.as_of
        self._facts = facts
        self._version = version
        self._memory = memory

    def rows(self, statement: Select[Any]) -> Rows:
        question = self._facts.question(statement)
        key = self._key(question)
        if question.volatile:
            return self._facts.answer(question)
        found = self._memory.get(key)
        if found is None:
            found = self._facts.answer(question)
            self._memory.keep(key, found)
        return found

    def _key(self, question: Question) -> Key:
        facts = self._facts
        asked = question.sql, tuple(map(repr, question.parameters))
        return facts.workspace_id, self._version, facts.joined(question), *asked
