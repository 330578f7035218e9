"""Runs of runbooks that can be resumed, and a chain of evidence with an order of its own."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0010_runbook_runs'
down_revision = '0009_backup_retention'
branch_labels = None
depends_on = None

# The order of the chain was that of its ends until now.
LINKS = """
    INSERT INTO evidence_link (sequence, kind, run_id, at, content, previous_sha256, sha256)
    SELECT row_number() OVER chain, 'run', id, finished_at,
           jsonb_build_object('format', 1, 'notebook', notebook, 'notebook_sha256', notebook_sha256),
           coalesce(lag(chain_sha256) OVER chain, ''), chain_sha256
    FROM drill WHERE chain_sha256 <> ''
    WINDOW chain AS (ORDER BY finished_at, id)
"""


def upgrade() -> None:
    op.add_column('drill', sa.Column('category', sa.Text(), server_default='drill', nullable=False))
    op.add_column('drill', sa.Column('requested_by', sa.Text(), server_default='', nullable=False))
    op.add_column('drill', sa.Column('parameters', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False))
    op.add_column('drill', sa.Column('lineage', sa.Uuid(), nullable=True))
    op.add_column('drill', sa.Column('resumed_from', sa.Uuid(), nullable=True))
    op.execute("UPDATE drill SET category = 'runbook' WHERE notebook LIKE '%/runbooks/%'")
    op.create_check_constraint(op.f('ck_drill_category'), 'drill', "category IN ('drill', 'runbook')")
    op.create_index('ix_drill_lineage', 'drill', ['lineage'], unique=False)
    op.create_table('evidence_link',
    sa.Column('sequence', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('run_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('content', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('previous_sha256', sa.Text(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.CheckConstraint("kind IN ('run', 'signature')", name=op.f('ck_evidence_link_kind')),
    sa.PrimaryKeyConstraint('sequence', name=op.f('pk_evidence_link')),
    sa.UniqueConstraint('previous_sha256', name=op.f('uq_evidence_link_previous_sha256')),
    sa.UniqueConstraint('sha256', name=op.f('uq_evidence_link_sha256'))
    )
    op.create_index('ix_evidence_link_run', 'evidence_link', ['run_id'], unique=False)
    op.execute(LINKS)


def downgrade() -> None:
    op.drop_table('evidence_link')
    op.drop_index('ix_drill_lineage', table_name='drill')
    op.drop_constraint(op.f('ck_drill_category'), 'drill', type_='check')
    for column in ('resumed_from', 'lineage', 'parameters', 'requested_by', 'category'):
        op.drop_column('drill', column)
