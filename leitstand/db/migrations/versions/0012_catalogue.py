"""Versions and references of items, grants, groups, roles of a workspace, invitations; language and zone of a person."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0012_catalogue'
down_revision = '0011_dumps'
branch_labels = None
depends_on = None

NOW = sa.text('now()')


def upgrade() -> None:
    # With a constant default PostgreSQL adds a column without rewriting the table.
    op.add_column('item', sa.Column('icon', sa.Text(), server_default='', nullable=False))
    op.add_column('item', sa.Column('version', sa.Integer(), server_default='0', nullable=False))
    op.add_column('person', sa.Column('language', sa.Text(), server_default='', nullable=False))
    op.add_column('person', sa.Column('zone', sa.Text(), server_default='', nullable=False))
    op.add_column('membership', sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True))
    people()
    items()


def people() -> None:
    op.create_table('workspace_role',
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), server_default='', nullable=False),
    sa.Column('permissions', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=NOW, nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=NOW, nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_workspace_role_workspace_id_workspace'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('workspace_id', 'name', name=op.f('pk_workspace_role'))
    )
    op.create_table('people_group',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), server_default='', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=NOW, nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=NOW, nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_people_group_workspace_id_workspace'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_people_group')),
    sa.UniqueConstraint('workspace_id', 'id', name=op.f('uq_people_group_workspace_id_id'))
    )
    op.create_index('uq_people_group_name', 'people_group', ['workspace_id', sa.literal_column('lower(name)')], unique=True)
    op.create_table('group_member',
    sa.Column('group_id', sa.Uuid(), nullable=False),
    sa.Column('person_id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('added_by', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=NOW, nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id', 'group_id'], ['people_group.workspace_id', 'people_group.id'], name=op.f('fk_group_member_workspace_id_people_group'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['workspace_id', 'person_id'], ['membership.workspace_id', 'membership.person_id'], name=op.f('fk_group_member_workspace_id_membership'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['added_by'], ['person.id'], name=op.f('fk_group_member_added_by_person'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('group_id', 'person_id', name=op.f('pk_group_member'))
    )
    op.create_index('ix_group_member_person', 'group_member', ['person_id', 'workspace_id'])
    op.create_table('invitation',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('email', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), server_default='', nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('group_ids', postgresql.ARRAY(sa.Uuid()), server_default='{}', nullable=False),
    sa.Column('token_hash', sa.LargeBinary(), nullable=False),
    sa.Column('invited_by', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=NOW, nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('member_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('accepted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_invitation_workspace_id_workspace'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['invited_by'], ['person.id'], name=op.f('fk_invitation_invited_by_person'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_invitation')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_invitation_token_hash'))
    )
    still_open = sa.text('accepted_at IS NULL AND revoked_at IS NULL')
    op.create_index('uq_invitation_open', 'invitation', ['workspace_id', sa.literal_column('lower(email)')], unique=True, postgresql_where=still_open)


def items() -> None:
    op.create_table('item_version',
    sa.Column('item_id', sa.Uuid(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('tags', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('icon', sa.Text(), nullable=False),
    sa.Column('content', postgresql.JSONB(), nullable=False),
    sa.Column('note', sa.Text(), server_default='', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=NOW, nullable=False),
    sa.Column('created_by', sa.Uuid(), nullable=True),
    sa.ForeignKeyConstraint(['item_id'], ['item.id'], name=op.f('fk_item_version_item_id_item'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['created_by'], ['person.id'], name=op.f('fk_item_version_created_by_person'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('item_id', 'number', name=op.f('pk_item_version'))
    )
    op.create_table('item_reference',
    sa.Column('from_id', sa.Uuid(), nullable=False),
    sa.Column('to_id', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['from_id'], ['item.id'], name=op.f('fk_item_reference_from_id_item'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['to_id'], ['item.id'], name=op.f('fk_item_reference_to_id_item'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('from_id', 'to_id', name=op.f('pk_item_reference'))
    )
    op.create_index(op.f('ix_item_reference_to_id'), 'item_reference', ['to_id'])
    op.create_table('item_grant',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('item_id', sa.Uuid(), nullable=False),
    sa.Column('person_id', sa.Uuid(), nullable=True),
    sa.Column('group_id', sa.Uuid(), nullable=True),
    sa.Column('level', sa.Text(), server_default='read', nullable=False),
    sa.Column('granted_by', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=NOW, nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('num_nonnulls(person_id, group_id) = 1', name=op.f('ck_item_grant_to_one')),
    sa.CheckConstraint("level IN ('read', 'write')", name=op.f('ck_item_grant_level')),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_item_grant_workspace_id_workspace'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['item_id'], ['item.id'], name=op.f('fk_item_grant_item_id_item'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_item_grant_person_id_person'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['group_id'], ['people_group.id'], name=op.f('fk_item_grant_group_id_people_group'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['granted_by'], ['person.id'], name=op.f('fk_item_grant_granted_by_person'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_item_grant'))
    )
    op.create_index('uq_item_grant_person', 'item_grant', ['item_id', 'person_id'], unique=True, postgresql_where=sa.text('person_id IS NOT NULL'))
    op.create_index('uq_item_grant_group', 'item_grant', ['item_id', 'group_id'], unique=True, postgresql_where=sa.text('group_id IS NOT NULL'))
    op.create_index('ix_item_grant_person', 'item_grant', ['person_id', 'workspace_id'])
    op.create_index('ix_item_grant_group', 'item_grant', ['group_id'])


def downgrade() -> None:
    for table in ('item_grant', 'item_reference', 'item_version', 'invitation', 'group_member', 'people_group', 'workspace_role'):
        op.drop_table(table)
    op.drop_column('membership', 'expires_at')
    op.drop_column('person', 'zone')
    op.drop_column('person', 'language')
    op.drop_column('item', 'version')
    op.drop_column('item', 'icon')
