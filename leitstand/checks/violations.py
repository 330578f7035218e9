"""Some of the rows that violate a rule, as they may be shown: keys, numbers and times, and nobody's words."""

import hashlib
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Connection, text

EXAMPLES = 5
# Texts of our own making. Others (a visitor's key, a title, an address) are shown as the beginning of their SHA-256,
# by which the row is found: WHERE encode(sha256(actor_key::bytea), 'hex') LIKE '…%'.
OWN_TEXTS = frozenset({"fact", "flow", "kind", "problem", "reference", "sequence", "service", "status"})
HASH_SHOWN = 12
PLAIN = (bool, int, float, Decimal, UUID, date, datetime, timedelta)


def shown(connection: Connection, query: str) -> list[dict[str, str]]:
    """The first rows that a query finds."""
    rows = connection.execute(text(f"SELECT * FROM ({query}) AS violations LIMIT {EXAMPLES}"))  # noqa: S608 - from our files
    return [{name: safe(name, value) for name, value in row.items()} for row in rows.mappings()]


def safe(name: str, value: object) -> str:
    """A value of a column as text that says nothing of anybody."""
    if value is None or isinstance(value, PLAIN) or name in OWN_TEXTS or _is_id(value):
        return str(value)
    if isinstance(value, list | tuple):
        return f"{len(value)} values"
    return f"sha256:{hashlib.sha256(str(value).encode()).hexdigest()[:HASH_SHOWN]}"


def _is_id(value: object) -> bool:
    """Great Expectations gives ids and times as text."""
    if not isinstance(value, str):
        return False
    for reads in (UUID, datetime.fromisoformat):
        try:
            reads(value)
        except ValueError:
            continue
        return True
    return False
