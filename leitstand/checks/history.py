"""What is kept of the runs of the checks: a row a suite, and a page among the evidence."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Text, cast, delete, func, select
from sqlalchemy.orm import Session

from leitstand.checks.documents import page
from leitstand.checks.files import ALL
from leitstand.checks.result import LIVE, CheckResult, counted
from leitstand.db.engine import transaction
from leitstand.db.models import CheckRun
from leitstand.db.models.base import new_id
from leitstand.errors import LeitstandError, NotFound
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.telemetry.logs import get_logger

PREFIX = "checks/"
# Rows of runs of everything, of restored databases and of what failed; those of some suites that found nothing.
KEPT, KEPT_SMALL = timedelta(days=90), timedelta(days=7)
HTML_TYPE, JSON_TYPE = "text/html; charset=utf-8", "application/json"
log = get_logger("checks")


@dataclass(frozen=True)
class PastRun:
    """One run of checks: which suites, how many checks, and the names of those that did not hold.

    Args:
        documents: s3:// address of its page, with its SHA-256; empty where there is none.
    """

    run_id: str
    at: datetime
    suite: str
    target: str
    success: bool
    evaluated: int
    failed: int
    violated: list[str]
    seconds: float | None
    documents: str
    documents_sha256: str

    def to_dict(self) -> dict[str, object]:
        """JSON values; the time as ISO 8601."""
        return {**asdict(self), "at": self.at.isoformat()}


def keep(engine: Engine, settings: Settings, found: CheckResult) -> CheckResult:
    """Archive the page of a run and keep a row for each of its suites; the result with its id and addresses.

    A run of some suites that found nothing is a row alone. A store that does not answer costs the page, not the rows.
    """
    found = replace(found, run_id=str(new_id()))
    if found.suite == ALL or found.target != LIVE or not found.success:
        found = _archived(settings, found)
    keep_rows(engine, found)
    return found


def keep_rows(engine: Engine, found: CheckResult) -> None:
    """A row for each suite of which something was looked at, and none of those that are old."""
    now = datetime.now(UTC)
    with transaction(engine) as session:
        for name in found.suites or [found.suite]:
            results = found.of_suite(name)
            evaluated, failed = counted(results)
            if evaluated:
                session.add(
                    CheckRun(
                        suite=name, target=found.target, success=not failed, evaluated=evaluated, failed=failed,
                        result={**_of_run(found), "results": results}, at=now,
                    )
                )  # fmt: skip
        _forget(session, now)


def latest(session: Session, *, limit: int = 20, target: str = "") -> list[PastRun]:
    """The newest runs first, of all targets or of one."""
    run_id = func.coalesce(func.nullif(CheckRun.result["run_id"].astext, ""), cast(CheckRun.id, Text))
    newest = (
        select(run_id.label("run"), func.max(CheckRun.at).label("at"))
        .where(CheckRun.target == target if target else CheckRun.target != "")
        .group_by(run_id)
        .order_by(func.max(CheckRun.at).desc(), run_id.desc())
        .limit(limit)
        .subquery()
    )
    rows = session.scalars(
        select(CheckRun)
        .join(newest, newest.c.run == run_id)
        .order_by(newest.c.at.desc(), newest.c.run.desc(), CheckRun.suite)
    )
    grouped: dict[str, list[CheckRun]] = {}
    for row in rows:
        grouped.setdefault(str(row.result.get("run_id") or row.id), []).append(row)
    return [_past(run, of_run) for run, of_run in grouped.items()]


def of_suites(session: Session, *, target: str = LIVE) -> dict[str, CheckRun]:
    """The newest row of each suite."""
    newest = (
        select(CheckRun)
        .where(CheckRun.target == target)
        .distinct(CheckRun.suite)
        .order_by(CheckRun.suite, CheckRun.at.desc(), CheckRun.id.desc())
    )
    return {row.suite: row for row in session.scalars(newest)}


def last_of(session: Session, suite: str) -> dict[str, Any]:
    """The last result of a suite on the live database, as JSON values.

    Raises:
        NotFound: it has not run, or there is none of that name.
    """
    query = select(CheckRun).where(CheckRun.suite == suite, CheckRun.target == LIVE)
    row = session.scalars(query.order_by(CheckRun.at.desc(), CheckRun.id.desc()).limit(1)).first()
    if row is None:
        raise NotFound(
            f"The suite {suite!r} has not run yet.",
            hint="`leitstand checks list` names the suites, `leitstand checks run` runs them.",
        )
    return to_dict(row)


def to_dict(row: CheckRun) -> dict[str, Any]:
    """One suite's part of a run, as JSON values."""
    return {
        "suite": row.suite, "target": row.target, "at": row.at.isoformat(), "success": row.success,
        "evaluated": row.evaluated, "failed": row.failed, "results": row.result.get("results", []),
        **{name: row.result.get(name) or "" for name in ("run_id", "revision", "documents", "documents_sha256")},
    }  # fmt: skip


def run_rows(session: Session, run_id: str) -> list[CheckRun]:
    """The rows of one run, by suite.

    Raises:
        NotFound: there is no such run.
    """
    query = select(CheckRun).where(CheckRun.result["run_id"].astext == run_id)
    found = list(session.scalars(query.order_by(CheckRun.suite)))
    if not found:
        raise NotFound("There is no such run of checks.", hint="Runs are kept for 90 days at most.")
    return found


def rows_of_suite(session: Session, suite: str, *, limit: int = 30) -> list[CheckRun]:
    """The newest rows of one suite, of every target."""
    query = select(CheckRun).where(CheckRun.suite == suite)
    return list(session.scalars(query.order_by(CheckRun.at.desc(), CheckRun.id.desc()).limit(limit)))


def last_duration(session: Session, run_of: str) -> timedelta:
    """How long the last run of these suites took on the live database; nothing where there was none."""
    seconds = CheckRun.result["seconds"].as_float()
    last = select(seconds).where(CheckRun.target == LIVE, CheckRun.result["run_of"].astext == run_of)
    return timedelta(seconds=session.scalar(last.order_by(CheckRun.at.desc()).limit(1)) or 0)


def _past(run: str, rows: list[CheckRun]) -> PastRun:
    first = rows[0]
    return PastRun(
        run_id=run,
        at=first.at,
        suite=first.result.get("run_of") or first.suite,
        target=first.target,
        success=all(row.success for row in rows),
        evaluated=sum(row.evaluated for row in rows),
        failed=sum(row.failed for row in rows),
        violated=[name for row in rows for name in violated(row)],
        seconds=first.result.get("seconds"),
        documents=first.result.get("documents") or "",
        documents_sha256=first.result.get("documents_sha256") or "",
    )


def violated(row: CheckRun) -> list[str]:
    """The names of the checks of a row that did not hold."""
    return [check["name"] for check in row.result.get("results", []) if not check["success"]]


def _of_run(found: CheckResult) -> dict[str, Any]:
    """What the rows of one run have in common."""
    return {
        "run_id": found.run_id, "run_of": found.suite, "whole": found.suite == ALL, "seconds": found.seconds,
        "revision": found.revision, "documents": found.documents, "documents_sha256": found.documents_sha256,
    }  # fmt: skip


def _archived(settings: Settings, found: CheckResult) -> CheckResult:
    now = datetime.now(UTC)
    key = f"{PREFIX}{now:%Y/%m}/{found.run_id}"
    body = page(found, at=now).encode()
    try:
        storage, bucket = ObjectStorage(settings), settings.bucket_evidence
        stored = storage.put_bytes(bucket, f"{key}.html", body, HTML_TYPE)
        storage.put_bytes(bucket, f"{key}.json", json.dumps(found.to_dict()).encode(), JSON_TYPE)
    except LeitstandError as error:
        log.warning("the checks' page was not archived", reason=error.message)
        return found
    return replace(found, documents=stored.address, documents_sha256=stored.sha256)


def _forget(session: Session, now: datetime) -> None:
    small = CheckRun.success & (CheckRun.target == LIVE) & (CheckRun.result["whole"].astext == "false")
    old = (CheckRun.at < now - KEPT) | ((CheckRun.at < now - KEPT_SMALL) & small)
    session.execute(delete(CheckRun).where(old))
