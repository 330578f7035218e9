"""Runs that a flow handed over to a person or a group."""

import sqlalchemy as sa
from alembic import op

from leitstand.db import row_security

revision = '0024_handovers'
down_revision = '0023_row_security'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('handover',
    sa.Column('run_id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('companion_id', sa.Uuid(), nullable=False),
    sa.Column('step', sa.Text(), nullable=False),
    sa.Column('person_id', sa.Uuid(), nullable=True),
    sa.Column('group_id', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('taken_by', sa.Uuid(), nullable=True),
    sa.Column('taken_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('person_id IS NULL OR group_id IS NULL', name=op.f('ck_handover_one_addressee')),
    sa.ForeignKeyConstraint(['run_id'], ['flow_run.id'], name=op.f('fk_handover_run_id_flow_run'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_handover_workspace_id_workspace'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['companion_id'], ['companion.item_id'], name=op.f('fk_handover_companion_id_companion'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_handover_person_id_person'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['group_id'], ['people_group.id'], name=op.f('fk_handover_group_id_people_group'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['taken_by'], ['person.id'], name=op.f('fk_handover_taken_by_person'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('run_id', name=op.f('pk_handover'))
    )
    op.create_index('ix_handover_companion', 'handover', ['companion_id', sa.text('created_at DESC')])
    row_security.build(op.get_bind(), 'handover')


def downgrade() -> None:
    op.drop_table('handover')
