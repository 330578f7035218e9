"""Buckets that documents are taken from: where they are, and what was made of each of their objects."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from leitstand.db.models.base import Base, CreatedAt, Id, Said, WorkspaceId

EVERY = ("never", "hour", "day")
RUN_STATES = ("idle", "queued", "running")
OBJECT_STATES = ("waiting", "taken", "duplicate", "failed")


class S3Import(Base):
    """A bucket of somebody else's store and the space that its objects become documents of; the secret key is sealed."""

    __tablename__ = "s3_import"
    __table_args__ = (
        UniqueConstraint("workspace_id", "name"),
        CheckConstraint("every IN ('never', 'hour', 'day')", name="every"),
        CheckConstraint("run_state IN ('idle', 'queued', 'running')", name="run_state"),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    name: Mapped[str]
    endpoint: Mapped[str]
    region: Mapped[str]
    bucket: Mapped[str]
    prefix: Mapped[str] = mapped_column(server_default="")
    access_key: Mapped[str]
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    space_id: Mapped[UUID | None] = mapped_column(ForeignKey("item.id", ondelete="SET NULL"), index=True)
    every: Mapped[str] = mapped_column(server_default="never")
    checked_at: Mapped[datetime | None]
    check_problem: Mapped[Said]
    run_state: Mapped[str] = mapped_column(server_default="idle")
    run_problem: Mapped[Said]
    started_at: Mapped[datetime | None]
    progressed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    created_by: Mapped[str]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class S3ImportObject(Base):
    """One object of a bucket as it was last seen, and the document that it became.

    `added`: the document is there because of this object, and was no upload of somebody else's before.
    """

    __tablename__ = "s3_import_object"
    __table_args__ = (
        UniqueConstraint("import_id", "key"),
        CheckConstraint("status IN ('waiting', 'taken', 'duplicate', 'failed')", name="status"),
        Index("ix_s3_import_object_import_status", "import_id", "status", "key"),
        Index("ix_s3_import_object_workspace", "workspace_id"),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    import_id: Mapped[UUID] = mapped_column(ForeignKey("s3_import.id", ondelete="CASCADE"))
    key: Mapped[str]
    etag: Mapped[str]
    bytes: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(server_default="waiting")
    reason: Mapped[Said]
    document_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("document.id", ondelete="SET NULL"), index=True
    )
    added: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
