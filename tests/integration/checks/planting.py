"""Violations of every check, planted in a database: what its own constraints would refuse is let in first."""

from psycopg import Connection, sql

# Superuser's: without the constraints, and without the triggers behind foreign keys and facts.
OPEN = """
DO $$ DECLARE it record; BEGIN
    FOR it IN SELECT conrelid::regclass AS place, conname, contype FROM pg_constraint
              WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'n', 'u') AND coninhcount = 0
                AND conrelid <> 0 AND NOT (contype = 'n' AND EXISTS (
                    SELECT FROM pg_index WHERE indrelid = conrelid AND indisprimary AND conkey[1] = ANY (indkey)))
    LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I CASCADE', it.place, it.conname); END LOOP;
END $$;
SET session_replication_role = replica;
"""
COLUMNS = """
SELECT column_name, CASE WHEN data_type = 'ARRAY' THEN 'ARRAY' WHEN data_type = 'USER-DEFINED' THEN udt_name ELSE data_type END
FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = %s AND is_generated = 'NEVER' AND is_identity = 'NO'
  AND data_type <> 'xid8' ORDER BY ordinal_position
"""
# What stands in a row of nonsense; a type that is not named here keeps the column's default.
NONSENSE = {
    "uuid": "gen_random_uuid()", "text": "''", "integer": "-7", "bigint": "-7", "smallint": "-7", "boolean": "true",
    "timestamp with time zone": "now()", "date": "date '2026-03-05'", "jsonb": "'[1]'", "bytea": r"'\x00'",
    "ARRAY": "'{}'", "double precision": "-7",
}  # fmt: skip


def open_up(connection: Connection) -> None:
    """Let anything in, until the connection ends."""
    connection.execute(OPEN)  # type: ignore[arg-type]


def plant_nonsense(connection: Connection, table: str, **values: str) -> None:
    """A row without sense: references to nothing, negative numbers, empty texts; `values` are SQL."""
    columns = connection.execute(COLUMNS, [table]).fetchall()
    chosen = {name: NONSENSE[kind] for name, kind in columns if kind in NONSENSE} | values
    names = sql.SQL(", ").join(map(sql.Identifier, chosen))
    said = sql.SQL(", ").join(sql.SQL(value) for value in chosen.values())  # type: ignore[arg-type]
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
            sql.Identifier(table), names, said
        )
    )


COMPANION, DOCUMENT, EVENT = (f"uuid '00000000-0000-7000-8000-00000000000{number}'" for number in (1, 2, 3))
PAST, FUTURE = "now() - interval '1 day'", "now() + interval '1 day'"
NEVER = "NULL"
# Beside a row of nonsense in every table: what violates the checks that nonsense does not.
MORE: list[tuple[str, dict[str, str]]] = [
    ("event", {"run_key": NEVER, "occurred_at": NEVER, "received_at": NEVER, "content_hash": NEVER}),
    ("event", {"workspace_id": EVENT, "event_id": EVENT, "occurred_at": FUTURE}),
    ("event", {"workspace_id": EVENT, "event_id": EVENT, "occurred_at": "timestamptz '1960-01-01Z'"}),
    ("run_fact", {"last_at": PAST, "companion_id": COMPANION, "step_at": "ARRAY[now()]"}),
    ("run_fact", {"completed_at": FUTURE}),
    ("companion", {"item_id": COMPANION}),
    ("actor_bucket", {"last_at": PAST}),
    ("event_import", {"status": "'running'", "refused": "5"}),
    ("event_refusal", {"id": "1000000", "outcome": "'accepted'", "replayed_at": NEVER}),
    ("event_archive", {"key": "'x'", "last_at": PAST}),
    ("flow_run", {"ended_at": NEVER, "updated_at": PAST}),
    ("document", {"id": DOCUMENT, "status": "'ready'"}),
    ("document", {"status": "'infected'", "scanned_at": PAST}),
    ("upload", {"status": "'open'", "parts": "'[]'"}),
    ("upload", {"status": "'refused'", "parts": "'[]'", "reason": "''"}),
    ("s3_import_object", {"status": "'failed'"}),
    ("s3_import_object", {"status": "'failed'", "document_id": NEVER, "added": "true"}),
    ("chunk", {"document_id": DOCUMENT}),
    ("embedding", {"document_id": DOCUMENT}),
    ("user_session", {"expires_at": PAST}),
    ("api_token", {"expires_at": PAST}),
    ("password_reset", {"expires_at": PAST}),
    ("sign_in_step", {"expires_at": PAST}),
    ("item_grant", {"expires_at": PAST}),
    ("group_member", {"expires_at": PAST}),
    ("invitation_grant", {"expires_at": PAST}),
    *((table, {"id": f"100000{number}", "at": at})
      for table in ("audit_entry", "sign_in_attempt", "procrastinate_events")
      for number, at in enumerate(("now()", PAST))),
    ("thread", {"status": "'queued'", "started_at": PAST}),
    ("thread_step", {"status": "'failed'"}),
    ("thread_step", {"status": "'running'"}),
    ("conversation_message", {"status": "'failed'", "error": "''"}),
    ("conversation_attachment", {"status": "'refused'", "reason": "''"}),
    ("plan_change", {"state": "'begun'"}),
    ("plan_change", {"state": "'refused'"}),
    ("invoice", {"period_end": "date '2020-01-01'", "provider": "'manual'"}),
    ("fact_copy", {"watermark": "'9'", "seen": "'1'"}),
    ("report", {"period_end": "date '2020-01-01'", "status": "'complete'", "finished_at": NEVER}),
    ("backup", {"status": "'complete'", "finished_at": PAST}),
    *(("drill", {"status": "'passed'", "finished_at": PAST, "chain_sha256": "'x'", "notebook_sha256": "''"}),) * 2,
    ("prune_run", {"status": "'failed'", "finished_at": NEVER}),
    ("flow_execution", {"flow": "'a'", "finished_at": PAST}),
    ("flow_execution", {"flow": "'b'", "status": "'failed'", "finished_at": NEVER}),
    ("procrastinate_jobs", {"id": "1000000", "queueing_lock": NEVER}),
]  # fmt: skip


def plant_everything(connection: Connection, tables: list[str]) -> None:
    """Violate every check of these tables' suites."""
    open_up(connection)
    connection.execute("CREATE TABLE event_p0 PARTITION OF event DEFAULT")
    connection.execute("ALTER TABLE event DROP CONSTRAINT pk_event")
    for table in tables:
        plant_nonsense(connection, table)
    for table, values in MORE:
        plant_nonsense(connection, table, **values)
