"""What the checks have to know of a database: its revision, tables, columns, keys and sequences."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

from leitstand.db import migrate

COLUMNS = text("""
    SELECT c.relname, a.attname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
      AND a.attnum > 0 AND NOT a.attisdropped
""")
TABLES = text("""
    SELECT relname FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
""")
KEYS = text("""
    SELECT c.relname, a.attname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
    WHERE i.indisprimary AND c.relnamespace = current_schema()::regnamespace AND NOT c.relispartition
    ORDER BY c.relname, array_position(i.indkey::int2[], a.attnum)
""")
SEQUENCES = text("""
    SELECT c.relname, a.attname, d.objid::regclass::text
    FROM pg_depend AS d JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
    JOIN pg_class AS c ON c.oid = d.refobjid JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
      AND c.relnamespace = current_schema()::regnamespace
""")


@dataclass(frozen=True)
class Database:
    """A database as the checks find it.

    Args:
        revision: of its schema; empty where it was never migrated.
        tables: those that hold rows, without partitions.
        columns: by table or view.
        keys: the columns of each table's primary key, in its order.
        sequences: the sequence of each column that has one, by table.
    """

    revision: str
    tables: frozenset[str]
    columns: Mapping[str, frozenset[str]]
    keys: Mapping[str, tuple[str, ...]]
    sequences: Mapping[str, Mapping[str, str]]

    @property
    def is_older(self) -> bool:
        """Whether it is of an earlier revision than this code: then it need not have everything."""
        return self.revision != migrate.head()


def look_at(connection: Connection) -> Database:
    """Read it from the catalogue."""
    columns: dict[str, set[str]] = defaultdict(set)
    for table, column in connection.execute(COLUMNS):
        columns[table].add(column)
    keys: dict[str, list[str]] = defaultdict(list)
    for table, column in connection.execute(KEYS):
        keys[table].append(column)
    sequences: dict[str, dict[str, str]] = defaultdict(dict)
    for table, column, sequence in connection.execute(SEQUENCES):
        sequences[table][column] = sequence
    return Database(
        migrate.current(connection.engine),
        frozenset(connection.scalars(TABLES)),
        {table: frozenset(found) for table, found in columns.items()},
        {table: tuple(found) for table, found in keys.items()},
        sequences,
    )
