"""Suspended members, what an invitation says and holds ready, and sessions in which an owner acts as somebody else."""

import sqlalchemy as sa
from alembic import op

revision = '0014_people'
down_revision = '0013_sign_in'
branch_labels = None
depends_on = None

NOW = sa.text('now()')


def upgrade() -> None:
    op.add_column('membership', sa.Column('suspended_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('invitation', sa.Column('message', sa.Text(), server_default='', nullable=False))
    op.add_column('invitation', sa.Column('sent_at', sa.DateTime(timezone=True), server_default=NOW, nullable=False))
    op.add_column('user_session', sa.Column('acting_from', sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f('fk_user_session_acting_from_user_session'), 'user_session', 'user_session', ['acting_from'], ['id'], ondelete='CASCADE')
    op.create_index(op.f('ix_user_session_acting_from'), 'user_session', ['acting_from'])
    op.create_table('invitation_grant',
    sa.Column('invitation_id', sa.Uuid(), nullable=False),
    sa.Column('item_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('level', sa.Text(), server_default='read', nullable=False),
    sa.Column('granted_by', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=NOW, nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("level IN ('read', 'write')", name=op.f('ck_invitation_grant_level')),
    sa.ForeignKeyConstraint(['invitation_id'], ['invitation.id'], name=op.f('fk_invitation_grant_invitation_id_invitation'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['item_id'], ['item.id'], name=op.f('fk_invitation_grant_item_id_item'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_invitation_grant_workspace_id_workspace'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['granted_by'], ['person.id'], name=op.f('fk_invitation_grant_granted_by_person'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('invitation_id', 'item_id', name=op.f('pk_invitation_grant')),
    sa.UniqueConstraint('id', name=op.f('uq_invitation_grant_id'))
    )
    op.create_index(op.f('ix_invitation_grant_item_id'), 'invitation_grant', ['item_id'])


def downgrade() -> None:
    op.drop_table('invitation_grant')
    op.drop_column('user_session', 'acting_from')
    op.drop_column('invitation', 'sent_at')
    op.drop_column('invitation', 'message')
    op.drop_column('membership', 'suspended_at')
