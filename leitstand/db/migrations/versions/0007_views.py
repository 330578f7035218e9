"""Annotations of the time line, and views: choices of a dashboard under a name."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0007_views'
down_revision = '0006_reports'
branch_labels = None
depends_on = None

NOW = sa.text('now()')


def upgrade() -> None:
    op.create_table('annotation',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('day', sa.Date(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('author_id', sa.Uuid(), nullable=True),
    sa.Column('author', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=NOW, nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=NOW, nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("kind IN ('release', 'incident', 'note')", name=op.f('ck_annotation_kind')),
    sa.CheckConstraint('num_nonnulls(day, at) = 1', name=op.f('ck_annotation_when')),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_annotation_workspace_id_workspace'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['author_id'], ['person.id'], name=op.f('fk_annotation_author_id_person'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_annotation'))
    )
    op.create_index('ix_annotation_day', 'annotation', ['workspace_id', 'day'], postgresql_where=sa.text('day IS NOT NULL'))
    op.create_index('ix_annotation_at', 'annotation', ['workspace_id', 'at'], postgresql_where=sa.text('at IS NOT NULL'))
    op.create_table('saved_view',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('owner_id', sa.Uuid(), nullable=False),
    sa.Column('app', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('choices', postgresql.JSONB(), nullable=False),
    sa.Column('shared', sa.Boolean(), server_default='false', nullable=False),
    sa.Column('first_for_owner', sa.Boolean(), server_default='false', nullable=False),
    sa.Column('first_for_all', sa.Boolean(), server_default='false', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=NOW, nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=NOW, nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('shared OR NOT first_for_all', name=op.f('ck_saved_view_first_is_shared')),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_saved_view_workspace_id_workspace'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['owner_id'], ['person.id'], name=op.f('fk_saved_view_owner_id_person'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_saved_view'))
    )
    op.create_index('ix_saved_view_app', 'saved_view', ['workspace_id', 'app'], postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('uq_saved_view_first_for_owner', 'saved_view', ['owner_id', 'workspace_id', 'app'], unique=True, postgresql_where=sa.text('first_for_owner AND deleted_at IS NULL'))
    op.create_index('uq_saved_view_first_for_all', 'saved_view', ['workspace_id', 'app'], unique=True, postgresql_where=sa.text('first_for_all AND deleted_at IS NULL'))


def downgrade() -> None:
    op.drop_table('saved_view')
    op.drop_table('annotation')
