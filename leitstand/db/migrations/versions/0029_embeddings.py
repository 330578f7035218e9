"""Vectors of passages, and which endpoint makes them where it is not ours."""

import sqlalchemy as sa
from alembic import op

from leitstand.db import row_security, vectors

revision = '0029_embeddings'
down_revision = "0028_conversations"
branch_labels = None
depends_on = None

PURPOSES = ('agent', 'assistant', 'companion', 'ask', 'embedding')
# Where there are passages already, the queue worker gives them their vectors.
CATCH_UP = """
    SELECT procrastinate_defer_jobs_v1(ARRAY[
        ROW('vectors', 'knowledge.vectors', 0, 'vectors', NULL, '{}'::jsonb, NULL)::procrastinate_job_to_defer_v1
    ]) WHERE EXISTS (SELECT FROM chunk)
"""


def upgrade() -> None:
    op.create_table('embedding',
    sa.Column('document_id', sa.Uuid(), nullable=False),
    sa.Column('ordinal', sa.Integer(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('space_id', sa.Uuid(), nullable=False),
    sa.Column('model', sa.Text(), nullable=False),
    # Of pgvector's type halfvec, where the extension is there.
    sa.Column('vector', sa.ARRAY(sa.REAL()), nullable=False),
    sa.ForeignKeyConstraint(['document_id', 'ordinal'], ['chunk.document_id', 'chunk.ordinal'], name=op.f('fk_embedding_document_id_chunk'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_embedding_workspace_id_workspace'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('document_id', 'ordinal', name=op.f('pk_embedding'))
    )
    op.create_index(op.f('ix_embedding_workspace_id'), 'embedding', ['workspace_id'])
    op.create_index('ix_embedding_space', 'embedding', ['space_id', 'model'])
    vectors.build(op.get_bind())
    op.add_column('model_endpoint', sa.Column('embeds', sa.Text(), server_default='', nullable=False))
    op.create_index('uq_model_endpoint_embeds', 'model_endpoint', ['workspace_id'], unique=True, postgresql_where=sa.text("embeds <> ''"))
    op.drop_constraint(op.f('ck_model_call_purpose'), 'model_call')
    op.create_check_constraint(op.f('ck_model_call_purpose'), 'model_call', f'purpose IN {PURPOSES}')
    row_security.build(op.get_bind(), 'embedding')
    op.execute(CATCH_UP)


def downgrade() -> None:
    op.execute("DELETE FROM model_call WHERE purpose = 'embedding'")
    op.drop_constraint(op.f('ck_model_call_purpose'), 'model_call')
    op.create_check_constraint(op.f('ck_model_call_purpose'), 'model_call', f'purpose IN {PURPOSES[:-1]}')
    op.drop_index('uq_model_endpoint_embeds', table_name='model_endpoint')
    op.drop_column('model_endpoint', 'embeds')
    op.drop_table('embedding')
