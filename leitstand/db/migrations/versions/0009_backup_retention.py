"""Backups that are missing or removed, and the runs of retention."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0009_backup_retention'
down_revision = '0008_event_archive'
branch_labels = None
depends_on = None

STATUS = 'ck_backup_status'


def upgrade() -> None:
    op.add_column('backup', sa.Column('reason', sa.Text(), server_default='', nullable=False))
    op.add_column('backup', sa.Column('removed_at', sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f(STATUS), 'backup', type_='check')
    op.create_check_constraint(op.f(STATUS), 'backup', "status IN ('running', 'complete', 'failed', 'missing', 'removing', 'removed')")
    op.execute("UPDATE backup SET status = 'missing' WHERE status = 'failed' AND sha256 <> ''")  # gone from the store
    op.create_table('prune_run',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('status', sa.Text(), server_default='running', nullable=False),
    sa.Column('requested_by', sa.Text(), server_default='', nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('plan', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('plan_sha256', sa.Text(), server_default='', nullable=False),
    sa.Column('removed', sa.Integer(), server_default='0', nullable=False),
    sa.Column('log_removed', sa.Integer(), server_default='0', nullable=False),
    sa.Column('figures', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('error', sa.Text(), server_default='', nullable=False),
    sa.CheckConstraint("status IN ('running', 'complete', 'failed', 'refused')", name=op.f('ck_prune_run_status')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_prune_run'))
    )
    op.create_index('ix_prune_run_started', 'prune_run', [sa.literal_column('started_at DESC')], unique=False)


def downgrade() -> None:
    op.drop_table('prune_run')
    op.execute("UPDATE backup SET status = 'failed' WHERE status IN ('missing', 'removing', 'removed')")
    op.drop_constraint(op.f(STATUS), 'backup', type_='check')
    op.create_check_constraint(op.f(STATUS), 'backup', "status IN ('running', 'complete', 'failed')")
    op.drop_column('backup', 'removed_at')
    op.drop_column('backup', 'reason')
