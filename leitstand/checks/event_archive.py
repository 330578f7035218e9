"""The facts against the ledger, with what of it is archived: exact, and read from the store. Kept with the data checks.

The hourly checks compare facts with the events that are in the table, and leave out the days and runs of which events
are archived. This one takes both.
"""

import time
from typing import Any
from uuid import UUID

from psycopg import sql
from sqlalchemy import Engine, select, text

from leitstand.checks import history
from leitstand.checks.result import LIVE, CheckResult
from leitstand.db.engine import driver_cursor, transaction
from leitstand.db.models import EventArchive
from leitstand.events import facts
from leitstand.telemetry.logs import get_logger

SUITE = "event-archive"
RUNS, ACTORS = "archived-runs-equal-events", "archived-actors-equal-events"
SAYS = {
    RUNS: "Runs of logs with archived events are those of the events in the table and the archive.",
    ACTORS: "Actors' quarters of an hour of logs with archived events are those of the events in the table and the archive.",
}
EXAMPLES = 20
log = get_logger("checks")
RUN_COLUMNS = (
    "workspace_id, log_id, run_key, companion_id, flow_version, first_at, first_seq, last_at, opened_at, started_at,"
    " completed_at, actor_key, events, steps, step_at"
)
# Rows that one side has and the other has not, whichever.
DIFFERING = sql.SQL("""
WITH ledger AS MATERIALIZED ({ledger}), fact AS MATERIALIZED ({fact}), differing AS (
    (SELECT * FROM ledger EXCEPT SELECT * FROM fact) UNION ALL (SELECT * FROM fact EXCEPT SELECT * FROM ledger)
)
SELECT DISTINCT {key} FROM differing ORDER BY 1, 2
""")
FACT_RUNS = sql.SQL(
    f"SELECT {RUN_COLUMNS} FROM run_fact WHERE workspace_id = %(workspace)s AND log_id = %(log)s"  # noqa: S608
)
LEDGER_ACTORS = sql.SQL("""
SELECT companion_id, date_bin('15 minutes', occurred_at, '2000-01-01Z') AS bucket, coalesce(actor_key, '') AS actor_key,
       min(occurred_at), max(occurred_at), count(*)
FROM {events} AS e GROUP BY 1, 2, 3
""")
FACT_ACTORS = sql.SQL("""
SELECT companion_id, bucket, actor_key, first_at, last_at, events FROM actor_bucket
WHERE workspace_id = %(workspace)s
  AND companion_id IN (SELECT item_id FROM companion WHERE coalesce(log_id, item_id) = %(log)s)
""")


def check_archive(engine: Engine, *, workspace_id: UUID | None = None) -> CheckResult:
    """Compare the facts of every log that has archived events with all its events, and keep the result in `check_run`.

    Raises:
        LeitstandError: the store or the database did not answer, or an object is not what it was.
    """
    begun = time.monotonic()
    differing: dict[str, list[dict[str, str]]] = {RUNS: [], ACTORS: []}
    for found, log_id in _logs(engine, workspace_id):
        for name, rows in _differences(engine, found, log_id).items():
            differing[name] += rows
    failed = sum(bool(rows) for rows in differing.values())
    results = [_line(name, rows) for name, rows in differing.items()]
    result = CheckResult(not failed, len(results), failed, results, SUITE, LIVE, time.monotonic() - begun)
    history.keep_rows(engine, result)
    log.info("archive checked", violated=result.violated)
    return result


def _logs(engine: Engine, workspace_id: UUID | None) -> list[tuple[UUID, UUID]]:
    """Workspace and log of all that has archived events."""
    with transaction(engine) as session:
        workspaces = select(EventArchive.workspace_id).where(EventArchive.restored_at.is_(None)).distinct()
        chosen = [it for it in session.scalars(workspaces) if workspace_id in (None, it)]
        return [(it, log_id) for it in chosen for log_id in facts.logs(session, workspace_id=it)]


def _differences(engine: Engine, workspace_id: UUID, log_id: UUID) -> dict[str, list[dict[str, str]]]:
    """What differs of a log, by check; nothing where none of it is archived."""
    with transaction(engine) as session:
        session.execute(text("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s'"))
        # What is merged meanwhile waits: else the two sides were read at different moments.
        facts.lock_logs(session, [log_id])
        cursor = driver_cursor(session)
        archived, events = facts.events_of_log(cursor, workspace_id=workspace_id, log_id=log_id)
        if not archived:
            return {}
        values = facts.of_log(workspace_id=workspace_id, log_id=log_id)
        found: dict[str, list[dict[str, str]]] = {}
        with facts.many_rows(cursor):
            for name, (ledger, fact, key) in _sides(events).items():
                cursor.execute(DIFFERING.format(ledger=ledger, fact=fact, key=sql.SQL(key)), values)
                names = [column.name for column in cursor.description or ()]
                found[name] = [dict(zip(names, map(str, row), strict=True)) for row in cursor.fetchall()]
        return found


def _sides(events: sql.Composable) -> dict[str, tuple[sql.Composable, sql.Composable, str]]:
    runs = sql.SQL(f"SELECT {RUN_COLUMNS} FROM ({{}}) AS runs").format(facts.runs_of(events))  # noqa: S608
    return {
        RUNS: (runs, FACT_RUNS, "log_id, run_key"),
        ACTORS: (LEDGER_ACTORS.format(events=events), FACT_ACTORS, "companion_id, bucket"),
    }


def _line(name: str, rows: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "name": name, "suite": SUITE, "table": "event_archive", "says": SAYS[name], "success": not rows,
        "unexpected": len(rows), "examples": rows[:EXAMPLES], "error": "",
    }  # fmt: skip
