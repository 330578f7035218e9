"""Which engine answers: chosen for the rows that a question reads, with PostgreSQL behind whatever fails."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from leitstand.db.engine import STATEMENT_TIMEOUT_MS
from leitstand.db.models import FactPart
from leitstand.errors import LeitstandError
from leitstand.insights.copy.facts import month_after
from leitstand.insights.remembered import Computing, RememberedFacts
from leitstand.insights.scope import Scope
from leitstand.insights.sources import Facts, PostgresFacts, Rows, TooSlow
from leitstand.settings import Settings, get_settings
from leitstand.telemetry.logs import get_logger

if TYPE_CHECKING:
    from leitstand.insights.copy.snapshots import Snapshot
    from leitstand.insights.copy.state import CopyState

# On fewer rows PostgreSQL is as fast: of 1.3 million events both take as long over 4 to 7 days, of 6,000 to 19,000 rows
# (measured: the table of `./run bench insights` about where the engines cross).
WORTH_ROWS = 10_000
# Rows of more changed days than these are not loaded for a question: the next copy has them.
MOST_CHANGED_DAYS = 10
# A store that does not answer is asked again after a while, not by every question.
PAUSE_SECONDS = 30.0
log = get_logger("insights")
_failed: dict[UUID, float] = {}


class SurvivingFacts(Facts):
    """Answers with the copy; with the facts themselves from the first failure on."""

    def __init__(self, copy: Facts, session: Session) -> None:
        self.as_of = copy.as_of
        self._facts = copy
        self._session = session

    def rows(self, statement: Select[Any]) -> Rows:
        if isinstance(self._facts, PostgresFacts):
            return self._facts.rows(statement)
        try:
            return self._facts.rows(statement)
        except TooSlow:
            raise
        except _failures() as error:
            log.warning("the copy of the facts failed; PostgreSQL answers", error=str(error)[:500])
            self._facts = PostgresFacts(self._session)
            return self._facts.rows(statement)


@contextmanager
def open_facts(session: Session, scope: Scope, *, settings: Settings | None = None) -> Iterator[Facts]:
    """The facts that questions about a scope are asked; the figures are the same whichever engine answers.

    Args:
        session: reads what the copy does not have, in its own transaction.
        scope: its workspace, and what range is asked about.
    """
    settings = settings or get_settings()
    with ExitStack() as held:
        yield _copied(held, settings, session, scope) or PostgresFacts(session)


def _copied(held: ExitStack, settings: Settings, session: Session, scope: Scope) -> Facts | None:
    """The facts from their copy, where one is there and worth it."""
    chosen = settings.insights_engine
    if chosen == "postgres" or (chosen == "auto" and copied_rows(session, scope) < WORTH_ROWS):
        return None
    if _failed.get(scope.workspace_id, 0.0) > time.monotonic():
        return None
    try:
        copy = _opened(held, settings, scope)
    except _failures() as error:
        log.warning("the copy of the facts can't be read; PostgreSQL answers", error=str(error)[:500])
        _failed[scope.workspace_id] = time.monotonic() + PAUSE_SECONDS
        return None
    return SurvivingFacts(copy, session) if copy else None


def copied_rows(session: Session, scope: Scope) -> int:
    """About how many rows of the copy lie in the range of a scope: of a month that it cuts, the share of its days.

    Zero where there is no copy. A companion's own rows are not known, so that its workspace's count for it.
    """
    parts = select(FactPart.month, FactPart.rows).where(
        FactPart.workspace_id == scope.workspace_id, FactPart.replaced_at.is_(None)
    )
    start, end = scope.start_at.astimezone(UTC).date(), scope.end_at.astimezone(UTC).date()
    return round(sum(rows * _share(month, start, end) for month, rows in session.execute(parts).tuples()))


def _share(month: date, start: date, end: date) -> float:
    """How much of a month lies in [start, end)."""
    after = month_after(month)
    days = min(after, max(end, start + timedelta(days=1))) - max(month, start)
    return max(days, timedelta(0)) / (after - month)


def _opened(held: ExitStack, settings: Settings, scope: Scope) -> Facts | None:
    from leitstand.insights.copy.snapshots import snapshot
    from leitstand.insights.copy.state import read_state

    # Left open on success only: a failure on the way lets go of everything.
    with ExitStack() as opening:
        view = opening.enter_context(snapshot(settings, timeout_ms=STATEMENT_TIMEOUT_MS))
        state = read_state(view, scope.workspace_id)
        if state is None or len(state.changed_days()) > MOST_CHANGED_DAYS:
            return None
        facts = opening.enter_context(_reader_of(settings)(settings, view, state))
        held.push(opening.pop_all())
        return RememberedFacts(facts, state.version)


def _reader_of(
    settings: Settings,
) -> "Callable[[Settings, Snapshot, CopyState], AbstractContextManager[Computing]]":
    """What reads the copy: DuckDB in this process, or the cluster."""
    if settings.insights_engine == "distributed":
        from leitstand.insights.distributed.facts import distributed_facts

        return distributed_facts
    from leitstand.insights.columnar.facts import columnar_facts

    return columnar_facts


def _failures() -> tuple[type[BaseException], ...]:
    import adbc_driver_manager
    import duckdb

    return LeitstandError, adbc_driver_manager.Error, duckdb.Error, PoolTimeout, OSError
