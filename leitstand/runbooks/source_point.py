"""Where the live database stood when a drill began: what a restore at that instant would have to bring back."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from leitstand.backups import wal

LOOKED_BACK = 10_000
POSITION = """
    SELECT clock_timestamp(), pg_current_wal_insert_lsn()::text, pg_snapshot_xmax(pg_current_snapshot())::text::bigint
"""
# Ids that were given away and rolled back, or are still at work, are no loss.
COMMITTED = """
    SELECT id FROM generate_series(greatest(3, :next - :back), :next - 1) AS id
    WHERE pg_xact_status(id::text::xid8) = 'committed'
"""


@dataclass(frozen=True)
class Point:
    """A state of a database.

    Args:
        at: time on its own clock.
        lsn: end of its log.
        next_transaction: one more than the newest transaction that has ended.
        committed: those of the newest 10,000 transactions that were committed.
    """

    at: datetime
    lsn: str
    next_transaction: int
    committed: frozenset[int] = field(default=frozenset(), repr=False)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "at": self.at.isoformat(),
            "lsn": self.lsn,
            "next_transaction": self.next_transaction,
            "committed": sorted(self.committed),
        }

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Point":
        """From JSON values."""
        return cls(
            datetime.fromisoformat(values["at"]),
            values["lsn"],
            int(values["next_transaction"]),
            frozenset(values["committed"]),
        )


def measure(engine: Engine) -> Point:
    """Where the database stands now."""
    with engine.connect() as connection:
        return measure_on(connection)


def measure_on(connection: Connection) -> Point:
    """Where the database of this connection stands now."""
    at, lsn, following = connection.execute(text(POSITION)).one()
    committed = connection.scalars(text(COMMITTED), {"next": following, "back": LOOKED_BACK})
    return Point(at, lsn, following, frozenset(committed))


def lost(source: Point, restored: Point) -> int:
    """How many transactions were committed at the source and are not in the restored database.

    Counted one by one, because an id that the log has seen may belong to a transaction whose commit it has not.
    """
    oldest = restored.next_transaction - LOOKED_BACK
    return len({number for number in source.committed if number >= oldest} - restored.committed)


def rpo_seconds(source: Point, missing: int, recovered_at: datetime) -> float:
    """Seconds of work that would be lost if the source had gone at `source.at`.

    Args:
        missing: transactions that were lost; nothing is lost when there is none.
        recovered_at: time of the newest commit that was recovered; everything after it may be lost.
    """
    return max(0.0, (source.at - recovered_at).total_seconds()) if missing else 0.0


def bytes_behind(source: Point, restored_lsn: str) -> int:
    """Bytes of log that the source had and the restored one has not."""
    return max(0, wal.lsn_number(source.lsn) - wal.lsn_number(restored_lsn))
