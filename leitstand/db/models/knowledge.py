"""Documents of a space, the uploads that become documents, and the passages they are cut into."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from leitstand.db.models.base import Base, CreatedAt, Id, Said, WorkspaceId
from leitstand.db.models.fact_copy import TransactionId
from leitstand.db.vectors import HalfVector

STATUSES = ("uploaded", "scanning", "infected", "parsing", "indexing", "ready", "failed")
UPLOAD_STATUSES = ("open", "complete", "refused")


class Document(Base):
    """A file of a space; the same content stands in a space once, beside what is in its trash.

    `scanned_at` is when a virus scanner found nothing in it. One in the trash has no passages: they are read anew when
    it is taken out. `language` names the text-search configuration that its words are stemmed with. `passages` and `characters` are
    sums over its chunks: what ranking needs to know about a space's size.
    """

    __tablename__ = "document"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        Index(
            "uq_document_space_id_sha256",
            "space_id",
            "sha256",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_document_space_created", "space_id", text("created_at DESC"), text("id DESC")),
        Index("ix_document_space_title", "space_id", func.lower(text("title")), "id"),
        Index("ix_document_deleted", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
        Index(
            "ix_document_found",
            "workspace_id",
            "title",
            postgresql_using="gin",
            postgresql_ops={"title": "gin_trgm_ops"},
        ),
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
    reason: Mapped[Said]
    language: Mapped[str] = mapped_column(server_default="simple")
    passages: Mapped[int] = mapped_column(server_default="0")
    characters: Mapped[int] = mapped_column(BigInteger, server_default="0")
    added_by: Mapped[UUID | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"))
    scanned_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class Upload(Base):
    """A file on its way into a space, in pieces; its id is that of the document that it becomes.

    `received` bytes are in the store as `parts` ({number, etag, bytes}) of its multipart upload `store_id`: so much is
    never sent again. `sha256` is what was declared, empty where nothing was.
    """

    __tablename__ = "upload"
    __table_args__ = (
        CheckConstraint(f"status IN {UPLOAD_STATUSES}", name="status"),
        CheckConstraint("bytes > 0 AND received BETWEEN 0 AND bytes", name="received"),
        Index("ix_upload_space", "space_id"),
        Index("ix_upload_open", "workspace_id", postgresql_where=text("status = 'open'")),
        Index("ix_upload_expires", "expires_at"),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    space_id: Mapped[UUID] = mapped_column(ForeignKey("item.id", ondelete="CASCADE"))
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"))
    title: Mapped[str]
    media_type: Mapped[str]
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(server_default="")
    received: Mapped[int] = mapped_column(BigInteger, server_default="0")
    object_key: Mapped[str]
    store_id: Mapped[str] = mapped_column(server_default="")
    parts: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    status: Mapped[str] = mapped_column(server_default="open")
    reason: Mapped[Said]
    document_id: Mapped[UUID | None] = mapped_column(ForeignKey("document.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]


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


class Embedding(Base):
    """A passage as a vector of length 1, by which it is found in meaning; it goes with its passage.

    `model` says which one made it: vectors of several are never compared. Where PostgreSQL has no pgvector the column
    `vector` is of another type, and there is no row.
    """

    __tablename__ = "embedding"
    __table_args__ = (
        ForeignKeyConstraint(
            ["document_id", "ordinal"], ["chunk.document_id", "chunk.ordinal"], ondelete="CASCADE"
        ),
        Index("ix_embedding_space", "space_id", "model"),
    )

    document_id: Mapped[UUID] = mapped_column(primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    workspace_id: Mapped[WorkspaceId] = mapped_column(index=True)
    space_id: Mapped[UUID]
    model: Mapped[str]
    vector: Mapped[str] = mapped_column(HalfVector)


class PassageChange(Base):
    """A space of whose passages a transaction changed something: words, vectors, titles; written by triggers.

    Of each space the newest is all that is ever asked for. No key to the space: that it went is a change too.
    """

    __tablename__ = "passage_change"

    space_id: Mapped[UUID] = mapped_column(primary_key=True)
    changed: Mapped[int] = mapped_column(
        TransactionId(), primary_key=True, server_default=text("pg_current_xact_id()"), autoincrement=False
    )
    workspace_id: Mapped[UUID]
