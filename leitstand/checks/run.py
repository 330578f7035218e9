"""Run the data checks on a database and give what they found.

Great Expectations takes seconds of processor time and hundreds of megabytes to import: it runs in a process of its
own (`leitstand.checks.suite`) that is told the database's address in its environment, never in its arguments.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from leitstand.checks.files import load
from leitstand.db.engine import transaction
from leitstand.db.models import CheckRun
from leitstand.errors import IntegrityFailed, Unavailable
from leitstand.settings import REPOSITORY, get_settings
from leitstand.telemetry.logs import get_logger

LIVE = "live"
DATABASE_VARIABLE = "LEITSTAND_CHECKS_DATABASE_URL"
LIMIT_SECONDS = 1800.0
SAID_SHOWN = 300
log = get_logger("checks")


@dataclass(frozen=True)
class CheckResult:
    """What one run of the checks found.

    Args:
        success: whether every check holds.
        evaluated, failed: how many checks ran, and how many of them do not hold.
        results: one object a check: `name`, `suite`, `table`, `says`, `success`, `unexpected` (how many rows violate it),
            `examples` (some of them) and `error` (why it could not be decided, empty where it was).
        suite: name of the checkpoint.
        target: what the database is: "live", or a drill's restored one.
        seconds: how long it took.
    """

    success: bool
    evaluated: int
    failed: int
    results: list[dict[str, Any]]
    suite: str
    target: str
    seconds: float

    @property
    def violated(self) -> list[str]:
        """Names of the checks that do not hold."""
        return [check["name"] for check in self.results if not check["success"]]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def run_checks(
    database_url: str, *, target: str, folder: Path | None = None, limit_seconds: float = LIMIT_SECONDS
) -> CheckResult:
    """Run every check on a database; the result of the live one is kept in `check_run`.

    Args:
        database_url: as SQLAlchemy takes it; only read from.
        target: "live", or another name under which the result is reported.
        folder: of the suites, those of the settings when omitted.

    Raises:
        InvalidInput: a suite's file is not what it should be.
        Unavailable: the checks could not run: the database does not answer, or they took too long.
        IntegrityFailed: not every check of the files was run.
    """
    folder = folder or get_settings().checks_dir
    checkpoint = load(folder)
    document = _ask(database_url, folder, limit_seconds)
    results = document["results"]
    failed = sum(not check["success"] for check in results)
    if len(results) != checkpoint.count:
        raise IntegrityFailed(
            f"{checkpoint.count} checks are in {folder}, but {len(results)} ran.",
            hint="Great Expectations drops what it does not know; look for a misspelt type.",
        )
    result = CheckResult(
        failed == 0, len(results), failed, results, checkpoint.name, target, document["seconds"]
    )
    log.info("checks done", target=target, evaluated=result.evaluated, violated=result.violated)
    if target == LIVE:
        _keep(database_url, result)
    return result


def _ask(database_url: str, folder: Path, limit_seconds: float) -> dict[str, Any]:
    environment = {
        **os.environ,
        DATABASE_VARIABLE: database_url,
        "GX_ANALYTICS_ENABLED": "false",
        "PYTHONPATH": _path(),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "leitstand.checks.suite", str(folder)], env=environment, capture_output=True, text=True, timeout=limit_seconds, check=False
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Unavailable(
            f"The data checks took longer than {limit_seconds:.0f} s.",
            hint="Look for locks and for slow queries in the database's log.",
        ) from error
    try:
        document: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        log.error("the checks' process failed", code=done.returncode, said=done.stderr[-2000:])  # noqa: TRY400 - its own words say more
        raise Unavailable(
            f"The data checks could not run (their process ended with {done.returncode}).",
            hint="The log holds what it said.",
        ) from None
    if "error" in document:
        raise Unavailable(
            f"The data checks could not run: {document['error'][:SAID_SHOWN]}.",
            hint="See whether the database answers: leitstand health.",
        )
    return document


def _path() -> str:
    return os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))


def _keep(database_url: str, result: CheckResult) -> None:
    engine = create_engine(database_url, pool_size=1)
    try:
        with transaction(engine) as session:
            row = CheckRun(
                suite=result.suite,
                target=result.target,
                success=result.success,
                evaluated=result.evaluated,
                failed=result.failed,
                result=result.to_dict(),
            )
            session.add(row)
    finally:
        engine.dispose()
