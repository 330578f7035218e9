"""Squawk over the SQL of new migrations: what would hold up a service that runs, found before it is released.

The SQL is what a real PostgreSQL was really told, since migrations ask the database and run functions of ours. Those up to
`RELEASED` came before anything ran that they could hold up. A migration may say `squawk_excludes = {"rule": "why"}`.
"""

import ast
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from psycopg import ClientCursor
from sqlalchemy import Engine, event

from leitstand.db import migrate
from leitstand.db.schema_history import VERSIONS, Migration, history, since
from leitstand.runbooks.migration_state import empty_database
from leitstand.settings import REPOSITORY

RELEASED = "0029_embeddings"
# What alembic and the lock of migrations say besides.
NOT_OURS = ("select", "with", "set ", "show", "update alembic_version", "insert into alembic_version")
CONFIGURATION = REPOSITORY / "deploy" / "squawk.toml"


def new_migrations() -> list[Migration]:
    """The migrations that are linted."""
    return since(history(REPOSITORY), RELEASED)


def write_sql(folder: Path, engine: Engine, revisions: list[str]) -> list[Path]:
    """Apply the revisions one by one; one file of statements for each, in order."""
    written = []
    for revision in revisions:
        with _said(engine) as statements:
            migrate.upgrade(engine, revision)
        path = folder / f"{revision}.sql"
        path.write_text("".join(f"{one.strip().rstrip(';')};\n\n" for one in statements))
        written.append(path)
    return written


@contextmanager
def _said(engine: Engine) -> Iterator[list[str]]:
    """What the database is told meanwhile, with the values in their places."""
    statements: list[str] = []

    def keep(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not statement.strip().lower().startswith(NOT_OURS):
            raw = connection.connection.driver_connection
            statements.append(ClientCursor(raw).mogrify(statement, parameters or None))

    event.listen(engine, "before_cursor_execute", keep)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", keep)


def squawk(path: Path, excluded: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """What squawk says of the SQL of one migration.

    Args:
        excluded: rules that are not asked, and why.
    """
    argv = [str(Path(sys.executable).parent / "squawk"), "--config", str(CONFIGURATION), "--reporter", "gcc"]
    # What is excluded on the command line stands in the place of what the file excludes.
    everywhere = tomllib.loads(CONFIGURATION.read_text())["excluded_rules"]
    argv += [f"--exclude={rule}" for rule in (*everywhere, *(excluded or {}))]
    return subprocess.run([*argv, str(path)], capture_output=True, text=True, check=False)


def excluded_of(source: str) -> dict[str, str]:
    """The rules that a migration excludes for itself, each with its reason."""
    for statement in ast.parse(source).body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if isinstance(target, ast.Name) and target.id == "squawk_excludes":
            return dict(ast.literal_eval(statement.value))  # type: ignore[attr-defined]
    return {}


def main() -> int:
    """Lint what is new; 0 when there is nothing to say."""
    names = [one.revision for one in new_migrations()]
    if not names:
        print(f"no migration came after {RELEASED}: none was linted")
        return 0
    excluded = {name: excluded_of((REPOSITORY / VERSIONS / f"{name}.py").read_text()) for name in names}
    with tempfile.TemporaryDirectory() as folder, empty_database(Path(folder)) as engine:
        migrate.upgrade(engine, RELEASED)
        done = [squawk(path, excluded.get(path.stem)) for path in write_sql(Path(folder), engine, names)]
    print("".join(one.stdout + one.stderr for one in done))
    return max(one.returncode for one in done)


if __name__ == "__main__":
    sys.exit(main())
