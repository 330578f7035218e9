"""Row-level security: requests see the rows of their workspace alone, whatever they ask.

The rules are a list, not history (`leitstand.db.row_rules`): this migration puts it on the tables that are there, and one
that makes a table does so for its own. Each table by itself, so that nobody waits for all of them.
"""

from alembic import op

from leitstand.db import row_security

revision = '0023_row_security'
down_revision = '0022_conversations'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        row_security.build(op.get_bind())


def downgrade() -> None:
    with op.get_context().autocommit_block():
        row_security.take_down(op.get_bind())
