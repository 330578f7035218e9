"""Operation over a period: what happened in it and nothing else, and the longest stretch without a proof."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from leitstand.db.models import Backup, CheckRun, Drill, FlowExecution, JobFailure
from leitstand.errors import Forbidden
from leitstand.health.period import operations_between
from leitstand.identity.access import Principal

START, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def between(session: Session, owner: Principal, **more: datetime) -> dict[str, Any]:
    times = {"start": START, "end": END, "now": END} | more
    return operations_between(session, principal=owner, **times)


def proof(at: datetime, status: str = "passed") -> Drill:
    return Drill(kind="postgres-latest", status=status, started_at=at - HOUR, finished_at=at)


def test_only_what_happened_in_it_counts(session: Session, owner: Principal) -> None:
    for at in (START - HOUR, START, END - HOUR, END):
        session.add_all([
            Backup(kind="postgres", engine="x", status="complete", started_at=at, finished_at=at, bytes=10),
            Drill(kind="d", status="failed", started_at=at, error="why"),
            CheckRun(suite=f"s{at.hour}", target="live", success=False, evaluated=1, failed=1, result={}, at=at),
            FlowExecution(flow="f", scheduled_for=at, status="crashed", started_at=at),
            JobFailure(job_id=int(at.timestamp()), attempt=1, at=at, reason="r"),
        ])  # fmt: skip
    session.flush()
    found = between(session, owner)
    assert [drill["at"] for drill in found["drills"]] == [START.isoformat(), (END - HOUR).isoformat()]
    assert found["backups"] == [
        {"kind": "postgres", "complete": 2, "failed": 0, "bytes": 20, "last": (END - HOUR).isoformat()}
    ]
    assert found["checks"] == {"runs": 2, "failed": 2, "failing": ["s0", "s23"]}
    assert found["flows"] == [{"flow": "f", "complete": 0, "failed": 0, "crashed": 2, "running": 0}]
    assert found["failed_attempts"] == 2


def test_the_longest_stretch_without_a_proof_reaches_over_the_periods_edges(
    session: Session, owner: Principal
) -> None:
    session.add(Backup(kind="postgres", engine="x", started_at=START - 100 * HOUR))
    session.add_all([proof(START - 10 * HOUR), proof(START + 30 * HOUR), proof(START + 40 * HOUR, "failed")])
    session.flush()
    now = START + 60 * HOUR
    assert (
        between(session, owner, now=now)["longest_without_proof"] == 40 * 3600
    )  # from the one before the month
    assert between(session, owner, now=START + 90 * HOUR)["longest_without_proof"] == 60 * 3600


def test_before_the_first_backup_there_is_nothing_to_prove(session: Session, owner: Principal) -> None:
    assert between(session, owner)["longest_without_proof"] is None
    session.add(Backup(kind="postgres", engine="x", started_at=END - 5 * HOUR))
    session.flush()
    assert between(session, owner)["longest_without_proof"] == 5 * 3600


def test_it_is_for_who_may_see_operations(session: Session, owner: Principal) -> None:
    with pytest.raises(Forbidden):
        between(session, replace(owner, permissions=frozenset({"insights:read"})))
