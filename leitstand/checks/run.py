"""Run the data checks on a database, give what they found, and keep it.

Great Expectations takes seconds of processor time and hundreds of megabytes to import: it runs in a process of its
own (`leitstand.checks.suite`) that is told the database's address in its environment, never in its arguments.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from leitstand.checks import history
from leitstand.checks.files import Checkpoint, load
from leitstand.checks.result import LIVE, CheckResult, counted
from leitstand.errors import IntegrityFailed, Unavailable
from leitstand.settings import REPOSITORY, Settings, get_settings
from leitstand.telemetry.logs import get_logger
from leitstand.words import msg

DATABASE_VARIABLE = "LEITSTAND_CHECKS_DATABASE_URL"
LIMIT_SECONDS = 1800.0
SAID_SHOWN = 300
log = get_logger("checks")


def check_live(
    engine: Engine,
    settings: Settings,
    *,
    suites: Sequence[str] = (),
) -> CheckResult:
    """Run checks on the live database and keep the result: in its `check_run`, and as a page among the evidence.

    Args:
        suites: which; all when omitted.

    Raises:
        as `run_checks`; and when the result can't be kept.
    """
    found = run_checks(settings.database_url, target=LIVE, suites=suites, folder=settings.checks_dir)
    return history.keep(engine, settings, found)


def check_restored(
    engine: Engine, settings: Settings, *, database_url: str, target: str, keep: bool
) -> CheckResult:
    """Run every check on a restored database; kept where the live ones are, unless nothing is to be kept.

    Raises:
        as `run_checks`.
    """
    found = run_checks(database_url, target=target, folder=settings.checks_dir)
    return history.keep(engine, settings, found) if keep else found


def run_checks(
    database_url: str,
    *,
    target: str,
    suites: Sequence[str] = (),
    folder: Path | None = None,
    limit_seconds: float = LIMIT_SECONDS,
) -> CheckResult:
    """Run checks on a database, and keep nothing.

    A database of an older revision is looked at as far as it goes: what it does not have yet is skipped, and said.

    Args:
        database_url: as SQLAlchemy takes it; only read from.
        target: name under which the result is reported.
        suites: which; all when omitted.
        folder: of the suites, those of the settings when omitted.

    Raises:
        InvalidInput: a suite's file is not what it should be, or there is no such suite.
        Unavailable: the checks could not run: the database does not answer, or they took too long.
        IntegrityFailed: not every check of the files was run.
    """
    folder = folder or get_settings().checks_dir
    checkpoint = load(folder).chosen(suites)
    document = _ask(database_url, folder, checkpoint, limit_seconds)
    results = document["results"]
    if len(results) != checkpoint.count:
        raise IntegrityFailed(
            msg(
                "{count} checks are in {folder}, but {ran} ran.",
                count=checkpoint.count,
                folder=folder,
                ran=len(results),
            ),
            hint="Great Expectations drops what it does not know; look for a misspelt type.",
        )
    evaluated, failed = counted(results)
    result = CheckResult(
        success=failed == 0,
        evaluated=evaluated,
        failed=failed,
        results=results,
        suite=checkpoint.name,
        target=target,
        seconds=document["seconds"],
        revision=document["revision"],
        suites=[suite.name for suite in checkpoint.suites],
    )
    log.info("checks done", target=target, suites=result.suite, evaluated=evaluated, violated=result.violated)
    return result


def _ask(database_url: str, folder: Path, checkpoint: Checkpoint, limit_seconds: float) -> dict[str, Any]:
    environment = {
        **os.environ,
        DATABASE_VARIABLE: database_url,
        "GX_ANALYTICS_ENABLED": "false",
        "PYTHONPATH": _path(),
    }
    names = [suite.name for suite in checkpoint.suites]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "leitstand.checks.suite", str(folder), *names], env=environment, capture_output=True, text=True, timeout=limit_seconds, check=False
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Unavailable(
            msg("The data checks took longer than {limit_seconds:.0f} s.", limit_seconds=limit_seconds),
            hint="Look for locks and for slow queries in the database's log.",
        ) from error
    try:
        document: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        log.error("the checks' process failed", code=done.returncode, said=done.stderr[-2000:])  # noqa: TRY400 - its own words say more
        raise Unavailable(
            msg(
                "The data checks could not run (their process ended with {returncode}).",
                returncode=done.returncode,
            ),
            hint="The log holds what it said.",
        ) from None
    if "error" in document:
        raise Unavailable(
            msg("The data checks could not run: {value}.", value=document["error"][:SAID_SHOWN]),
            hint="See whether the database answers: leitstand health.",
        )
    return document


def _path() -> str:
    return os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
