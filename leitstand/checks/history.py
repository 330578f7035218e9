"""What is kept of the runs of the checks: a row a suite, and a page among the evidence."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Text, cast, delete, func, select
from sqlalchemy.dialects.postgresql import JSONPATH
from sqlalchemy.orm import Session, aliased

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
from leitstand.words import msg

PREFIX = "checks/"
# Rows of runs of everything, of restored databases and of what failed; those of some suites that found nothing.
KEPT, KEPT_SMALL = timedelta(days=90), timedelta(days=7)
# A run has a row a suite at most.
ROWS_A_RUN = 60
FAILING = cast("$.results[*] ? (@.success == false).name", JSONPATH)
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
    recent = select(CheckRun).order_by(CheckRun.at.desc(), CheckRun.id.desc()).limit(limit * ROWS_A_RUN)
    rows = aliased(CheckRun, (recent.where(CheckRun.target == target) if target else recent).subquery())
    said = rows.result
    run_id = func.coalesce(func.nullif(said["run_id"].astext, ""), cast(rows.id, Text))
    failing = func.jsonb_path_query_array(said, FAILING)
    of_run = {
        "run_id": run_id,
        "at": func.max(rows.at),
        "suite": func.coalesce(func.max(said["run_of"].astext), func.max(rows.suite)),
        "target": func.max(rows.target),
        "success": func.bool_and(rows.success),
        "evaluated": func.sum(rows.evaluated),
        "failed": func.sum(rows.failed),
        "violated": func.jsonb_agg(failing).filter(rows.success.is_(False)),
        "seconds": func.max(said["seconds"].as_float()),
        "documents": func.coalesce(func.max(said["documents"].astext), ""),
        "documents_sha256": func.coalesce(func.max(said["documents_sha256"].astext), ""),
    }
    query = select(*(column.label(name) for name, column in of_run.items())).group_by(run_id)
    found = session.execute(query.order_by(func.max(rows.at).desc(), run_id.desc()).limit(limit))
    return [
        PastRun(**{**row, "violated": [name for names in row["violated"] or () for name in names]})
        for row in found.mappings()
    ]


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
            msg("The suite {suite!r} has not run yet.", suite=suite),
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
