"""Why a database is slow: its connections, its tables' statistics, its costliest statements, its checkpoints."""

from typing import Any

from sqlalchemy import Connection, text

from leitstand.runbooks.backends import without_values

SHOWN = 10
FEWEST_ROWS = 1_000
# PostgreSQL analyzes by itself at a tenth; a table at twice that was missed.
CHANGED_SHARE = 0.2
CONNECTIONS = """
SELECT current_setting('max_connections')::int AS allowed,
       current_setting('superuser_reserved_connections')::int + current_setting('reserved_connections')::int AS reserved,
       count(*) AS used,
       count(*) FILTER (WHERE state = 'active') AS active,
       count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS idle_in_transaction
FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
TABLES = """
SELECT format('%I.%I', schemaname, relname) AS name, n_live_tup AS live, n_dead_tup AS dead,
       n_mod_since_analyze AS changed, greatest(last_analyze, last_autoanalyze) AS analyzed,
       greatest(last_vacuum, last_autovacuum) AS vacuumed
FROM pg_stat_user_tables
WHERE n_live_tup + n_dead_tup >= :fewest AND (
    n_dead_tup > 0.2 * n_live_tup OR greatest(last_analyze, last_autoanalyze) IS NULL
    OR n_mod_since_analyze > :share * n_live_tup)
ORDER BY n_dead_tup + n_mod_since_analyze DESC LIMIT :shown
"""
STATEMENTS = """
SELECT calls, total_exec_time / 1000 AS seconds, mean_exec_time AS mean_ms, rows, query
FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY total_exec_time DESC LIMIT :shown
"""
DATABASE = """
SELECT round(100.0 * blks_hit / nullif(blks_hit + blks_read, 0), 1) AS hits, temp_files, temp_bytes, deadlocks,
       xact_rollback AS rollbacks, xact_commit AS commits
FROM pg_stat_database WHERE datname = current_database()
"""
CHECKPOINTS = "SELECT num_timed AS timed, num_requested AS requested FROM pg_stat_checkpointer"
OLDEST = """
SELECT what, age FROM (
    SELECT 'session ' || pid || ' (' || application_name || ')' AS what, age(backend_xmin) AS age
      FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid()
    UNION ALL SELECT 'replication slot ' || slot_name, greatest(age(xmin), age(catalog_xmin))
      FROM pg_replication_slots WHERE coalesce(xmin, catalog_xmin) IS NOT NULL
    UNION ALL SELECT 'prepared transaction ' || gid, age(transaction) FROM pg_prepared_xacts
) AS holders WHERE age > 0 ORDER BY age DESC LIMIT 3
"""


def connections(connection: Connection) -> dict[str, int]:
    """How many are used, active and idle in a transaction, of how many that services may use."""
    found = dict(connection.execute(text(CONNECTIONS)).one()._mapping)
    return {**found, "for_services": found["allowed"] - found["reserved"]}


def tables_to_analyze(connection: Connection) -> list[dict[str, Any]]:
    """Tables of which the planner knows too little, or that hold many dead rows."""
    values = {"fewest": FEWEST_ROWS, "share": CHANGED_SHARE, "shown": SHOWN}
    return [dict(row._mapping) for row in connection.execute(text(TABLES), values)]


def costliest_statements(connection: Connection) -> list[dict[str, Any]] | None:
    """The statements that took most time, without values; None where the server does not count them."""
    if "pg_stat_statements" not in str(connection.scalar(text("SHOW shared_preload_libraries"))):
        return None
    found = [dict(row._mapping) for row in connection.execute(text(STATEMENTS), {"shown": SHOWN})]
    return [
        {
            "calls": row["calls"],
            "seconds in all": round(row["seconds"], 1),
            "ms each": round(row["mean_ms"], 1),
            "rows": row["rows"],
            "statement": without_values(row["query"]),
        }
        for row in found
    ]


def load(connection: Connection) -> dict[str, Any]:
    """Cache, temporary files, checkpoints, and what keeps dead rows from being removed."""
    base = connection.execute(text(DATABASE)).one()._mapping
    checkpoints = connection.execute(text(CHECKPOINTS)).one()._mapping
    holders = [f"{row.what}, {row.age} transactions" for row in connection.execute(text(OLDEST))]
    return {
        "read from memory": f"{base['hits'] or 0} %",
        "temporary files": f"{base['temp_files']}, {base['temp_bytes'] / 1e6:.0f} MB since statistics began",
        "deadlocks": base["deadlocks"],
        "rolled back": f"{base['rollbacks']} of {base['rollbacks'] + base['commits']} transactions",
        "checkpoints": f"{checkpoints['timed']} by time, {checkpoints['requested']} because too much was written",
        "dead rows are kept for": "; ".join(holders) or "nobody",
    }
