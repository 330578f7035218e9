"""Plans of workspaces, invoices, and messages of payment providers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0017_billing'
down_revision = '0016_audit'
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
PROVIDER = "provider IN ('manual', 'stripe')"


def upgrade() -> None:
    op.create_table(
        'workspace_plan',
        sa.Column('workspace_id', sa.Uuid(), sa.ForeignKey('workspace.id', name='fk_workspace_plan_workspace_id_workspace', ondelete='CASCADE'), nullable=False),
        sa.Column('plan', sa.Text(), nullable=False),
        sa.Column('terms', postgresql.JSONB(), nullable=False),
        sa.Column('status', sa.Text(), server_default='active', nullable=False),
        sa.Column('since', TIME, server_default=sa.text('now()'), nullable=False),
        sa.Column('changed_by', sa.Uuid(), sa.ForeignKey('person.id', name='fk_workspace_plan_changed_by_person', ondelete='SET NULL'), nullable=True),
        sa.Column('provider', sa.Text(), server_default='manual', nullable=False),
        sa.Column('customer_id', sa.Text(), server_default='', nullable=False),
        sa.Column('subscription_id', sa.Text(), server_default='', nullable=False),
        sa.Column('told_at', TIME, nullable=True),
        sa.CheckConstraint(PROVIDER, name=op.f('ck_workspace_plan_provider')),
        sa.CheckConstraint("status IN ('active', 'past_due')", name=op.f('ck_workspace_plan_status')),
        sa.PrimaryKeyConstraint('workspace_id', name=op.f('pk_workspace_plan')),
    )
    op.create_index('uq_workspace_plan_customer', 'workspace_plan', ['customer_id'], unique=True, postgresql_where=sa.text("customer_id <> ''"))
    op.create_table(
        'invoice',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('workspace_id', sa.Uuid(), sa.ForeignKey('workspace.id', name='fk_invoice_workspace_id_workspace', ondelete='CASCADE'), nullable=False),
        sa.Column('number', sa.Text(), nullable=False),
        sa.Column('period_start', sa.Date(), nullable=False),
        sa.Column('period_end', sa.Date(), nullable=False),
        sa.Column('lines', postgresql.JSONB(), nullable=False),
        sa.Column('total_cents', sa.BigInteger(), nullable=False),
        sa.Column('currency', sa.Text(), nullable=False),
        sa.Column('status', sa.Text(), server_default='open', nullable=False),
        sa.Column('issued_at', TIME, server_default=sa.text('now()'), nullable=False),
        sa.Column('paid_at', TIME, nullable=True),
        sa.Column('provider', sa.Text(), server_default='manual', nullable=False),
        sa.Column('provider_id', sa.Text(), server_default='', nullable=False),
        sa.CheckConstraint(PROVIDER, name=op.f('ck_invoice_provider')),
        sa.CheckConstraint("status IN ('open', 'paid', 'void')", name=op.f('ck_invoice_status')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_invoice')),
        sa.UniqueConstraint('provider', 'number', name=op.f('uq_invoice_provider_number')),
    )
    op.create_index('uq_invoice_month', 'invoice', ['workspace_id', 'period_start'], unique=True, postgresql_where=sa.text("provider = 'manual'"))
    op.create_index('uq_invoice_provider_id', 'invoice', ['provider_id'], unique=True, postgresql_where=sa.text("provider_id <> ''"))
    op.create_index('ix_invoice_listing', 'invoice', ['workspace_id', sa.text('issued_at DESC'), sa.text('id DESC')])
    op.create_table(
        'billing_event',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('provider', sa.Text(), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Uuid(), sa.ForeignKey('workspace.id', name='fk_billing_event_workspace_id_workspace', ondelete='CASCADE'), nullable=True),
        sa.Column('outcome', sa.Text(), nullable=False),
        sa.Column('made_at', TIME, nullable=False),
        sa.Column('created_at', TIME, server_default=sa.text('now()'), nullable=False),
        sa.CheckConstraint(PROVIDER, name=op.f('ck_billing_event_provider')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_billing_event')),
    )


def downgrade() -> None:
    for table in ('billing_event', 'invoice', 'workspace_plan'):
        op.drop_table(table)
