"""What migrations do, told from their files: whether an earlier release can run on what they leave."""

from pathlib import Path

import pytest

from leitstand.db import migrate
from leitstand.db.schema_history import VERSIONS, history, since
from leitstand.errors import NotFound
from leitstand.settings import REPOSITORY

FILE = '''"""A title."""
revision = {revision!r}
down_revision = {down!r}

def upgrade() -> None:
    {body}

def downgrade() -> None:
    op.drop_table('everything')
'''


def checkout(folder: Path, *bodies: str) -> Path:
    versions = folder / VERSIONS
    versions.mkdir(parents=True)
    for number, body in enumerate(bodies):
        down = f"r{number - 1}" if number else None
        (versions / f"{9 - number}.py").write_text(FILE.format(revision=f"r{number}", down=down, body=body))
    return folder


def test_this_repositorys_history_ends_where_alembics_does() -> None:
    known = history(REPOSITORY)
    assert known[-1].revision == migrate.head() and known[0].down_revision == ""
    assert all(migrate.knows(one.revision) for one in known)
    assert not migrate.knows("9999_newer") and migrate.knows("")


@pytest.mark.parametrize(
    "body",
    [
        "'only words'",
        "op.create_table('a', sa.Column('id', sa.Uuid(), nullable=False))",
        "op.add_column('a', sa.Column('b', sa.Text(), nullable=True))",
        "op.add_column('a', sa.Column('b', sa.Text(), server_default='', nullable=False))",
        "op.create_index('ix', 'a', ['b'], unique=False)",
        "op.create_table('a', sa.Column('id', sa.Uuid()))\n    op.create_index('uq', 'a', ['b'], unique=True)",
        "op.create_table('a', sa.Column('id', sa.Uuid()))\n    row_security.build(op.get_bind(), 'a')",
    ],
)
def test_an_addition_is_one(tmp_path: Path, body: str) -> None:
    assert history(checkout(tmp_path, body))[0].narrows == ()


@pytest.mark.parametrize(
    "body",
    [
        "op.drop_column('a', 'b')",
        "op.alter_column('a', 'b', new_column_name='c')",
        "op.add_column('a', sa.Column('b', sa.Text(), nullable=False))",
        "op.create_index('uq', 'a', ['b'], unique=True)",
        "op.create_check_constraint('ck', 'a', 'b > 0')",
        "op.execute('DROP TABLE a')",
        "for table in TABLES:\n        op.create_table(table)",
        "op.create_table('c', sa.Column('id', sa.Uuid()))\n    op.create_index('uq', 'a', ['b'], unique=True)",
        "other.create_table('a')",
        "row_security.build(op.get_bind(), 'a')",
    ],
)
def test_anything_else_is_named_for_a_person_to_read(tmp_path: Path, body: str) -> None:
    narrows = history(checkout(tmp_path, body))[0].narrows
    assert len(narrows) == 1 and narrows[0][:10] in body.replace("\n    ", "\n")[-len(narrows[0]) - 200 :]


def test_who_has_read_a_narrowing_says_why_an_earlier_release_goes_on(tmp_path: Path) -> None:
    read = "op.execute('UPDATE a SET b = 1')\n\ncompatible = 'it only fills what nobody reads yet'"
    known = history(checkout(tmp_path, "'a'", read, "op.drop_column('a', 'b')"))
    assert [one.contracts for one in known] == [False, False, True]
    assert known[1].narrows and known[1].compatible == "it only fills what nobody reads yet"


def test_the_migrations_after_a_revision(tmp_path: Path) -> None:
    known = history(checkout(tmp_path, "'a'", "'b'", "op.drop_table('x')"))
    assert [one.revision for one in since(known, "r0")] == ["r1", "r2"]
    assert since(known, "r2") == []
    assert since(known, "unknown") == known, "nothing is known of what lies between"


def test_a_folder_without_a_chain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        history(tmp_path)
    broken = checkout(tmp_path / "broken", "'a'", "'b'", "'c'")
    (broken / VERSIONS / "8.py").unlink()
    with pytest.raises(NotFound):
        history(broken)
