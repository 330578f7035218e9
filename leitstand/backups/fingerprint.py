"""What a database held when it was backed up, so that a restored one can be compared."""

from typing import Any

from sqlalchemy import Connection, func, select, text

from leitstand.db.models import Base

# Tables whose rows are kept; sessions, heartbeats and attempts come and go by themselves and prove nothing.
KEY_TABLES = (
    "actor_bucket", "audit_entry", "backup", "chunk", "companion", "companion_version", "document", "event",
    "event_archive", "event_import", "flow_run", "item", "membership", "person", "run_fact", "workspace",
)  # fmt: skip


def counts(connection: Connection) -> dict[str, int]:
    """Rows of each key table, all as of one instant; takes as long as it takes."""
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    tables = [Base.metadata.tables[name] for name in KEY_TABLES]
    numbers = [
        select(func.count()).select_from(table).scalar_subquery().label(table.name) for table in tables
    ]
    return dict(connection.execute(select(*numbers)).mappings().one())


def server(connection: Connection) -> dict[str, Any]:
    """Identity and version of the server, and where its log stands; the timeline as in names of segments."""
    query = """
        SELECT current_setting('server_version') AS postgres_version,
               current_setting('server_version_num')::int AS version_number,
               (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
               pg_current_wal_insert_lsn()::text AS lsn,
               substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) AS timeline,
               current_setting('archive_mode') AS archive_mode,
               pg_size_bytes(current_setting('wal_segment_size')) AS segment_bytes,
               clock_timestamp() AS at
    """
    return dict(connection.execute(text(query)).mappings().one())
