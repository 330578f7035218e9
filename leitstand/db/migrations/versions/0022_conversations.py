"""Conversations, which are items, with their messages."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0022_conversations'
down_revision = "0021_uploads"
branch_labels = None
depends_on = None

EARLIER = "kind IN ('companion', 'agent', 'board', 'collection', 'space', 'control', 'app')"
NOW = EARLIER.replace("'app')", "'app', 'conversation')")


def upgrade() -> None:
    _allow(NOW)
    op.create_table('conversation',
    sa.Column('item_id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('partner', sa.Text(), nullable=False),
    sa.Column('companion_id', sa.Uuid(), nullable=True),
    sa.Column('space_id', sa.Uuid(), nullable=True),
    sa.Column('run_id', sa.Uuid(), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("partner IN ('assistant', 'companion')", name=op.f('ck_conversation_partner')),
    sa.ForeignKeyConstraint(['companion_id'], ['item.id'], name=op.f('fk_conversation_companion_id_item'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['item_id'], ['item.id'], name=op.f('fk_conversation_item_id_item'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['run_id'], ['flow_run.id'], name=op.f('fk_conversation_run_id_flow_run'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['space_id'], ['item.id'], name=op.f('fk_conversation_space_id_item'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_conversation_workspace_id_workspace'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('item_id', name=op.f('pk_conversation'))
    )
    op.create_index('ix_conversation_companion', 'conversation', ['companion_id'])
    op.create_index('uq_conversation_run', 'conversation', ['run_id'], unique=True, postgresql_where=sa.text('run_id IS NOT NULL'))
    messages()


def messages() -> None:
    op.create_table('conversation_message',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('conversation_id', sa.Uuid(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('said_by', sa.Text(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('note', sa.Text(), server_default='', nullable=False),
    sa.Column('citations', postgresql.JSONB(), server_default='[]', nullable=False),
    sa.Column('feedback', sa.Text(), server_default='', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("feedback IN ('', 'helpful', 'not helpful')", name=op.f('ck_conversation_message_feedback')),
    sa.CheckConstraint("said_by IN ('person', 'companion', 'assistant')", name=op.f('ck_conversation_message_said_by')),
    sa.ForeignKeyConstraint(['conversation_id'], ['conversation.item_id'], name=op.f('fk_conversation_message_conversation_id_conversation'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_conversation_message_workspace_id_workspace'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_conversation_message')),
    sa.UniqueConstraint('conversation_id', 'position', name=op.f('uq_conversation_message_conversation_id_position'))
    )


def downgrade() -> None:
    op.drop_table('conversation_message')
    op.drop_table('conversation')
    op.execute("DELETE FROM item WHERE kind = 'conversation'")
    _allow(EARLIER)


def _allow(kinds: str) -> None:
    op.drop_constraint(op.f('ck_item_kind'), 'item')
    op.create_check_constraint(op.f('ck_item_kind'), 'item', kinds)
