"""Which transactions changed something of a space's passages, so that what a question found can be kept until then."""

import sqlalchemy as sa
from alembic import op

from leitstand.db import row_security
from leitstand.db.models.fact_copy import TransactionId

revision = '0030_passage_changes'
down_revision = '0029_embeddings'
branch_labels = None
depends_on = None
compatible = 'The triggers only write into a new table, which the earlier release does not read; it writes passages as before.'

NOTE = 'INSERT INTO passage_change (space_id, workspace_id)'
# Titles and languages are a part of what is found; the rest of a document, such as its status, is not.
FUNCTIONS = f"""
CREATE FUNCTION note_passage_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        {NOTE} SELECT DISTINCT space_id, workspace_id FROM before ON CONFLICT DO NOTHING;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        {NOTE} SELECT DISTINCT space_id, workspace_id FROM afterwards ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION note_document_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {NOTE}
        SELECT DISTINCT place.space_id, afterwards.workspace_id
        FROM before JOIN afterwards USING (id), unnest(ARRAY[before.space_id, afterwards.space_id]) AS place(space_id)
        WHERE (before.title, before.space_id, before.language, before.passages, before.characters)
            IS DISTINCT FROM (afterwards.title, afterwards.space_id, afterwards.language, afterwards.passages, afterwards.characters)
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
"""
WRITES = (
    ('INSERT', 'REFERENCING NEW TABLE AS afterwards'),
    ('UPDATE', 'REFERENCING OLD TABLE AS before NEW TABLE AS afterwards'),
    ('DELETE', 'REFERENCING OLD TABLE AS before'),
)


def upgrade() -> None:
    op.create_table('passage_change',
    sa.Column('space_id', sa.Uuid(), nullable=False),
    sa.Column('changed', TransactionId(), server_default=sa.text('pg_current_xact_id()'), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.PrimaryKeyConstraint('space_id', 'changed', name=op.f('pk_passage_change'))
    )
    op.execute(FUNCTIONS)
    for table in ('chunk', 'embedding'):
        for write, tables in WRITES:
            _trigger(table, write, tables, 'note_passage_changes')
    _trigger('document', *WRITES[1], 'note_document_changes')
    row_security.build(op.get_bind(), 'passage_change')


def _trigger(table: str, write: str, tables: str, function: str) -> None:
    op.execute(
        f'CREATE TRIGGER note_{write.lower()} AFTER {write} ON {table} {tables} FOR EACH STATEMENT EXECUTE FUNCTION {function}()'
    )


def downgrade() -> None:
    op.execute('DROP TRIGGER note_update ON document')
    for table in ('embedding', 'chunk'):
        for write, _ in WRITES:
            op.execute(f'DROP TRIGGER note_{write.lower()} ON {table}')
    op.execute('DROP FUNCTION note_document_changes(), note_passage_changes()')
    op.drop_table('passage_change')
