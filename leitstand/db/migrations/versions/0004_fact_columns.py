"""What flows and companions are looked at by: the version a run began on, and when it reached each step.

Both columns are added without rewriting the table. Rows that are there already know neither until the job that is
enqueued here has filled them in, in small transactions; the merge and the figures take them for unknown meanwhile.
"""

import sqlalchemy as sa
from alembic import op

revision = '0004_fact_columns'
down_revision = '0002'
branch_labels = None
depends_on = None

FILL = """
SELECT procrastinate_defer_jobs_v1(ARRAY[
    ROW('default', 'events.fill_facts', 0, 'fill-facts', NULL, '{}', NULL)::procrastinate_job_to_defer_v1
]) WHERE EXISTS (SELECT FROM run_fact)
"""


def upgrade() -> None:
    op.add_column('run_fact', sa.Column('flow_version', sa.Integer(), nullable=True))
    instants = sa.ARRAY(sa.DateTime(timezone=True))
    op.add_column('run_fact', sa.Column('step_at', instants, server_default='{}', nullable=False))
    op.execute(FILL)


def downgrade() -> None:
    op.drop_column('run_fact', 'step_at')
    op.drop_column('run_fact', 'flow_version')
