"""What the ingestion dashboard shows of one range, each question asked once."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from leitstand.health import outcomes
from leitstand.identity.access import Principal
from leitstand.insights import ingestion
from leitstand.insights.ingestion import Latency
from leitstand.insights.scope import Scope
from panel_apps.series import every_day, moved

if TYPE_CHECKING:
    import pandas as pd

EVENTS = ["files", "accepted", "duplicates", "refused"]
DOCUMENTS = ["ready", "failed", "waiting", "bytes"]


@dataclass(frozen=True)
class Totals:
    """The key figures of one range: files and events, documents and how long they took."""

    files: int
    accepted: int
    refused: int
    ready: int
    failed: int
    waiting: int
    latency: Latency


@dataclass(frozen=True)
class Before:
    """The period before: key figures, and its days with those of the range that they are compared with.

    Args:
        events: `day`, `before_day`, `before_files`, `before_accepted`, `before_duplicates`, `before_refused`.
        documents: `day`, `before_day`, `before_ready`, `before_failed`, `before_waiting`, `before_bytes`.
    """

    totals: Totals
    events: "pd.DataFrame"
    documents: "pd.DataFrame"


@dataclass(frozen=True)
class Answers:
    """Everything that the ingestion dashboard shows of one scope.

    Args:
        totals: of the range.
        before: of the period that it is compared with, with its days; None without.
        events: `day`, `files`, `accepted`, `duplicates`, `refused`.
        files: `file`, `status`, `began`, `seconds`, `accepted`, `duplicates`, `refused`.
        refusals: `reason`, `events`, `replayed`, `last`.
        documents: `day`, `ready`, `failed`, `waiting`, `bytes`.
        failures: `reason`, `documents`, `example`, `last`.
        jobs, flows: how the work went, by name; None for who may not see operations.
        as_of: when all this was read.
    """

    totals: Totals
    before: Before | None
    events: "pd.DataFrame"
    files: "pd.DataFrame"
    refusals: "pd.DataFrame"
    documents: "pd.DataFrame"
    failures: "pd.DataFrame"
    jobs: "pd.DataFrame | None"
    flows: "pd.DataFrame | None"
    as_of: datetime


def ask(session: Session, principal: Principal, scope: Scope, before: Scope | None) -> Answers:
    """Ask every question about a scope, and the key figures of the one before."""
    as_of = datetime.now(UTC)
    events = ingestion.files_by_day(session, scope, principal=principal)
    documents = ingestion.documents_by_day(session, scope, principal=principal)
    operates = principal.may("operations:read")
    time = {"since": scope.start_at, "until": scope.end_at}
    return Answers(
        totals=totals(session, principal, scope, events, documents),
        before=_before(session, principal, scope, before) if before else None,
        events=events,
        files=ingestion.files(session, scope, principal=principal),
        refusals=ingestion.refusals(session, scope, principal=principal),
        documents=documents,
        failures=ingestion.failures(session, scope, principal=principal),
        jobs=outcomes.job_outcomes(session, principal=principal, **time) if operates else None,
        flows=outcomes.flow_outcomes(session, principal=principal, **time) if operates else None,
        as_of=as_of,
    )


def totals(
    session: Session, principal: Principal, scope: Scope, events: "pd.DataFrame", documents: "pd.DataFrame"
) -> Totals:
    """The key figures of a range whose days are known."""
    return Totals(
        files=int(events["files"].sum()),
        accepted=int(events["accepted"].sum()),
        refused=int(events["refused"].sum()),
        ready=int(documents["ready"].sum()),
        failed=int(documents["failed"].sum()),
        waiting=int(documents["waiting"].sum()),
        latency=ingestion.latency(session, scope, principal=principal),
    )


def days_with_any(session: Session, principal: Principal, scope: Scope) -> tuple[date | None, date | None]:
    """The first and last day on which anything came in."""
    return ingestion.days_with_any(session, scope, principal=principal)


def _before(session: Session, principal: Principal, scope: Scope, before: Scope) -> Before:
    events = ingestion.files_by_day(session, before, principal=principal)
    documents = ingestion.documents_by_day(session, before, principal=principal)
    shift, until = scope.start - before.start, datetime.now(ZoneInfo(scope.zone)).date()
    return Before(
        totals(session, principal, before, events, documents),
        moved(every_day(events, before.start, before.end), EVENTS, shift, until=until),
        moved(every_day(documents, before.start, before.end), DOCUMENTS, shift, until=until),
    )
