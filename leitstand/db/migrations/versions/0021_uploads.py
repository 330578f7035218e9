"""Documents have a trash and a virus scan, and large files come in pieces."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0021_uploads'
down_revision = '0019_search'
branch_labels = None
depends_on = None

STATUS = 'ck_document_status'
OLD = "status IN ('uploaded', 'parsing', 'indexing', 'ready', 'failed')"
NEW = "status IN ('uploaded', 'scanning', 'infected', 'parsing', 'indexing', 'ready', 'failed')"
THERE = sa.text('deleted_at IS NULL')


def upgrade() -> None:
    documents()
    uploads()


def documents() -> None:
    op.add_column('document', sa.Column('added_by', sa.Uuid(), nullable=True))
    op.add_column('document', sa.Column('scanned_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('document', sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True))
    op.create_foreign_key(op.f('fk_document_added_by_person'), 'document', 'person', ['added_by'], ['id'], ondelete='SET NULL')
    op.drop_constraint(op.f(STATUS), 'document', type_='check')
    op.create_check_constraint(op.f(STATUS), 'document', NEW)
    op.drop_constraint(op.f('uq_document_space_id_sha256'), 'document', type_='unique')
    op.create_index('uq_document_space_id_sha256', 'document', ['space_id', 'sha256'], unique=True, postgresql_where=THERE)
    op.create_index('ix_document_space_created', 'document', ['space_id', sa.text('created_at DESC'), sa.text('id DESC')])
    op.create_index('ix_document_space_title', 'document', ['space_id', sa.text('lower(title)'), 'id'])
    op.create_index('ix_document_deleted', 'document', ['deleted_at'], postgresql_where=sa.text('deleted_at IS NOT NULL'))


def uploads() -> None:
    op.create_table('upload',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('space_id', sa.Uuid(), nullable=False),
    sa.Column('person_id', sa.Uuid(), nullable=True),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('media_type', sa.Text(), nullable=False),
    sa.Column('bytes', sa.BigInteger(), nullable=False),
    sa.Column('sha256', sa.Text(), server_default='', nullable=False),
    sa.Column('received', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('object_key', sa.Text(), nullable=False),
    sa.Column('store_id', sa.Text(), server_default='', nullable=False),
    sa.Column('parts', postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
    sa.Column('status', sa.Text(), server_default='open', nullable=False),
    sa.Column('reason', sa.Text(), server_default='', nullable=False),
    sa.Column('document_id', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("status IN ('open', 'complete', 'refused')", name=op.f('ck_upload_status')),
    sa.CheckConstraint('bytes > 0 AND received BETWEEN 0 AND bytes', name=op.f('ck_upload_received')),
    sa.ForeignKeyConstraint(['document_id'], ['document.id'], name=op.f('fk_upload_document_id_document'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_upload_person_id_person'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['space_id'], ['item.id'], name=op.f('fk_upload_space_id_item'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_upload_workspace_id_workspace'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_upload'))
    )
    op.create_index('ix_upload_space', 'upload', ['space_id'])
    op.create_index('ix_upload_open', 'upload', ['workspace_id'], postgresql_where=sa.text("status = 'open'"))
    op.create_index('ix_upload_expires', 'upload', ['expires_at'])


def downgrade() -> None:
    op.drop_table('upload')
    # What is in the trash has no place in the table as it was, nor a second document of the same content.
    op.execute('DELETE FROM document WHERE deleted_at IS NOT NULL')
    op.execute("UPDATE document SET status = 'failed', reason = 'Its virus scan was not finished.' WHERE status IN ('scanning', 'infected')")
    for name in ('ix_document_deleted', 'ix_document_space_title', 'ix_document_space_created', 'uq_document_space_id_sha256'):
        op.drop_index(name, table_name='document')
    op.create_unique_constraint(op.f('uq_document_space_id_sha256'), 'document', ['space_id', 'sha256'])
    op.drop_constraint(op.f(STATUS), 'document', type_='check')
    op.create_check_constraint(op.f(STATUS), 'document', OLD)
    for name in ('added_by', 'scanned_at', 'deleted_at'):
        op.drop_column('document', name)
