"""The rows of runs, by plain statements: a visitor waits for each of them, and objects of the ORM cost more than asking."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.orm import Session

from leitstand.db.engine import driver_cursor
from leitstand.db.models.base import new_id

COLUMNS = "id, workspace_id, companion_id, version, visitor, step, revision, answers, ended_at"
OF_VISITOR = f"SELECT {COLUMNS} FROM flow_run WHERE companion_id = %(companion)s AND visitor = %(visitor)s"  # noqa: S608
NEWEST = "ORDER BY created_at DESC, id DESC LIMIT 1"
LAST = f"{OF_VISITOR} {NEWEST}"
GOING_ON = f"{OF_VISITOR} AND ended_at IS NULL"
LOCKED = f"{OF_VISITOR} AND id = %(run)s FOR UPDATE"
BEGIN = f"""
INSERT INTO flow_run (id, workspace_id, companion_id, version, visitor, step, created_at, updated_at, ended_at)
VALUES (%(id)s, %(workspace)s, %(companion)s, %(version)s, %(visitor)s, %(step)s, %(now)s, %(now)s, %(ended)s)
ON CONFLICT (companion_id, visitor) WHERE ended_at IS NULL DO NOTHING RETURNING {COLUMNS}
"""  # noqa: S608
GO_ON = f"""
UPDATE flow_run SET step = %(step)s, revision = revision + 1, answers = answers || %(given)s::jsonb, updated_at = %(now)s,
                    completed_at = coalesce(completed_at, %(ended)s), ended_at = coalesce(ended_at, %(ended)s)
WHERE id = %(run)s RETURNING {COLUMNS}
"""  # noqa: S608
LEAVE = "UPDATE flow_run SET ended_at = %(now)s WHERE id = %(run)s AND ended_at IS NULL"


@dataclass(frozen=True)
class RunRow:
    """A row of `leitstand.db.models.FlowRun`, as far as a run needs it."""

    id: UUID
    workspace_id: UUID
    companion_id: UUID
    version: int
    visitor: str
    step: str
    revision: int
    answers: list[dict[str, Any]]
    ended_at: datetime | None


def last(session: Session, companion_id: UUID, visitor: str) -> RunRow | None:
    """The visitor's newest run of the companion."""
    return _one(session, LAST, companion=companion_id, visitor=visitor)


def going_on(session: Session, companion_id: UUID, visitor: str) -> RunRow | None:
    """The visitor's run of the companion that has not ended; there is one at most."""
    return _one(session, GOING_ON, companion=companion_id, visitor=visitor)


def locked(session: Session, companion_id: UUID, visitor: str, run_id: UUID) -> RunRow | None:
    """That run, locked, if it is the visitor's newest; another tab may have left it for a new one meanwhile."""
    row = _one(session, LOCKED, companion=companion_id, visitor=visitor, run=run_id)
    if row is None or row.ended_at is None:
        # Of a visitor's runs only the newest can be going on.
        return row
    newest = last(session, companion_id, visitor)
    return row if newest is not None and newest.id == row.id else None


def begin(
    session: Session,
    *,
    workspace_id: UUID,
    companion_id: UUID,
    version: int,
    visitor: str,
    step: str,
    now: datetime,
    ended: bool,
) -> RunRow | None:
    """Write a new run; None where the visitor has one that is going on."""
    return _one(
        session, BEGIN, id=new_id(), workspace=workspace_id, companion=companion_id, version=version, visitor=visitor,
        step=step, now=now, ended=now if ended else None,
    )  # fmt: skip


def go_on(
    session: Session, row: RunRow, *, given: dict[str, Any], step: str, now: datetime, ended: bool
) -> RunRow:
    """Write an answer of a run that is locked, and where it leads; the row as it is then.

    Args:
        ended: whether that completes the run.
    """
    values = {"run": row.id, "given": orjson.dumps([given]).decode(), "step": step, "now": now}
    after = _one(session, GO_ON, **values, ended=now if ended else None)
    if after is None:
        raise LookupError(f"the run {row.id} is locked and yet gone")
    return after


def leave(session: Session, row: RunRow, now: datetime) -> None:
    """End a run that is left for a new one."""
    driver_cursor(session).execute(LEAVE, {"run": row.id, "now": now})


def _one(session: Session, statement: str, **values: Any) -> RunRow | None:
    cursor = driver_cursor(session)
    cursor.execute(statement, values)
    found = cursor.fetchone()
    return None if found is None else RunRow(*found)
