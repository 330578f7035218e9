"""Months of events that were archived, and the days that they hold."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0008_event_archive'
down_revision = '0007_views'
branch_labels = None
depends_on = None

# The days of which a workspace's ledger in the database is not whole, for comparisons with it.
ARCHIVED_DAYS = """
CREATE VIEW archived_days AS
    SELECT workspace_id, range_agg(daterange(day, day + 1)) AS days FROM event_archive, unnest(days) AS day
    WHERE restored_at IS NULL GROUP BY workspace_id
"""


def upgrade() -> None:
    op.create_table('event_archive',
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('month', sa.Date(), nullable=False),
    sa.Column('rows', sa.BigInteger(), nullable=False),
    sa.Column('bytes', sa.BigInteger(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('content_hash', sa.Text(), nullable=False),
    sa.Column('schema_version', sa.Integer(), nullable=False),
    sa.Column('first_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('companions', postgresql.ARRAY(sa.Uuid()), nullable=False),
    sa.Column('days', postgresql.ARRAY(sa.Date()), nullable=False),
    sa.Column('archived_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('restored_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_event_archive_workspace_id_workspace'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_event_archive'))
    )
    op.create_index('ix_event_archive_month', 'event_archive', ['workspace_id', 'month'], postgresql_where=sa.text('restored_at IS NULL'))
    op.execute(ARCHIVED_DAYS)


def downgrade() -> None:
    archived = sa.text('SELECT count(*) FROM event_archive WHERE restored_at IS NULL')
    if op.get_bind().scalar(archived):
        raise RuntimeError('Restore the archived months first: leitstand events archive restore.')
    op.execute('DROP VIEW archived_days')
    op.drop_table('event_archive')
