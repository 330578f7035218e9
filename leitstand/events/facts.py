"""The facts: runs, and actors by quarters of an hour, merged from events in any order.

Every merge is commutative (least, greatest, sum, union, and the least first event), so that order, batches and
repetition do not matter. See docs/decisions/0004-facts-by-quarter-of-an-hour.md.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from psycopg import Cursor, sql
from sqlalchemy.orm import Session

from leitstand.db.engine import driver_cursor
from leitstand.db.models.events import HUMANS
from leitstand.events.archive import holding, log_events

# What the merges read of each event; bots, tests and previews are in no figure.
COLUMNS = "event_id, kind, companion_id, flow_version, run_key, step, seq, actor_key, occurred_at"
OF_LOG = (
    f"SELECT {COLUMNS} FROM event WHERE workspace_id = %(workspace)s AND NOT is_test AND actor_kind = ANY(%(humans)s)"  # noqa: S608
    " AND companion_id IN (SELECT item_id FROM companion WHERE coalesce(log_id, item_id) = %(log)s)"
)
OF_ARCHIVE = f"SELECT {COLUMNS} FROM {log_events.TABLE}"  # noqa: S608

# An answered step that is an end step of its companion completes the run, and so does the runtime's word.
COMPLETES = "(e.kind = 'completed' OR (e.kind = 'answered' AND e.step = ANY (c.end_steps)))"

# Runs as the events of a source make them, each with its `steps` and, aligned with them, when each was first reached.
RUNS = sql.SQL("""
WITH placed AS (
    SELECT coalesce(c.log_id, c.item_id) AS log_id, e.run_key, e.companion_id, e.flow_version, e.occurred_at, e.kind,
           e.step COLLATE "C" AS step, coalesce(e.seq, 0) AS seq, coalesce(e.actor_key, '') COLLATE "C" AS actor_key,
           {completes} AS completes
    FROM {events} AS e JOIN companion AS c ON c.item_id = e.companion_id
), first AS (
    SELECT DISTINCT ON (log_id, run_key) log_id, run_key, companion_id, flow_version, actor_key, occurred_at, seq
    FROM placed ORDER BY log_id, run_key, occurred_at, seq, actor_key = '', actor_key, companion_id, flow_version
), reached AS (
    SELECT log_id, run_key, step, min(occurred_at) AS at, max(occurred_at) AS last_at, count(*) AS events,
           min(occurred_at) FILTER (WHERE kind = 'viewed') AS opened_at,
           min(occurred_at) FILTER (WHERE kind = 'answered') AS started_at,
           min(occurred_at) FILTER (WHERE completes) AS completed_at
    FROM placed GROUP BY log_id, run_key, step
), merged AS (
    SELECT log_id, run_key, max(last_at) AS last_at, sum(events) AS events, min(opened_at) AS opened_at,
           min(started_at) AS started_at, min(completed_at) AS completed_at,
           coalesce((array_agg(step ORDER BY step) FILTER (WHERE step <> ''))[:{most}], '{{}}') AS steps,
           coalesce((array_agg(at ORDER BY step) FILTER (WHERE step <> ''))[:{most}], '{{}}') AS step_at
    FROM reached GROUP BY log_id, run_key
)
SELECT %(workspace)s::uuid AS workspace_id, log_id, run_key, first.companion_id, first.flow_version,
       first.occurred_at AS first_at, first.seq AS first_seq, last_at, opened_at, started_at, completed_at,
       first.actor_key, events, steps, step_at
FROM merged JOIN first USING (log_id, run_key) ORDER BY log_id, run_key
""")

MERGE_RUNS = sql.SQL("""
INSERT INTO run_fact AS f (workspace_id, log_id, run_key, companion_id, flow_version, first_at, first_seq, last_at, opened_at,
                           started_at, completed_at, actor_key, events, steps, step_at)
{runs}
ON CONFLICT (workspace_id, log_id, run_key) DO UPDATE SET
    companion_id = CASE WHEN {earlier} THEN excluded.companion_id ELSE f.companion_id END,
    flow_version = CASE WHEN {earlier} THEN excluded.flow_version ELSE f.flow_version END,
    actor_key = CASE WHEN {earlier} THEN excluded.actor_key ELSE f.actor_key END,
    first_seq = CASE WHEN {earlier} THEN excluded.first_seq ELSE f.first_seq END,
    first_at = least(f.first_at, excluded.first_at),
    last_at = greatest(f.last_at, excluded.last_at),
    opened_at = least(f.opened_at, excluded.opened_at),
    started_at = least(f.started_at, excluded.started_at),
    completed_at = least(f.completed_at, excluded.completed_at),
    events = f.events + excluded.events,
    steps = CASE WHEN f.steps @> excluded.steps THEN f.steps ELSE ARRAY(
        SELECT DISTINCT step COLLATE "C" FROM unnest(f.steps || excluded.steps) AS step ORDER BY 1 LIMIT {most}) END,
    step_at = {step_at}
""")

# A run of more steps than this keeps the first by name: still the same in any order, and never a burden to the others.
MOST_STEPS = sql.Literal(1000)
EARLIER = sql.SQL("""
    (excluded.first_at, excluded.first_seq, excluded.actor_key = '', excluded.actor_key COLLATE "C", excluded.companion_id,
     excluded.flow_version IS NULL, excluded.flow_version)
    < (f.first_at, f.first_seq, f.actor_key = '', f.actor_key COLLATE "C", f.companion_id, f.flow_version IS NULL, f.flow_version)
""")
# Most events come in order and repeat no step, or take one that was reached before: then nothing is sorted.
STEP_AT = sql.SQL("""
    CASE WHEN f.steps @> excluded.steps AND f.last_at <= excluded.first_at THEN f.step_at ELSE ARRAY(
        SELECT min(at) FROM (SELECT * FROM unnest(f.steps, f.step_at) AS known(step, at)
                             UNION ALL SELECT * FROM unnest(excluded.steps, excluded.step_at) AS more(step, at)) AS reached
        GROUP BY step COLLATE "C" ORDER BY step COLLATE "C" LIMIT {most}) END
""").format(most=MOST_STEPS)

MERGE_BUCKETS = sql.SQL("""
INSERT INTO actor_bucket AS b (workspace_id, companion_id, bucket, actor_key, first_at, last_at, events)
SELECT %(workspace)s, companion_id, date_bin('15 minutes', occurred_at, '2000-01-01Z') AS bucket,
       coalesce(actor_key, '') AS actor_key, min(occurred_at), max(occurred_at), count(*)
FROM {events} AS e GROUP BY 2, 3, 4 ORDER BY 2, 3, 4
ON CONFLICT (workspace_id, companion_id, bucket, actor_key) DO UPDATE SET
    first_at = least(b.first_at, excluded.first_at),
    last_at = greatest(b.last_at, excluded.last_at),
    events = b.events + excluded.events
""")

COMPLETE_AGAIN = sql.SQL("""
WITH found AS (
    SELECT e.run_key, min(e.occurred_at) AS at
    FROM {events} AS e JOIN companion AS c ON c.item_id = e.companion_id WHERE {completes} GROUP BY e.run_key
)
UPDATE run_fact AS f SET completed_at = found.at
FROM run_fact AS before LEFT JOIN found USING (run_key)
WHERE before.workspace_id = %(workspace)s AND before.log_id = %(log)s AND before.completed_at IS DISTINCT FROM found.at
  AND f.workspace_id = before.workspace_id AND f.log_id = before.log_id AND f.run_key = before.run_key
""")

# Keeps these companions' facts from being rebuilt.
MERGE_LOCKS = """
SELECT pg_advisory_xact_lock_shared(key) FROM (
    SELECT DISTINCT hashtextextended(coalesce(log_id, item_id)::text, 1) AS key
    FROM companion WHERE item_id = ANY(%(companions)s) ORDER BY 1) AS keys
"""
LOCK_LOGS = """
SELECT pg_advisory_xact_lock(key) FROM (
    SELECT DISTINCT hashtextextended(log::text, 1) AS key FROM unnest(%(logs)s) AS log ORDER BY 1) AS keys
"""


def lock_for_merge(cursor: Cursor[Any], companions: list[UUID]) -> None:
    """Keep these companions' facts from being rebuilt until the transaction ends; merges go on side by side."""
    cursor.execute(MERGE_LOCKS, {"companions": companions})


def lock_logs(session: Session, logs: Collection[UUID]) -> None:
    """Keep anybody from merging into these logs' facts, and their events where they are, until the transaction ends."""
    cursor = driver_cursor(session)
    holding.hold_moves(cursor)
    cursor.execute(LOCK_LOGS, {"logs": list(logs)})


def merge(cursor: Cursor[Any], *, workspace_id: UUID, events: str) -> None:
    """Merge the events of a (temporary) table with `COLUMNS` into the facts; each must be new."""
    _merge(cursor, sql.Identifier(events), {"workspace": workspace_id})


def _merge(cursor: Cursor[Any], source: sql.Composable, values: dict[str, Any]) -> None:
    for statement in merging(source):
        cursor.execute(statement, values)


def merging(source: sql.Composable) -> tuple[sql.Composed, sql.Composed]:
    """The statements that merge a source of new events into runs, and into actors; their parameter is `workspace`."""
    runs = MERGE_RUNS.format(runs=runs_of(source), earlier=EARLIER, most=MOST_STEPS, step_at=STEP_AT)
    return runs, MERGE_BUCKETS.format(events=source)


def runs_of(source: sql.Composable) -> sql.Composed:
    """The query of a source's runs as `run_fact` has them; its parameter is `workspace`."""
    return RUNS.format(events=source, completes=sql.SQL(COMPLETES), most=MOST_STEPS)


def events_of_log(cursor: Cursor[Any], *, workspace_id: UUID, log_id: UUID) -> tuple[bool, sql.Composable]:
    """Whether any of a log is archived, and the source of all that counts of it; its parameters: `of_log`.

    Raises:
        Unavailable: the archive can't be read now.
    """
    archived = log_events.bring(cursor, workspace_id=workspace_id, log_id=log_id)
    return archived, sql.SQL(f"({OF_LOG} UNION ALL {OF_ARCHIVE})" if archived else f"({OF_LOG})")


def of_log(*, workspace_id: UUID, log_id: UUID) -> dict[str, Any]:
    """The parameters of statements about a log."""
    return {"workspace": workspace_id, "log": log_id, "humans": list(HUMANS)}


@contextmanager
def many_rows(cursor: Cursor[Any]) -> Iterator[None]:
    """Within this, no statement goes through rows of one side for each row of the other.

    The planner does so where it has no statistics (after a bulk load or a restore), and then a log takes hours.
    """
    cursor.execute("SET LOCAL enable_nestloop = off")
    yield
    cursor.execute("SET LOCAL enable_nestloop TO DEFAULT")


def rebuild(session: Session, *, workspace_id: UUID, log_id: UUID) -> None:
    """Compute the facts of one log (a companion, or all of an imported log) afresh from its events, archived ones too.

    What is being merged meanwhile waits for the end of the caller's transaction.
    """
    values = of_log(workspace_id=workspace_id, log_id=log_id)
    lock_logs(session, [log_id])
    cursor = driver_cursor(session)
    _, events = events_of_log(cursor, workspace_id=workspace_id, log_id=log_id)
    cursor.execute("DELETE FROM run_fact WHERE workspace_id = %(workspace)s AND log_id = %(log)s", values)
    cursor.execute(
        "DELETE FROM actor_bucket WHERE workspace_id = %(workspace)s AND companion_id IN"
        " (SELECT item_id FROM companion WHERE coalesce(log_id, item_id) = %(log)s)",
        values,
    )
    with many_rows(cursor):
        _merge(cursor, events, values)


def complete_again(session: Session, *, workspace_id: UUID, log_id: UUID) -> None:
    """Decide for every run of a log anew when it was completed, after its companions' end steps changed."""
    values = of_log(workspace_id=workspace_id, log_id=log_id)
    lock_logs(session, [log_id])
    cursor = driver_cursor(session)
    _, events = events_of_log(cursor, workspace_id=workspace_id, log_id=log_id)
    with many_rows(cursor):
        cursor.execute(COMPLETE_AGAIN.format(events=events, completes=sql.SQL(COMPLETES)), values)


def logs(session: Session, *, workspace_id: UUID) -> list[UUID]:
    """Every log of a workspace: what `rebuild` takes one by one."""
    cursor = driver_cursor(session)
    cursor.execute(
        "SELECT DISTINCT coalesce(c.log_id, c.item_id) FROM companion AS c JOIN item AS i ON i.id = c.item_id"
        " WHERE i.workspace_id = %s ORDER BY 1",
        [workspace_id],
    )
    return [row[0] for row in cursor.fetchall()]
