"""Titles are looked up within their workspace: by what they contain, and by what resembles it."""

from alembic import op

revision = '0019_search'
down_revision = '0018_integrations'
branch_labels = None
depends_on = None

FOUND = 'USING gin (workspace_id, title gin_trgm_ops)'


def upgrade() -> None:
    # A trusted extension: the owner of the database may make it.
    op.execute('CREATE EXTENSION IF NOT EXISTS btree_gin')
    op.execute(f'CREATE INDEX ix_item_found ON item {FOUND} WHERE deleted_at IS NULL')
    op.execute(f'CREATE INDEX ix_document_found ON document {FOUND}')
    op.execute('DROP INDEX ix_item_title_trgm')


def downgrade() -> None:
    op.execute('CREATE INDEX ix_item_title_trgm ON item USING gin (title gin_trgm_ops)')
    op.execute('DROP INDEX ix_document_found')
    op.execute('DROP INDEX ix_item_found')
