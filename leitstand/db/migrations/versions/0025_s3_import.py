"""Buckets that documents are taken from, with their objects."""

import sqlalchemy as sa
from alembic import op

from leitstand.db import row_security

revision = '0025_s3_import'
down_revision = '0024_handovers'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('s3_import',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('endpoint', sa.Text(), nullable=False),
    sa.Column('region', sa.Text(), nullable=False),
    sa.Column('bucket', sa.Text(), nullable=False),
    sa.Column('prefix', sa.Text(), server_default='', nullable=False),
    sa.Column('access_key', sa.Text(), nullable=False),
    sa.Column('secret', sa.LargeBinary(), nullable=False),
    sa.Column('space_id', sa.Uuid(), nullable=True),
    sa.Column('every', sa.Text(), server_default='never', nullable=False),
    sa.Column('checked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('check_problem', sa.Text(), server_default='', nullable=False),
    sa.Column('run_state', sa.Text(), server_default='idle', nullable=False),
    sa.Column('run_problem', sa.Text(), server_default='', nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('progressed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_by', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("every IN ('never', 'hour', 'day')", name=op.f('ck_s3_import_every')),
    sa.CheckConstraint("run_state IN ('idle', 'queued', 'running')", name=op.f('ck_s3_import_run_state')),
    sa.ForeignKeyConstraint(['space_id'], ['item.id'], name=op.f('fk_s3_import_space_id_item'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_s3_import_workspace_id_workspace'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_s3_import')),
    sa.UniqueConstraint('workspace_id', 'name', name=op.f('uq_s3_import_workspace_id_name'))
    )
    op.create_index('ix_s3_import_space_id', 's3_import', ['space_id'])
    objects()
    row_security.build(op.get_bind(), 's3_import', 's3_import_object')


def objects() -> None:
    op.create_table('s3_import_object',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('import_id', sa.Uuid(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('etag', sa.Text(), nullable=False),
    sa.Column('bytes', sa.BigInteger(), nullable=False),
    sa.Column('status', sa.Text(), server_default='waiting', nullable=False),
    sa.Column('reason', sa.Text(), server_default='', nullable=False),
    sa.Column('document_id', sa.Uuid(), nullable=True),
    sa.Column('added', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("status IN ('waiting', 'taken', 'duplicate', 'failed')", name=op.f('ck_s3_import_object_status')),
    sa.ForeignKeyConstraint(['document_id'], ['document.id'], name=op.f('fk_s3_import_object_document_id_document'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['import_id'], ['s3_import.id'], name=op.f('fk_s3_import_object_import_id_s3_import'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_s3_import_object_workspace_id_workspace'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_s3_import_object')),
    sa.UniqueConstraint('import_id', 'key', name=op.f('uq_s3_import_object_import_id_key'))
    )
    op.create_index('ix_s3_import_object_document_id', 's3_import_object', ['document_id'])
    op.create_index('ix_s3_import_object_import_status', 's3_import_object', ['import_id', 'status', 'key'])
    op.create_index('ix_s3_import_object_workspace', 's3_import_object', ['workspace_id'])


def downgrade() -> None:
    op.drop_table('s3_import_object')
    op.drop_table('s3_import')
