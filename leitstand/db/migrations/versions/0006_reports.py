"""Reports, their subscribers and their mail."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0006_reports'
down_revision = '0005_fact_copy'
branch_labels = None
depends_on = None

EMPTY_TEXTS = ('requested_by', 'progress', 'notebook', 'notebook_sha256', 'html', 'html_sha256', 'pdf', 'pdf_sha256',
               'without_pdf', 'error')


def upgrade() -> None:
    op.create_table('report',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('period_start', sa.Date(), nullable=False),
    sa.Column('period_end', sa.Date(), nullable=False),
    sa.Column('zone', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), server_default='waiting', nullable=False),
    sa.Column('attempt', sa.Uuid(), nullable=True),
    sa.Column('attempts', sa.Integer(), server_default='0', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('requested_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('as_of', sa.DateTime(timezone=True), nullable=True),
    sa.Column('summary', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    *(sa.Column(name, sa.Text(), server_default='', nullable=False) for name in EMPTY_TEXTS),
    sa.CheckConstraint("status IN ('waiting', 'running', 'complete', 'failed')", name=op.f('ck_report_status')),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_report_workspace_id_workspace'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_report')),
    sa.UniqueConstraint('workspace_id', 'name', 'period_start', 'zone', name='uq_report_edition')
    )
    op.create_index('ix_report_workspace_period', 'report', ['workspace_id', sa.literal_column('period_start DESC')], unique=False)
    op.create_table('report_subscription',
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('person_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('zone', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id', 'person_id'], ['membership.workspace_id', 'membership.person_id'], name=op.f('fk_report_subscription_workspace_id_membership'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('workspace_id', 'person_id', 'name', name=op.f('pk_report_subscription'))
    )
    op.create_index('ix_report_subscription_person', 'report_subscription', ['person_id'], unique=False)
    op.create_table('report_mail',
    sa.Column('report_id', sa.Uuid(), nullable=False),
    sa.Column('person_id', sa.Uuid(), nullable=False),
    sa.Column('message_id', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), server_default='waiting', nullable=False),
    sa.Column('attempts', sa.Integer(), server_default='0', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('changed_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('error', sa.Text(), server_default='', nullable=False),
    sa.CheckConstraint("status IN ('waiting', 'sent', 'failed', 'withheld')", name=op.f('ck_report_mail_status')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_report_mail_person_id_person'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['report_id'], ['report.id'], name=op.f('fk_report_mail_report_id_report'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('report_id', 'person_id', name=op.f('pk_report_mail'))
    )
    op.create_index('ix_report_mail_person', 'report_mail', ['person_id'], unique=False)


def downgrade() -> None:
    for table in ('report_mail', 'report_subscription', 'report'):
        op.drop_table(table)
