"""The columnar copy of the facts: its parts, and a log of the days that changed since.

The log is written by triggers, so that nothing changes a fact unnoticed: a merge, a rebuild, a companion's deletion, a
correction by hand.
"""

import sqlalchemy as sa
from alembic import op

from leitstand.db.models.fact_copy import TransactionId

revision = '0005_fact_copy'
down_revision = '0004_fact_columns'
branch_labels = None
depends_on = None

# Of each fact: its name in the log, its table, and the column whose UTC day it belongs to.
FACTS = (('run', 'run_fact', 'first_at'), ('actor', 'actor_bucket', 'bucket'))
FUNCTION = """
CREATE FUNCTION note_{fact}_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO fact_change (workspace_id, fact, day)
            SELECT DISTINCT workspace_id, '{fact}', ({at} AT TIME ZONE 'UTC')::date FROM afterwards ON CONFLICT DO NOTHING;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO fact_change (workspace_id, fact, day)
            SELECT workspace_id, '{fact}', ({at} AT TIME ZONE 'UTC')::date FROM before
            UNION SELECT workspace_id, '{fact}', ({at} AT TIME ZONE 'UTC')::date FROM afterwards ON CONFLICT DO NOTHING;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO fact_change (workspace_id, fact, day)
            SELECT DISTINCT workspace_id, '{fact}', ({at} AT TIME ZONE 'UTC')::date FROM before ON CONFLICT DO NOTHING;
    ELSE
        DELETE FROM fact_copy;
    END IF;
    RETURN NULL;
END $$
"""
TRIGGERS = (
    ('INSERT', 'REFERENCING NEW TABLE AS afterwards'),
    ('UPDATE', 'REFERENCING OLD TABLE AS before NEW TABLE AS afterwards'),
    ('DELETE', 'REFERENCING OLD TABLE AS before'),
    ('TRUNCATE', ''),
)


def upgrade() -> None:
    op.create_table('fact_change',
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('changed', TransactionId(), server_default=sa.text('pg_current_xact_id()'), nullable=False),
    sa.Column('fact', sa.Text(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.PrimaryKeyConstraint('workspace_id', 'changed', 'fact', 'day', name=op.f('pk_fact_change'))
    )
    op.create_table('fact_copy',
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('watermark', TransactionId(), nullable=False),
    sa.Column('seen', TransactionId(), nullable=False),
    sa.Column('cluster', sa.Text(), nullable=False),
    sa.Column('generation', sa.BigInteger(), nullable=False),
    sa.Column('copied_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_fact_copy_workspace_id_workspace'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('workspace_id', name=op.f('pk_fact_copy'))
    )
    op.create_table('fact_part',
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('fact', sa.Text(), nullable=False),
    sa.Column('month', sa.Date(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('rows', sa.BigInteger(), nullable=False),
    sa.Column('bytes', sa.BigInteger(), nullable=False),
    sa.Column('replaced_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['fact_copy.workspace_id'], name=op.f('fk_fact_part_workspace_id_fact_copy'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_fact_part'))
    )
    op.create_index('uq_fact_part_current', 'fact_part', ['workspace_id', 'fact', 'month'], unique=True, postgresql_where=sa.text('replaced_at IS NULL'))
    for fact, table, at in FACTS:
        op.execute(FUNCTION.format(fact=fact, at=at))
        for event, tables in TRIGGERS:
            op.execute(
                f'CREATE TRIGGER note_{event.lower()} AFTER {event} ON {table} {tables}'
                f' FOR EACH STATEMENT EXECUTE FUNCTION note_{fact}_changes()'
            )


def downgrade() -> None:
    for fact, table, _ in FACTS:
        for event, _ in TRIGGERS:
            op.execute(f'DROP TRIGGER note_{event.lower()} ON {table}')
        op.execute(f'DROP FUNCTION note_{fact}_changes()')
    op.drop_table('fact_part')
    op.drop_table('fact_copy')
    op.drop_table('fact_change')
