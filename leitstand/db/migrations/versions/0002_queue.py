"""The queue: procrastinate's tables and functions, and why an attempt of a job failed.

procrastinate ships its migrations as files that never change; this one applies those up to `LAST`. When a later
version brings further files, a further migration applies them.
"""

from pathlib import Path

import procrastinate.schema
import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

LAST = '03.04.00_50_post_add_retry_failed_job_procedure.sql'
TABLES = ('procrastinate_events', 'procrastinate_periodic_defers', 'procrastinate_jobs', 'procrastinate_workers')


def upgrade() -> None:
    files = sorted(Path(procrastinate.schema.SchemaManager.get_migrations_path()).glob('*.sql'))
    cursor = op.get_bind().connection.cursor()
    for file in files:
        if file.name <= LAST:
            cursor.execute(file.read_text(encoding='utf-8'))
    op.create_table('job_failure',
    sa.Column('job_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('attempt', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('request_id', sa.Text(), server_default='', nullable=False),
    sa.PrimaryKeyConstraint('job_id', 'attempt', name=op.f('pk_job_failure'))
    )


def downgrade() -> None:
    op.drop_table('job_failure')
    for table in TABLES:
        op.execute(f'DROP TABLE {table} CASCADE')
    op.execute("""
        DO $$ DECLARE routine regprocedure; BEGIN
            FOR routine IN SELECT oid::regprocedure FROM pg_proc WHERE proname LIKE 'procrastinate\\_%' LOOP
                EXECUTE 'DROP ROUTINE IF EXISTS ' || routine || ' CASCADE';
            END LOOP;
        END $$
    """)
    for kind in ('procrastinate_job_to_defer_v1', 'procrastinate_job_event_type', 'procrastinate_job_status'):
        op.execute(f'DROP TYPE IF EXISTS {kind}')
