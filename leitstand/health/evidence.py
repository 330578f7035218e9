"""What proves that operation is sound: targets, drills and executions of flows over time, and the chain of evidence."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.db.models import CheckRun, Drill, EvidenceLink, FlowExecution
from leitstand.identity.access import Principal, require

# The promises for PostgreSQL of docs/guide/operations: how much may be lost, how long a restore may take, and how
# old its last proof may be.
RPO_TARGET = timedelta(minutes=2)
RTO_TARGET = timedelta(minutes=30)
PROOF_TARGET = timedelta(hours=26)
PROVING = "postgres-"
# The category of a drill; runs of runbooks lie in the same table.
DRILL = "drill"
# The kind of a link that signs a run; every other stands for a run itself.
SIGNATURE = "signature"
MOST_DRILLS, MOST_EXECUTIONS = 1000, 100
# The suite under which an audit of the chain of evidence is kept.
CHAIN_SUITE = "evidence-chain"


@dataclass(frozen=True)
class Promise:
    """What is promised of one kind of restore: how much may be lost, how long it may take (None: neither is), how old its proof may be."""

    rpo: timedelta | None
    rto: timedelta | None
    proof: timedelta


# By kind of drill, in the order in which they are shown. Proof: the schedule, and some time to notice.
PROMISES: Mapping[str, Promise] = {
    "postgres-latest": Promise(RPO_TARGET, RTO_TARGET, PROOF_TARGET),
    "postgres-random-time": Promise(RPO_TARGET, RTO_TARGET, timedelta(days=8)),
    "objects-sample": Promise(timedelta(hours=1), None, timedelta(days=8)),
    "secrets-decrypt": Promise(timedelta(days=1), None, timedelta(days=100)),
    "full-environment": Promise(None, timedelta(hours=2), timedelta(days=35)),
}


@dataclass(frozen=True)
class Chain:
    """The chain of evidence as the database has it, and what its last audit found.

    Args:
        length: links; `unaudited` of them came after the last audit.
        last_at, last_kind, last_sha256: of the newest link.
        audited_at: when the archived evidence was last compared with it; None when it never was.
        broken: what that audit found wrong.
    """

    length: int
    last_at: datetime | None
    last_kind: str
    last_sha256: str
    audited_at: datetime | None
    unaudited: int
    broken: int

    def to_dict(self) -> dict[str, Any]:
        """JSON values; times as ISO 8601."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
        }


def proves_postgres(drill: Drill) -> bool:
    """Whether this drill restores PostgreSQL: the promises above are about those, and others measure other things."""
    return drill.kind.startswith(PROVING)


def drills_since(session: Session, *, principal: Principal, since: datetime) -> list[Drill]:
    """The restore drills that began since then, oldest first (at most the newest 1,000).

    Raises:
        Forbidden: without `operations:read`.
    """
    require(principal, "operations:read")
    begun = select(Drill).where(Drill.category == DRILL, Drill.started_at >= since)
    newest = begun.order_by(Drill.started_at.desc()).limit(MOST_DRILLS)
    return list(reversed(session.scalars(newest).all()))


def executions_since(session: Session, *, principal: Principal, since: datetime) -> list[FlowExecution]:
    """The executions of flows that began since then, newest first (at most 100).

    Raises:
        Forbidden: without `operations:read`.
    """
    require(principal, "operations:read")
    begun = select(FlowExecution).where(FlowExecution.started_at >= since)
    return list(session.scalars(begun.order_by(FlowExecution.started_at.desc()).limit(MOST_EXECUTIONS)))


def executions_by_status(session: Session, *, principal: Principal, since: datetime) -> dict[str, int]:
    """How many executions began since then, by status.

    Raises:
        Forbidden: without `operations:read`.
    """
    require(principal, "operations:read")
    counted = select(FlowExecution.status, func.count()).where(FlowExecution.started_at >= since)
    return dict(session.execute(counted.group_by(FlowExecution.status)).tuples().all())


def last_passed(session: Session, *, principal: Principal) -> dict[str, datetime]:
    """When each kind of drill last proved a restore.

    Raises:
        Forbidden: without `operations:read`.
    """
    require(principal, "operations:read")
    passed = select(Drill.kind, func.max(Drill.finished_at)).where(
        Drill.category == DRILL, Drill.status == "passed"
    )
    found = session.execute(passed.group_by(Drill.kind)).tuples()
    return {kind: at for kind, at in found if at is not None}


def chain_of_evidence(session: Session, *, principal: Principal) -> Chain:
    """The chain of the evidence of drills and runbooks, without reading the evidence.

    Raises:
        Forbidden: without `operations:read`.
    """
    require(principal, "operations:read")
    audit = session.scalars(
        select(CheckRun).where(CheckRun.suite == CHAIN_SUITE).order_by(CheckRun.at.desc()).limit(1)
    ).first()
    newest = session.execute(
        select(EvidenceLink.at, func.coalesce(Drill.kind, ""), EvidenceLink.kind, EvidenceLink.sha256)
        .outerjoin(Drill, Drill.id == EvidenceLink.run_id)
        .order_by(EvidenceLink.sequence.desc())
        .limit(1)
    ).first()
    at, run, what, sha256 = newest or (None, "", "", "")
    kind = f"{what} of {run or 'a run'}" if what == SIGNATURE else run
    later = func.count().filter(EvidenceLink.at > audit.at) if audit else func.count()
    length, unaudited = session.execute(select(func.count(), later).select_from(EvidenceLink)).one()
    broken = sum(check["unexpected"] for check in audit.result.get("results", [])) if audit else 0
    return Chain(length, at, kind, sha256, audit.at if audit else None, unaudited, broken)
