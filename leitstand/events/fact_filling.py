"""Fill in what a newer version keeps of runs that were merged before it: see migration 0004.

The events of a log are read once, without a lock; then its runs are mended in short transactions. What is filled in is
merged by rules that may be applied twice (the least instant, the first event's version), so that events which come in
meanwhile neither get lost nor are in the way, and a filling that was broken off is simply done again.
"""

from uuid import UUID

from psycopg import sql
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from leitstand.db.engine import driver_cursor, transaction
from leitstand.events import facts
from leitstand.identity.workspaces import list_workspaces

RUNS_A_TURN = 5_000
PATIENCE = "SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = 0"
READ = sql.SQL("""
CREATE TEMP TABLE filling AS
    SELECT *, (row_number() OVER (ORDER BY run_key) - 1) / {size} AS turn FROM ({runs}) AS runs
""")
FILL = sql.SQL("""
UPDATE run_fact AS f
SET flow_version = CASE WHEN {earlier} THEN excluded.flow_version ELSE f.flow_version END, step_at = {step_at}
FROM filling AS excluded
WHERE excluded.turn = %(turn)s AND f.workspace_id = excluded.workspace_id AND f.log_id = excluded.log_id
  AND f.run_key = excluded.run_key
  AND (f.flow_version, f.step_at) IS DISTINCT FROM (excluded.flow_version, excluded.step_at)
""")


def fill(engine: Engine, *, size: int = RUNS_A_TURN) -> int:
    """Fill in the facts of every log of every workspace; how many logs there were.

    Args:
        size: how many runs are mended in one transaction.
    """
    with transaction(engine) as session:
        workspaces = [workspace.id for workspace in list_workspaces(session)]
        logs = [(it, log_id) for it in workspaces for log_id in facts.logs(session, workspace_id=it)]
    for workspace_id, log_id in logs:
        fill_log(engine, workspace_id=workspace_id, log_id=log_id, size=size)
    return len(logs)


def fill_log(engine: Engine, *, workspace_id: UUID, log_id: UUID, size: int = RUNS_A_TURN) -> None:
    """Fill in the facts of one log, in transactions of its own."""
    with engine.connect() as connection:
        try:
            for turn in range(_read(connection, workspace_id, log_id, size)):
                _mend(connection, log_id, turn)
        finally:
            # The table goes with its connection.
            connection.invalidate()


def _read(connection: Connection, workspace_id: UUID, log_id: UUID, size: int) -> int:
    """Compute the log's runs from its events; in how many turns they are mended."""
    values = facts.of_log(workspace_id=workspace_id, log_id=log_id)
    with Session(connection) as session, session.begin():
        session.execute(text(PATIENCE))
        cursor = driver_cursor(session)
        _, events = facts.events_of_log(cursor, workspace_id=workspace_id, log_id=log_id)
        with facts.many_rows(cursor):
            cursor.execute(READ.format(size=sql.Literal(size), runs=facts.runs_of(events)), values)
        session.execute(text("CREATE INDEX ON filling (turn)"))
        session.execute(text("ANALYZE filling"))
        return int(session.execute(text("SELECT coalesce(max(turn) + 1, 0) FROM filling")).scalar_one())


def _mend(connection: Connection, log_id: UUID, turn: int) -> None:
    statement = FILL.format(earlier=facts.EARLIER, step_at=facts.STEP_AT)
    with Session(connection) as session, session.begin():
        session.execute(text(PATIENCE))
        facts.lock_logs(session, [log_id])
        driver_cursor(session).execute(statement, {"turn": turn})
