"""Indexes for lists of items in every order, by owner and by tag."""

import sqlalchemy as sa
from alembic import op

revision = '0015_items'
down_revision = '0014_people'
branch_labels = None
depends_on = None

LIVE = sa.text('deleted_at IS NULL')
INDEXES: dict[str, list[str | sa.TextClause]] = {
    'ix_item_title': ['workspace_id', 'kind', sa.text('lower(title)'), 'id'],
    'ix_item_title_all': ['workspace_id', sa.text('lower(title)'), 'id'],
    'ix_item_created': ['workspace_id', 'kind', sa.text('created_at DESC'), sa.text('id DESC')],
    'ix_item_created_all': ['workspace_id', sa.text('created_at DESC'), sa.text('id DESC')],
    'ix_item_owner': ['owner_id', 'kind', sa.text('updated_at DESC'), sa.text('id DESC')],
}


def upgrade() -> None:
    for name, columns in INDEXES.items():
        op.create_index(name, 'item', columns, postgresql_where=LIVE)
    op.create_index('ix_item_tags', 'item', ['tags'], postgresql_using='gin', postgresql_where=LIVE)


def downgrade() -> None:
    for name in ('ix_item_tags', *INDEXES):
        op.drop_index(name, 'item')
