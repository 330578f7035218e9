"""The audit log only grows, and is found by who, what and on what.

Where a person's account is deleted their name must go from it: a transaction that says so may rewrite rows.
"""

from alembic import op

revision = '0016_audit'
down_revision = '0015_items'
branch_labels = None
depends_on = None

REFUSE = """
CREATE FUNCTION refuse_audit_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('leitstand.audit_rewrite', true) = 'on' AND TG_OP = 'UPDATE' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the audit log only grows' USING ERRCODE = 'restrict_violation';
END $$
"""
FOUND_BY = {
    'ix_audit_entry_actor': 'workspace_id, lower(actor) text_pattern_ops, at',
    'ix_audit_entry_action': 'workspace_id, action text_pattern_ops, at',
    'ix_audit_entry_target': 'workspace_id, target text_pattern_ops, at',
}


def upgrade() -> None:
    op.execute(REFUSE)
    op.execute("CREATE TRIGGER audit_entry_rows BEFORE UPDATE OR DELETE ON audit_entry FOR EACH ROW EXECUTE FUNCTION refuse_audit_changes()")
    op.execute("CREATE TRIGGER audit_entry_whole BEFORE TRUNCATE ON audit_entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_changes()")
    for name, columns in FOUND_BY.items():
        op.execute(f'CREATE INDEX {name} ON audit_entry ({columns})')
    op.execute("CREATE INDEX ix_audit_entry_request ON audit_entry (workspace_id, request_id) WHERE request_id <> ''")


def downgrade() -> None:
    for name in (*FOUND_BY, 'ix_audit_entry_request'):
        op.execute(f'DROP INDEX {name}')
    op.execute('DROP TRIGGER audit_entry_whole ON audit_entry')
    op.execute('DROP TRIGGER audit_entry_rows ON audit_entry')
    op.execute('DROP FUNCTION refuse_audit_changes()')
