"""Which events are in the archive."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Date, Index, Uuid, func, text
from sqlalchemy.orm import Mapped, mapped_column

from leitstand.db.models.base import Base, WorkspaceId


class EventArchive(Base):
    """One object of the archive: events of a workspace's month that are no longer in the table.

    A month has several where late events came after it was archived; an event is in one of them, or in the table. `rows`
    and `content_hash` are what the table had. `companions` and `days` (UTC) are those of its events. One that was
    restored is history: its events are in the table again.
    """

    __tablename__ = "event_archive"
    __table_args__ = (
        Index(
            "ix_event_archive_month", "workspace_id", "month", postgresql_where=text("restored_at IS NULL")
        ),
    )

    key: Mapped[str] = mapped_column(primary_key=True)
    workspace_id: Mapped[WorkspaceId]
    month: Mapped[date]
    rows: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    content_hash: Mapped[str]
    schema_version: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    companions: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    days: Mapped[list[date]] = mapped_column(ARRAY(Date))
    archived_at: Mapped[datetime] = mapped_column(server_default=func.now())
    restored_at: Mapped[datetime | None]
