"""Documents of a space and the passages they are cut into."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Computed, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from leitstand.db.models.base import Base, CreatedAt, Id, WorkspaceId


class Document(Base):
    """A file of a space; the same content stands in a space once.

    `language` names the text-search configuration that its words are stemmed with. `passages` and `characters` are
    sums over its chunks: what ranking needs to know about a space's size.
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
    language: Mapped[str] = mapped_column(server_default="simple")
    passages: Mapped[int] = mapped_column(server_default="0")
    characters: Mapped[int] = mapped_column(BigInteger, server_default="0")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Chunk(Base):
    """A passage of a document; `heading` is where it stands: the document's title and the headings above it.

    `words` are the stems of heading and content in the document's language. They are written with the row: a
    generated column would need a column of type regconfig, with which a cluster can't be upgraded in place. Space
    and language repeat the document's, so that ranking filters without a join.
    """

    __tablename__ = "chunk"
    __table_args__ = (Index("ix_chunk_words", "words", postgresql_using="gin"),)

    document_id: Mapped[UUID] = mapped_column(ForeignKey("document.id", ondelete="CASCADE"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    workspace_id: Mapped[WorkspaceId] = mapped_column(index=True)
    space_id: Mapped[UUID]
    language: Mapped[str]
    heading: Mapped[str] = mapped_column(server_default="")
    content: Mapped[str]
    length: Mapped[int] = mapped_column(Computed("char_length(content)", persisted=True))
    words: Mapped[str] = mapped_column(TSVECTOR)
