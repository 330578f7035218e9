"""The checks as an operator looks at them: every suite with its last result, and the runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from leitstand.catalogue.operations import start_checks
from leitstand.checks import history
from leitstand.checks.files import ALL, INGESTION, load, unchecked
from leitstand.checks.history import PastRun
from leitstand.db.models import CheckRun
from leitstand.errors import NotFound
from leitstand.identity.access import Principal, require
from leitstand.words import msg

PASSED, FAILED, NEVER = "passed", "failed", "never"


@dataclass(frozen=True)
class SuiteState:
    """One suite and what became of it last.

    Args:
        table: that it looks at.
        rules: what each of its checks says, by name; empty for a comparison that is no suite of the files.
        last: its newest result on the live database; None where it never ran.
    """

    name: str
    table: str
    rules: Mapping[str, str]
    last: CheckRun | None

    @property
    def state(self) -> str:
        """passed, failed or never."""
        if self.last is None:
            return NEVER
        return PASSED if self.last.success else FAILED

    @property
    def failing(self) -> list[dict[str, Any]]:
        """The checks of the last result that do not hold, with what they say and some of the rows."""
        results = self.last.result.get("results", []) if self.last else []
        return [check for check in results if not check["success"]]

    @property
    def outcomes(self) -> list[tuple[str, str, str]]:
        """Each check: its name, what it says, and passed, failed, skipped or nothing."""
        last = {check["name"]: check for check in (self.last.result.get("results", []) if self.last else [])}
        says = self.rules or {name: check["says"] for name, check in last.items()}
        return [(name, words, _outcome(last.get(name))) for name, words in says.items()]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "name": self.name, "table": self.table, "state": self.state, "checks": len(self.rules) or None,
            "last": history.to_dict(self.last) if self.last else None,
        }  # fmt: skip


@dataclass(frozen=True)
class Overview:
    """All suites, those that fail first; the newest runs; and the tables that need no suite, with the reason."""

    suites: list[SuiteState]
    runs: list[PastRun] = field(default_factory=list)
    unchecked: Mapping[str, str] = field(default_factory=dict)

    @property
    def failing(self) -> list[SuiteState]:
        """The suites whose last result is not as it should be."""
        return [suite for suite in self.suites if suite.state == FAILED]


def overview(session: Session, folder: Path, *, principal: Principal, runs: int = 20) -> Overview:
    """The checks now.

    Raises:
        Forbidden: without `operations:read`.
        InvalidInput: the suites' files are not what they should be.
    """
    require(principal, "operations:read")
    order = [FAILED, NEVER, PASSED]
    suites = sorted(_suites(session, folder), key=lambda it: order.index(it.state))
    return Overview(suites, history.latest(session, limit=runs), unchecked(folder).tables)


def suite_of(session: Session, folder: Path, name: str, *, principal: Principal) -> SuiteState:
    """One suite.

    Raises:
        Forbidden: without `operations:read`.
        NotFound: there is none of that name.
    """
    require(principal, "operations:read")
    for suite in _suites(session, folder):
        if suite.name == name:
            return suite
    raise NotFound(
        msg("There is no suite {name!r}.", name=name), hint="The page of the data checks lists them."
    )


def start(session: Session, folder: Path, *, principal: Principal, suite: str) -> int:
    """Have the queue worker run one suite, or "all" or "ingestion"; the number of the job.

    Raises:
        as `start_checks`.
    """
    known = [ALL, INGESTION, *(it.name for it in load(folder).suites)]
    return start_checks(session, principal=principal, suite=suite, known=known)


def _suites(session: Session, folder: Path) -> list[SuiteState]:
    """Those of the files in their order, then the comparisons that are kept beside them."""
    rows = history.of_suites(session)
    found = [
        SuiteState(
            suite.name,
            suite.table,
            {it["meta"]["name"]: it["meta"]["says"] for it in suite.expectations},
            rows.pop(suite.name, None),
        )
        for suite in load(folder).suites
    ]
    others = [row for row in rows.values() if row.result.get("run_of") == row.suite]
    return found + [SuiteState(row.suite, _table(row), {}, row) for row in others]


def _outcome(check: Mapping[str, Any] | None) -> str:
    if check is None:
        return ""
    return "skipped" if check.get("skipped") else PASSED if check["success"] else FAILED


def _table(row: CheckRun) -> str:
    results = row.result.get("results", [])
    return str(results[0]["table"]) if results else ""
