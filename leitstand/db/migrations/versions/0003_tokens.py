"""API tokens, answers kept under idempotency keys, and refusals that can be replayed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0003_tokens'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('api_token',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('person_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('token_hash', sa.LargeBinary(), nullable=False),
    sa.Column('start', sa.Text(), nullable=False),
    sa.Column('permissions', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id', 'person_id'], ['membership.workspace_id', 'membership.person_id'], name=op.f('fk_api_token_workspace_id_membership'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_token')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_api_token_token_hash'))
    )
    op.create_index('ix_api_token_member', 'api_token', ['workspace_id', 'person_id'], unique=False)
    op.create_table('idempotency_key',
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('principal_id', sa.Uuid(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('fingerprint', sa.LargeBinary(), nullable=False),
    sa.Column('status', sa.Integer(), nullable=False),
    sa.Column('headers', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_idempotency_key_workspace_id_workspace'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('workspace_id', 'principal_id', 'key', name=op.f('pk_idempotency_key'))
    )
    op.create_index('ix_idempotency_key_created', 'idempotency_key', ['created_at'], unique=False)
    op.add_column('event_refusal', sa.Column('source', sa.Text(), server_default='import', nullable=False))
    op.add_column('event_refusal', sa.Column('whole', sa.Boolean(), server_default='false', nullable=False))
    op.add_column('event_refusal', sa.Column('outcome', sa.Text(), server_default='refused', nullable=False))
    op.create_check_constraint(op.f('ck_event_refusal_outcome'), 'event_refusal', "outcome IN ('refused', 'accepted', 'duplicate')")
    op.execute("UPDATE event_refusal SET source = 'runtime' WHERE import_id IS NULL")


def downgrade() -> None:
    op.drop_constraint(op.f('ck_event_refusal_outcome'), 'event_refusal')
    for column in ('outcome', 'whole', 'source'):
        op.drop_column('event_refusal', column)
    op.drop_table('idempotency_key')
    op.drop_table('api_token')
