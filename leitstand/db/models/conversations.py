"""What people said with companions and the assistant. A conversation is an item; this is what is its own."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from leitstand.db.models.base import Base, CreatedAt, Id, WorkspaceId


class Conversation(Base):
    """With whom: the assistant, or a companion, whose run `run_id` names; `space_id` is what alone is asked (NULL: all)."""

    __tablename__ = "conversation"
    __table_args__ = (
        CheckConstraint("partner IN ('assistant', 'companion')", name="partner"),
        Index("ix_conversation_companion", "companion_id"),
        Index("uq_conversation_run", "run_id", unique=True, postgresql_where=text("run_id IS NOT NULL")),
    )

    item_id: Mapped[UUID] = mapped_column(ForeignKey("item.id", ondelete="CASCADE"), primary_key=True)
    workspace_id: Mapped[WorkspaceId]
    partner: Mapped[str]
    companion_id: Mapped[UUID | None] = mapped_column(ForeignKey("item.id", ondelete="SET NULL"))
    space_id: Mapped[UUID | None] = mapped_column(ForeignKey("item.id", ondelete="SET NULL"))
    run_id: Mapped[UUID | None] = mapped_column(ForeignKey("flow_run.id", ondelete="SET NULL"))
    ended_at: Mapped[datetime | None]


class ConversationMessage(Base):
    """One message; never changed but for `feedback`, its reader's opinion.

    `citations` are as an answer gives them: {"number", "document_id", "space_id", "title", "heading", "passage", "quote"}.
    """

    __tablename__ = "conversation_message"
    __table_args__ = (
        CheckConstraint("said_by IN ('person', 'companion', 'assistant')", name="said_by"),
        CheckConstraint("feedback IN ('', 'helpful', 'not helpful')", name="feedback"),
        UniqueConstraint("conversation_id", "position"),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversation.item_id", ondelete="CASCADE"))
    position: Mapped[int]
    said_by: Mapped[str]
    text: Mapped[str]
    note: Mapped[str] = mapped_column(server_default="")
    citations: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default="[]")
    feedback: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[CreatedAt]
