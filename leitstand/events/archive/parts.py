"""The objects of the archive, as the database knows them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import class_row
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import EventArchive, Workspace
from leitstand.settings import Settings, get_settings
from leitstand.storage import nearby
from leitstand.storage.store import store_of

PREFIX = "events/"
# What one machine keeps of objects that it has read.
MOST_BYTES = 1_000_000_000
COLUMNS = "key, workspace_id, month, rows, bytes, sha256, content_hash, first_at, last_at, companions, days"
OF_MONTHS = (
    f"SELECT {COLUMNS} FROM event_archive WHERE workspace_id = %s AND month = ANY(%s) AND restored_at IS NULL"  # noqa: S608
    " ORDER BY month, archived_at, key"
)
OF_MONTH = (
    f"SELECT {COLUMNS} FROM event_archive WHERE month = %s AND workspace_id = coalesce(%s, workspace_id)"  # noqa: S608
    " AND restored_at IS NULL ORDER BY workspace_id, archived_at, key"
)
OF_LOG = (
    f"SELECT {COLUMNS} FROM event_archive WHERE workspace_id = %s AND restored_at IS NULL"  # noqa: S608
    " AND companions && ARRAY(SELECT item_id FROM companion WHERE coalesce(log_id, item_id) = %s)"
    " ORDER BY month, archived_at, key"
)


@dataclass(frozen=True)
class ArchivePart:
    """One object of the archive.

    Args:
        month: its first day; of the events' ids.
        content_hash: of the rows, as `contents.summaries` computes it.
        first_at, last_at: when the first and the last of its events occurred.
        days: the UTC days on which they occurred.
    """

    key: str
    workspace_id: UUID
    month: date
    rows: int
    bytes: int
    sha256: str
    content_hash: str
    first_at: datetime
    last_at: datetime
    companions: list[UUID]
    days: list[date]


def of_months(cursor: Cursor[Any], workspace_id: UUID, months: Collection[date]) -> list[ArchivePart]:
    """What of a workspace's months is archived."""
    return _parts(cursor, OF_MONTHS, [workspace_id, list(months)])


def of_month(cursor: Cursor[Any], month: date, workspace_id: UUID | None) -> list[ArchivePart]:
    """What of a month is archived, of one workspace or of all."""
    return _parts(cursor, OF_MONTH, [month, workspace_id])


def of_log(cursor: Cursor[Any], workspace_id: UUID, log_id: UUID) -> list[ArchivePart]:
    """What of the archive holds events of a log's companions."""
    return _parts(cursor, OF_LOG, [workspace_id, log_id])


def _parts(cursor: Cursor[Any], query: str, values: list[Any]) -> list[ArchivePart]:
    with cursor.connection.cursor(row_factory=class_row(ArchivePart)) as own:
        return own.execute(query.encode(), values).fetchall()


@dataclass(frozen=True)
class Listed:
    """One object of the archive, for people."""

    workspace: str
    month: date
    rows: int
    bytes: int
    key: str
    sha256: str
    archived_at: datetime
    restored_at: datetime | None

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        restored = self.restored_at.isoformat() if self.restored_at else None
        return {
            "workspace": self.workspace, "month": f"{self.month:%Y-%m}", "rows": self.rows, "bytes": self.bytes,
            "key": self.key, "sha256": self.sha256, "archived_at": self.archived_at.isoformat(),
            "restored_at": restored,
        }  # fmt: skip


def list_parts(session: Session, *, workspace_id: UUID | None = None) -> list[Listed]:
    """Every object that was ever archived, by month and workspace; those that were restored say so."""
    wanted = (
        select(
            Workspace.slug, EventArchive.month, EventArchive.rows, EventArchive.bytes, EventArchive.key,
            EventArchive.sha256, EventArchive.archived_at, EventArchive.restored_at,
        )
        .join(Workspace, Workspace.id == EventArchive.workspace_id)
        .order_by(EventArchive.month, Workspace.slug, EventArchive.archived_at, EventArchive.key)
    )  # fmt: skip
    if workspace_id is not None:
        wanted = wanted.where(EventArchive.workspace_id == workspace_id)
    return [Listed(*row) for row in session.execute(wanted).tuples()]


def file_of(part: ArchivePart, settings: Settings | None = None) -> Path:
    """The object as a file of this machine, whose content was checked when it was fetched.

    Raises:
        Unavailable, NotFound, IntegrityFailed: see `ObjectStorage`.
    """
    settings = settings or get_settings()
    return nearby.fetch(store_of(settings), settings.bucket_media, folder_of(settings), part, most=MOST_BYTES)


def folder_of(settings: Settings) -> Path:
    """Where these files lie; made when it is missing."""
    folder = settings.data_dir / "events" / "archive"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
