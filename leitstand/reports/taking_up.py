"""How a report's notebook takes up its work: the report that was prepared for it or, run by itself, a sandbox.

Both only read: the transaction is read-only and of one instant, so that all figures of a report agree.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leitstand.db.engine import make_engine
from leitstand.db.models import Workspace
from leitstand.errors import InvalidInput, NotFound
from leitstand.identity.workspaces import checked_zone, find_workspace
from leitstand.reports.kinds import Kind
from leitstand.reports.periods import Period, containing, last_full
from leitstand.runbooks.scratch import scratch_root
from leitstand.runbooks.taking_up import SANDBOX
from leitstand.settings import Settings, get_settings
from leitstand.telemetry.logs import configure_logging
from leitstand.words import msg

PREFIX = "report-"
FIGURES = "figures.json"
STATEMENT_TIMEOUT_MS = 10 * 60 * 1000


@dataclass(frozen=True)
class Work:
    """What a report's notebook works with.

    Args:
        folder: its own, under <data_dir>/scratch; None in a sandbox, which leaves nothing.
    """

    settings: Settings
    engine: Engine
    folder: Path | None
    workspace_id: UUID
    workspace_name: str
    period: Period
    zone: str

    def keep(self, figures: dict[str, Any]) -> None:
        """Leave the figures for the process that made the report; a sandbox leaves nothing."""
        if self.folder is not None:
            (self.folder / FIGURES).write_text(json.dumps(figures, allow_nan=False))


def folder_of(settings: Settings, attempt: str) -> Path:
    """The folder of one execution of a report.

    Raises:
        InvalidInput: `attempt` is no id.
    """
    try:
        return scratch_root(settings).resolve() / f"{PREFIX}{UUID(attempt)}"
    except ValueError as error:
        raise InvalidInput(
            msg("{attempt!r} is no run id.", attempt=attempt),
            hint="Leave it at 'sandbox', or run `leitstand report run`.",
        ) from error


def take_up(kind: Kind, *, run_id: str, workspace: str, start: str, zone: str) -> Work:
    """Open what a report reads.

    Args:
        run_id: "sandbox", or the execution that was prepared.
        workspace: its slug; empty: the first one.
        start: a day of the period, as ISO text; empty: the newest full period.
        zone: IANA zone; empty: the workspace's.

    Raises:
        InvalidInput: one of them makes no sense.
        NotFound: there is no such workspace.
    """
    settings = get_settings()
    configure_logging("report", "WARNING")
    folder = None if run_id == SANDBOX else folder_of(settings, run_id)
    engine = make_engine(settings, statement_timeout_ms=STATEMENT_TIMEOUT_MS, application="leitstand-report")
    with reading(engine) as session:
        found = find_workspace(session, workspace) if workspace else _first(session)
    zone = checked_zone(zone) if zone else found.reporting_zone
    period = (
        containing(kind.cadence, _day(start)) if start else last_full(kind.cadence, zone, datetime.now(UTC))
    )
    return Work(settings, engine, folder, found.id, found.name, period, zone)


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session that sees one instant and can write nothing."""
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection, Session(connection) as session:
        yield session


def _first(session: Session) -> Workspace:
    found = session.scalar(select(Workspace).order_by(Workspace.slug).limit(1))
    if found is None:
        raise NotFound("There is no workspace yet.", hint="`./run up` makes one.")
    return found


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(
            msg("{text!r} is not a day.", text=text), hint="Write it as 2026-11-23."
        ) from error
