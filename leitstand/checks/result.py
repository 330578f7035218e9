"""What a run of the checks found."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from leitstand.words import N_, Message, msg, said

LIVE = "live"
RESTORED = "drill of backup "


@dataclass(frozen=True)
class CheckResult:
    """What one run of the checks found.

    Args:
        success: whether every check holds.
        evaluated, failed: how many checks ran, and how many of them do not hold.
        results: one object a check: `name`, `suite`, `table`, `says`, `success`, `unexpected` (how many rows violate it),
            `examples` (some of them: keys, numbers and times, no text of anybody's), `error` (why it could not be decided,
            empty where it was) and `skipped` (why it was not looked at, empty where it was).
        suite: what was run: "all", or names of suites.
        target: what the database is: "live", or a drill's restored one (`restored`).
        seconds: how long it took.
        revision: of the database's schema.
        run_id: of this run; empty where it is kept nowhere.
        documents: s3:// address of its page; empty where there is none.
        documents_sha256: of that page.
    """

    success: bool
    evaluated: int
    failed: int
    results: list[dict[str, Any]]
    suite: str
    target: str
    seconds: float
    revision: str = ""
    run_id: str = ""
    documents: str = ""
    documents_sha256: str = ""
    suites: list[str] = field(default_factory=list)

    @property
    def violated(self) -> list[str]:
        """Names of the checks that do not hold."""
        return [check["name"] for check in self.results if not check["success"]]

    @property
    def skipped(self) -> list[str]:
        """Names of the checks that this database has nothing for."""
        return [check["name"] for check in self.results if check.get("skipped")]

    def of_suite(self, name: str) -> list[dict[str, Any]]:
        """The checks of one suite."""
        return [check for check in self.results if check["suite"] == name]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def counted(results: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    """How many of these checks ran, and how many of them do not hold."""
    ran = [check for check in results if not check.get("skipped")]
    return len(ran), sum(not check["success"] for check in ran)


def restored(backup_id: object) -> str:
    """The target of a drill: what it restored from a backup."""
    return f"{RESTORED}{backup_id}"


def database_of(target: str) -> Message:
    """A target as it is read after "on"."""
    if target == LIVE:
        return said(N_("the live database"))
    if target.startswith(RESTORED):
        return msg("the restored backup {id}", id=target.removeprefix(RESTORED))
    return said(target)
