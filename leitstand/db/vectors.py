"""Vectors in PostgreSQL, by its extension pgvector.

Only a superuser makes the extension, so that a server of one's own may lack it. Then the table is there without what
the extension gives, nothing is written to it, and whoever searches does so by words; `build` puts it right when the
extension has come.
"""

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.types import UserDefinedType

TABLE, COLUMN = "embedding", "vector"
# The oldest pgvector whose index goes on looking when a filter has left too few.
LEAST_VERSION = (0, 8)
# The lengths of vectors that are found by an index; those of other lengths are compared one by one.
INDEXED = (512, 768, 1024, 1536, 3072)
INDEXES = "ix_embedding_nearest_"
EXTENSION = text("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
TYPE = text("""
    SELECT format_type(atttypid, NULL) FROM pg_attribute
    WHERE attrelid = to_regclass('embedding') AND attname = 'vector'
""")


class HalfVector(UserDefinedType[str]):
    """A vector of numbers of half precision, of any length, as text: [0.1,0.2]."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type's name."""
        return "halfvec"


# So that SQLAlchemy knows it where it reads the schema of a database.
ischema_names["halfvec"] = HalfVector


def installed(bind: Connection) -> bool:
    """Whether the database has pgvector in a version that will do."""
    version = bind.scalar(EXTENSION)
    return version is not None and tuple(map(int, str(version).split(".")[:2])) >= LEAST_VERSION


def usable(bind: Connection) -> bool:
    """Whether vectors can be kept."""
    return bool(bind.scalar(TYPE) == "halfvec")


def build(bind: Connection) -> bool:
    """Give the table its column and indexes where the extension is there; whether vectors can be kept now.

    What is right already is not touched. The vectors have length 1, so that the inner product is the cosine. An index
    without rows costs nothing.
    """
    if usable(bind):
        return True
    if not installed(bind):
        return False
    bind.execute(text(f"TRUNCATE {TABLE}"))
    bind.execute(text(f"ALTER TABLE {TABLE} ALTER COLUMN {COLUMN} TYPE halfvec USING NULL::halfvec"))
    for dimensions in INDEXED:
        index(bind, dimensions)
    return True


def index(bind: Connection, dimensions: int) -> None:
    """Make the index of vectors of a length."""
    bind.execute(
        text(
            f"CREATE INDEX {INDEXES}{dimensions} ON {TABLE}"
            f" USING hnsw (({COLUMN}::halfvec({dimensions})) halfvec_ip_ops)"
            f" WHERE vector_dims({COLUMN}) = {dimensions}"
        )
    )
