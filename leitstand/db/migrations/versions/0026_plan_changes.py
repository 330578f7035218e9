"""Changes of plan that a provider is asked for, committed before it is asked."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from leitstand.db import row_security

revision = '0026_plan_changes'
down_revision = '0025_s3_import'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('plan_change',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('key', sa.Text(), server_default='', nullable=False),
    sa.Column('way', sa.Text(), nullable=False),
    sa.Column('plan', sa.Text(), nullable=False),
    sa.Column('terms', JSONB(), nullable=False),
    sa.Column('customer', JSONB(), nullable=False),
    sa.Column('back', sa.Text(), server_default='', nullable=False),
    sa.Column('closes', sa.Text(), server_default='', nullable=False),
    sa.Column('state', sa.Text(), server_default='asked', nullable=False),
    sa.Column('problem', sa.Text(), server_default='', nullable=False),
    sa.Column('attempts', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('address', sa.Text(), server_default='', nullable=False),
    sa.Column('checkout_id', sa.Text(), server_default='', nullable=False),
    sa.Column('asked_by', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("way IN ('checkout', 'change', 'cancel', 'close')", name=op.f('ck_plan_change_way')),
    sa.CheckConstraint("state IN ('asked', 'begun', 'done', 'refused', 'withdrawn', 'given-up')", name=op.f('ck_plan_change_state')),
    sa.ForeignKeyConstraint(['asked_by'], ['person.id'], name=op.f('fk_plan_change_asked_by_person'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_plan_change_workspace_id_workspace'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_plan_change'))
    )
    op.create_index('uq_plan_change_open', 'plan_change', ['workspace_id'], unique=True,
        postgresql_where=sa.text("state IN ('asked', 'begun')"))
    op.create_index('ix_plan_change_newest', 'plan_change', ['workspace_id', sa.text('id DESC')])
    row_security.build(op.get_bind(), 'plan_change')


def downgrade() -> None:
    op.drop_table('plan_change')
