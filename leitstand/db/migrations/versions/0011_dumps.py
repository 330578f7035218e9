"""Backups of the kind `dump`."""

from alembic import op

revision = '0011_dumps'
down_revision = '0009_backup_retention'
branch_labels = None
depends_on = None

KIND = 'ck_backup_kind'


def upgrade() -> None:
    op.drop_constraint(op.f(KIND), 'backup', type_='check')
    op.create_check_constraint(op.f(KIND), 'backup', "kind IN ('postgres', 'objects', 'secrets', 'dump')")


def downgrade() -> None:
    op.execute("DELETE FROM backup WHERE kind = 'dump'")
    op.drop_constraint(op.f(KIND), 'backup', type_='check')
    op.create_check_constraint(op.f(KIND), 'backup', "kind IN ('postgres', 'objects', 'secrets')")
