"""What steps of a drill leave behind: checks with their verdicts, figures, and tables to look at."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leitstand.runbooks.journal import Once, journal_in
from leitstand.words import Message, to_stored

if TYPE_CHECKING:
    import pandas as pd

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; `skipped` where there is nothing to look at, which is said and is no failure.

    `said` is the detail as `leitstand.words.to_stored` keeps it, where it can be said in another language.
    """

    name: str
    verdict: str
    detail: str
    said: str = ""

    def to_dict(self) -> dict[str, str]:
        """JSON values."""
        return {name: value for name, value in asdict(self).items() if value or name != "said"}


@dataclass
class Evidence:
    """Everything that was found so far, kept in a file after each finding, because a later step may fail.

    Args:
        path: the file.
    """

    path: Path
    checks: list[Check] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    steps: dict[str, float] = field(default_factory=dict)

    def check(self, name: str, passed: bool, detail: object) -> None:
        """Keep a verdict."""
        self._keep(name, PASSED if passed else FAILED, detail)

    def skip(self, name: str, why: str) -> None:
        """Keep that there was nothing to look at."""
        self._keep(name, SKIPPED, why)

    def _keep(self, name: str, verdict: str, detail: object) -> None:
        said = to_stored(detail) if isinstance(detail, Message) and detail.values else ""
        self.checks.append(Check(name, verdict, str(detail), said))
        self.save()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a step, in seconds."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.steps[name] = round(time.monotonic() - began, 3)
            self.save()

    @contextmanager
    def once(self, step: str) -> Iterator[Once]:
        """A step that leaves durable facts, and knows on resuming what it left before; see `runbooks/journal.py`.

        The facts are recorded when the block ends without an error. `done` tells that an earlier try came to that: the
        step then looks whether it still is so, and does only what is missing.
        """
        journal = journal_in(self.path.parent)
        once = Once(journal.earlier(step))
        yield once
        if once.facts or not once.done:
            journal.add(step, **once.facts)

    def save(self) -> None:
        """Write everything to the file."""
        self.path.write_text(json.dumps(self.to_dict()))

    @property
    def failures(self) -> list[str]:
        """The checks that failed, in words."""
        return [f"{check.name}: {check.detail}" for check in self.checks if check.verdict == FAILED]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "checks": [check.to_dict() for check in self.checks],
            "figures": self.figures,
            "steps": self.steps,
        }

    def table(self, since: int = 0) -> "pd.DataFrame":
        """The checks from number `since` on."""
        return rows([check.to_dict() for check in self.checks[since:]], ["name", "verdict", "detail"])


def rows(records: list[dict[str, Any]], columns: list[str]) -> "pd.DataFrame":
    """Records as a table, without cutting what they say."""
    from leitstand.runbooks.tables import Table

    worded = [
        {
            name: ("yes" if value else "no") if isinstance(value, bool) else value
            for name, value in one.items()
        }
        for one in records
    ]
    return Table(worded, columns=columns)


def listed(records: list[dict[str, Any]], columns: list[str], nothing: str) -> "pd.DataFrame":
    """As `rows`; where there are none, a line says so."""
    return rows(records or [dict.fromkeys(columns, "") | {columns[0]: nothing}], columns)


def facts(values: dict[str, Any]) -> "pd.DataFrame":
    """Names and values as a table of two columns."""
    return rows([{"what": name, "is": str(value)} for name, value in values.items()], ["what", "is"])
