"""Threads of agents and their steps, tools, schedules of apps, and what models cost."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from leitstand.db import row_security

revision = '0027_agents'
down_revision = '0026_plan_changes'
branch_labels = None
depends_on = None

TABLES = ('tool', 'thread', 'thread_step', 'app_schedule', 'model_call')


def upgrade() -> None:
    op.create_table('tool',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('configuration', JSONB(), nullable=False),
    sa.Column('parameters', JSONB(), nullable=False),
    sa.Column('secret', sa.LargeBinary(), nullable=True),
    sa.Column('needs_approval', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('repeatable', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('active', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('checked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('check_problem', sa.Text(), server_default='', nullable=False),
    sa.Column('created_by', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("kind IN ('http', 'space', 'flow', 'mcp')", name=op.f('ck_tool_kind')),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_tool_workspace_id_workspace'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_tool')),
    sa.UniqueConstraint('workspace_id', 'name', name=op.f('uq_tool_workspace_id_name'))
    )
    op.create_table('thread',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('agent_id', sa.Uuid(), nullable=True),
    sa.Column('app_id', sa.Uuid(), nullable=True),
    sa.Column('person_id', sa.Uuid(), nullable=True),
    sa.Column('retry_of', sa.Uuid(), nullable=True),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('begun_by', sa.Text(), server_default='person', nullable=False),
    sa.Column('status', sa.Text(), server_default='queued', nullable=False),
    sa.Column('agent', JSONB(), nullable=False),
    sa.Column('limits', JSONB(), nullable=False),
    sa.Column('input', JSONB(), nullable=False),
    sa.Column('output', sa.Text(), server_default='', nullable=False),
    sa.Column('error', sa.Text(), server_default='', nullable=False),
    sa.Column('steps', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('prompt_tokens', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('completion_tokens', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('cost', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('worked_ms', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('trace', sa.Text(), server_default='', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('cancel_requested_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("begun_by IN ('person', 'schedule', 'program')", name=op.f('ck_thread_begun_by')),
    sa.CheckConstraint("status IN ('queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled')", name=op.f('ck_thread_status')),
    sa.ForeignKeyConstraint(['agent_id'], ['item.id'], name=op.f('fk_thread_agent_id_item'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['app_id'], ['item.id'], name=op.f('fk_thread_app_id_item'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_thread_person_id_person'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['retry_of'], ['thread.id'], name=op.f('fk_thread_retry_of_thread'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_thread_workspace_id_workspace'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_thread'))
    )
    op.create_index('ix_thread_agent', 'thread', ['agent_id', sa.text('id DESC')])
    op.create_index('ix_thread_app', 'thread', ['app_id', sa.text('id DESC')])
    op.create_index('ix_thread_newest', 'thread', ['workspace_id', sa.text('id DESC')])
    op.create_index('ix_thread_of_person', 'thread', ['workspace_id', 'person_id', sa.text('id DESC')])
    op.create_index('ix_thread_open', 'thread', ['workspace_id'], postgresql_where=sa.text("status IN ('queued', 'running', 'waiting')"))
    op.create_table('app_schedule',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('app_id', sa.Uuid(), nullable=False),
    sa.Column('person_id', sa.Uuid(), nullable=False),
    sa.Column('cron', sa.Text(), nullable=False),
    sa.Column('zone', sa.Text(), nullable=False),
    sa.Column('inputs', JSONB(), nullable=False),
    sa.Column('next_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_thread', sa.Uuid(), nullable=True),
    sa.Column('problem', sa.Text(), server_default='', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['app_id'], ['item.id'], name=op.f('fk_app_schedule_app_id_item'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['last_thread'], ['thread.id'], name=op.f('fk_app_schedule_last_thread_thread'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_app_schedule_person_id_person'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_app_schedule_workspace_id_workspace'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_app_schedule'))
    )
    op.create_index('ix_app_schedule_app', 'app_schedule', ['app_id'])
    op.create_index('ix_app_schedule_due', 'app_schedule', ['next_at'], postgresql_where=sa.text('next_at IS NOT NULL'))
    op.create_index('ix_app_schedule_workspace', 'app_schedule', ['workspace_id'])
    op.create_table('model_call',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('purpose', sa.Text(), nullable=False),
    sa.Column('item_id', sa.Uuid(), nullable=True),
    sa.Column('person_id', sa.Uuid(), nullable=True),
    sa.Column('thread_id', sa.Uuid(), nullable=True),
    sa.Column('endpoint', sa.Text(), nullable=False),
    sa.Column('model', sa.Text(), nullable=False),
    sa.Column('succeeded', sa.Boolean(), nullable=False),
    sa.Column('prompt_tokens', sa.BigInteger(), nullable=False),
    sa.Column('completion_tokens', sa.BigInteger(), nullable=False),
    sa.Column('cost', sa.BigInteger(), nullable=False),
    sa.Column('milliseconds', sa.Integer(), nullable=False),
    sa.CheckConstraint("purpose IN ('agent', 'assistant', 'companion', 'ask')", name=op.f('ck_model_call_purpose')),
    sa.ForeignKeyConstraint(['item_id'], ['item.id'], name=op.f('fk_model_call_item_id_item'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_model_call_person_id_person'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['thread_id'], ['thread.id'], name=op.f('fk_model_call_thread_id_thread'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_model_call_workspace_id_workspace'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_model_call'))
    )
    op.create_index('ix_model_call_at', 'model_call', ['workspace_id', 'at'])
    op.create_table('thread_step',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('thread_id', sa.Uuid(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('call_id', sa.Text(), server_default='', nullable=False),
    sa.Column('arguments', JSONB(), server_default='{}', nullable=False),
    sa.Column('result', JSONB(), server_default='{}', nullable=False),
    sa.Column('error', sa.Text(), server_default='', nullable=False),
    sa.Column('attempts', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('prompt_tokens', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('completion_tokens', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('cost', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('decided_by', sa.Uuid(), nullable=True),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("kind IN ('model', 'tool')", name=op.f('ck_thread_step_kind')),
    sa.CheckConstraint("status IN ('waiting', 'approved', 'running', 'succeeded', 'failed', 'refused', 'unknown')", name=op.f('ck_thread_step_status')),
    sa.ForeignKeyConstraint(['decided_by'], ['person.id'], name=op.f('fk_thread_step_decided_by_person'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['thread_id'], ['thread.id'], name=op.f('fk_thread_step_thread_id_thread'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_thread_step_workspace_id_workspace'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_thread_step')),
    sa.UniqueConstraint('thread_id', 'position', name=op.f('uq_thread_step_thread_id_position'))
    )
    op.create_index('ix_thread_step_workspace', 'thread_step', ['workspace_id'])
    op.add_column('model_endpoint', sa.Column('prompt_price', sa.BigInteger(), server_default=sa.text('0'), nullable=False))
    op.add_column('model_endpoint', sa.Column('completion_price', sa.BigInteger(), server_default=sa.text('0'), nullable=False))
    row_security.build(op.get_bind(), *TABLES)


def downgrade() -> None:
    op.drop_column('model_endpoint', 'completion_price')
    op.drop_column('model_endpoint', 'prompt_price')
    for table in ('model_call', 'app_schedule', 'thread_step', 'thread', 'tool'):
        op.drop_table(table)
