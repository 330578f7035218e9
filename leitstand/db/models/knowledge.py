"""Documents of a space and the passages they are cut into."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Computed, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from leitstand.db.models.base import Base, CreatedAt, Id, WorkspaceId


class Document(Base):
    """A file of a space; the same content stands in a space once.

    `passages` and `characters` are sums over its chunks: what ranking needs to know about a space's size.
    """

    __tablename__ = "document"
    __table_args__ = (
        CheckConstraint("status IN ('uploaded', 'parsing', 'indexing', 'ready', 'failed')", name="status"),
        UniqueConstraint("space_id", "sha256"),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    space_id: Mapped[UUID] = mapped_column(ForeignKey("item.id", ondelete="CASCADE"))
    title: Mapped[str]
    object_key: Mapped[str]
    media_type: Mapped[str]
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="uploaded")
    reason: Mapped[str] = mapped_column(server_default="")
    passages: Mapped[int] = mapped_column(server_default="0")
    characters: Mapped[int] = mapped_column(BigInteger, server_default="0")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Chunk(Base):
    """A passage of a document; `heading` is where it stands: the document's title and the headings above it."""

    __tablename__ = "chunk"
    __table_args__ = (Index("ix_chunk_words", "words", postgresql_using="gin"),)

    document_id: Mapped[UUID] = mapped_column(ForeignKey("document.id", ondelete="CASCADE"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    workspace_id: Mapped[WorkspaceId] = mapped_column(index=True)
    heading: Mapped[str] = mapped_column(server_default="")
    content: Mapped[str]
    length: Mapped[int] = mapped_column(Computed("char_length(content)", persisted=True))
    words: Mapped[str] = mapped_column(
        TSVECTOR, Computed("to_tsvector('english', heading || ' ' || content)", persisted=True)
    )
