"""All facts of a workspace computed afresh, and the statistics that every reader of events needs for a sound plan."""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import Engine, text

from leitstand.db.engine import transaction
from leitstand.events import facts

# The planner knows nothing of a table that was filled in bulk or restored from a dump until it is analysed, and nobody
# but us analyses the partitioned table itself, whose statistics a join is planned by.
UNKNOWN = text("""
SELECT NOT EXISTS (SELECT FROM pg_stats WHERE schemaname = current_schema() AND tablename = 'event' AND inherited)
       OR EXISTS (
           SELECT FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
           LEFT JOIN pg_stat_user_tables AS s ON s.relid = c.oid
           WHERE i.inhparent = 'event'::regclass
             AND (c.reltuples < 0 OR s.n_mod_since_analyze > greatest(c.reltuples, 10000)))
""")
FACTS_UNKNOWN = text("""
SELECT EXISTS (
    SELECT FROM pg_class AS c LEFT JOIN pg_stat_user_tables AS s ON s.relid = c.oid
    WHERE c.oid IN ('run_fact'::regclass, 'actor_bucket'::regclass)
      AND (c.reltuples < 0 OR s.n_mod_since_analyze > greatest(c.reltuples / 2, 10000)))
""")
PATIENCE = text("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s'")


def renew_statistics(engine: Engine) -> list[str]:
    """Analyse the events and the facts where the planner's statistics are missing or of another time; what was analysed.

    In transactions of its own: an ANALYZE keeps months from being made until it is committed.
    """
    done = []
    for unknown, tables in ((UNKNOWN, "event"), (FACTS_UNKNOWN, "run_fact, actor_bucket")):
        with transaction(engine) as session:
            session.execute(PATIENCE)
            if session.scalar(unknown):
                session.execute(text(f"ANALYZE {tables}"))
                done += tables.split(", ")
    return done


def rebuild_workspace(
    engine: Engine, *, workspace_id: UUID, tell: Callable[[int, int], None] = lambda done, of: None
) -> int:
    """Compute the facts of every log of a workspace afresh, each in a transaction of its own; how many logs.

    Args:
        tell: called after each log: how many are done, of how many.

    Raises:
        Unavailable: events of a log are archived, and the archive can't be read now.
    """
    renew_statistics(engine)
    with transaction(engine) as session:
        logs = facts.logs(session, workspace_id=workspace_id)
    for place, log_id in enumerate(logs, 1):
        with transaction(engine) as session:
            session.execute(PATIENCE)
            facts.rebuild(session, workspace_id=workspace_id, log_id=log_id)
        tell(place, len(logs))
    renew_statistics(engine)
    return len(logs)
