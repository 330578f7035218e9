"""What proves that operation is sound: targets, and drills and executions of flows over time."""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.db.models import Drill, FlowExecution
from leitstand.identity.access import Principal, require

# The promises for PostgreSQL of docs/guide/operations: how much may be lost, how long a restore may take, and how
# old its last proof may be.
RPO_TARGET = timedelta(minutes=2)
RTO_TARGET = timedelta(minutes=30)
PROOF_TARGET = timedelta(hours=26)
PROVING = "postgres-"
MOST_DRILLS, MOST_EXECUTIONS = 1000, 100


def proves_postgres(drill: Drill) -> bool:
    """Whether this drill restores PostgreSQL: the promises above are about those, and others measure other things."""
    return drill.kind.startswith(PROVING)


def drills_since(session: Session, *, principal: Principal, since: datetime) -> list[Drill]:
    """The restore drills that began since then, oldest first (at most the newest 1,000).

    Raises:
        Forbidden: without `operations:read`.
    """
    require(principal, "operations:read")
    newest = (
        select(Drill).where(Drill.started_at >= since).order_by(Drill.started_at.desc()).limit(MOST_DRILLS)
    )
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
