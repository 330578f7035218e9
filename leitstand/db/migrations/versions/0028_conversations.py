"""Conversations with agents, answers that are being written, branches, and files given with a question."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from leitstand.db import row_security

revision = '0028_conversations'
down_revision = '0027_agents'
branch_labels = None
depends_on = None

EARLIER = "('assistant', 'companion')"
LINKED = """
    UPDATE conversation_message AS message SET parent = (
        SELECT max(earlier.position) FROM conversation_message AS earlier
        WHERE earlier.conversation_id = message.conversation_id AND earlier.position < message.position
    )
"""
ENDED = """
    UPDATE conversation SET leaf = COALESCE((
        SELECT max(position) FROM conversation_message WHERE conversation_id = conversation.item_id
    ), 0)
"""


def upgrade() -> None:
    _partners("('assistant', 'companion', 'agent')", "('person', 'companion', 'assistant', 'agent')")
    op.add_column('conversation', sa.Column('agent_id', sa.Uuid(), nullable=True))
    op.add_column('conversation', sa.Column('leaf', sa.Integer(), server_default=sa.text('0'), nullable=False))
    op.create_foreign_key(op.f('fk_conversation_agent_id_item'), 'conversation', 'item', ['agent_id'], ['id'], ondelete='SET NULL')
    op.create_index('ix_conversation_agent', 'conversation', ['agent_id'])
    texts = postgresql.ARRAY(sa.Text())
    for column in (
        sa.Column('parent', sa.Integer(), nullable=True),
        sa.Column('rests_on', texts, server_default='{}', nullable=False),
        sa.Column('attachments', texts, server_default='{}', nullable=False),
        sa.Column('status', sa.Text(), server_default='done', nullable=False),
        sa.Column('error', sa.Text(), server_default='', nullable=False),
        sa.Column('model', sa.Text(), server_default='', nullable=False),
        sa.Column('thread_id', sa.Uuid(), nullable=True),
        sa.Column('attempts', sa.Integer(), server_default=sa.text('0'), nullable=False),
    ):
        op.add_column('conversation_message', column)
    op.execute(LINKED)
    op.execute(ENDED)
    op.create_check_constraint(op.f('ck_conversation_message_status'), 'conversation_message', "status IN ('writing', 'done', 'failed', 'stopped')")
    op.create_foreign_key('fk_conversation_message_parent', 'conversation_message', 'conversation_message', ['conversation_id', 'parent'], ['conversation_id', 'position'], ondelete='CASCADE')
    op.create_foreign_key(op.f('fk_conversation_message_thread_id_thread'), 'conversation_message', 'thread', ['thread_id'], ['id'], ondelete='SET NULL')
    op.create_index('ix_conversation_message_thread', 'conversation_message', ['thread_id'], postgresql_where=sa.text('thread_id IS NOT NULL'))
    op.create_index('ix_conversation_message_writing', 'conversation_message', ['id'], postgresql_where=sa.text("status = 'writing'"))
    attachments()
    row_security.build(op.get_bind(), 'conversation_attachment')


def attachments() -> None:
    op.create_table('conversation_attachment',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('conversation_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('object_key', sa.Text(), nullable=False),
    sa.Column('media_type', sa.Text(), nullable=False),
    sa.Column('bytes', sa.BigInteger(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), server_default='waiting', nullable=False),
    sa.Column('reason', sa.Text(), server_default='', nullable=False),
    sa.Column('text', sa.Text(), server_default='', nullable=False),
    sa.Column('scanned_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("status IN ('waiting', 'ready', 'refused')", name=op.f('ck_conversation_attachment_status')),
    sa.ForeignKeyConstraint(['conversation_id'], ['conversation.item_id'], name=op.f('fk_conversation_attachment_conversation_id_conversation'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_conversation_attachment_workspace_id_workspace'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_conversation_attachment'))
    )
    op.create_index('ix_conversation_attachment_conversation', 'conversation_attachment', ['conversation_id'])
    op.create_index('ix_conversation_attachment_workspace', 'conversation_attachment', ['workspace_id'])


def downgrade() -> None:
    op.drop_table('conversation_attachment')
    # What is said with agents has no place in the earlier form, nor have branches beside the chosen ones.
    op.execute("DELETE FROM item WHERE id IN (SELECT item_id FROM conversation WHERE partner = 'agent')")
    op.drop_column('conversation', 'leaf')
    op.drop_column('conversation', 'agent_id')
    op.drop_constraint('fk_conversation_message_parent', 'conversation_message')
    for column in ('attempts', 'thread_id', 'model', 'error', 'status', 'attachments', 'rests_on', 'parent'):
        op.drop_column('conversation_message', column)
    _partners(EARLIER, "('person', 'companion', 'assistant')")


def _partners(partners: str, speakers: str) -> None:
    op.drop_constraint(op.f('ck_conversation_partner'), 'conversation')
    op.create_check_constraint(op.f('ck_conversation_partner'), 'conversation', f"partner IN {partners}")
    op.drop_constraint(op.f('ck_conversation_message_said_by'), 'conversation_message')
    op.create_check_constraint(op.f('ck_conversation_message_said_by'), 'conversation_message', f"said_by IN {speakers}")
