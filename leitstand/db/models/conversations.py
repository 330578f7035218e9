"""What people said with companions, agents and the assistant. A conversation is an item; this is what is its own."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from leitstand.db.models.base import Base, CreatedAt, Id, Said, WorkspaceId

PARTNERS = ("assistant", "companion", "agent")
MESSAGE_STATUSES = ("writing", "done", "failed", "stopped")
ATTACHMENT_STATUSES = ("waiting", "ready", "refused")


class Conversation(Base):
    """With whom: the assistant, an agent, or a companion, whose run `run_id` names; `space_id` is what alone is asked
    (NULL: all). `leaf` is the position at which the chosen branch ends (0: at the last message).
    """

    __tablename__ = "conversation"
    __table_args__ = (
        CheckConstraint(f"partner IN {PARTNERS}", name="partner"),
        Index("ix_conversation_companion", "companion_id"),
        Index("ix_conversation_agent", "agent_id"),
        Index("uq_conversation_run", "run_id", unique=True, postgresql_where=text("run_id IS NOT NULL")),
    )

    item_id: Mapped[UUID] = mapped_column(ForeignKey("item.id", ondelete="CASCADE"), primary_key=True)
    workspace_id: Mapped[WorkspaceId]
    partner: Mapped[str]
    companion_id: Mapped[UUID | None] = mapped_column(ForeignKey("item.id", ondelete="SET NULL"))
    agent_id: Mapped[UUID | None] = mapped_column(ForeignKey("item.id", ondelete="SET NULL"))
    space_id: Mapped[UUID | None] = mapped_column(ForeignKey("item.id", ondelete="SET NULL"))
    run_id: Mapped[UUID | None] = mapped_column(ForeignKey("flow_run.id", ondelete="SET NULL"))
    leaf: Mapped[int] = mapped_column(server_default=text("0"))
    ended_at: Mapped[datetime | None]


class ConversationMessage(Base):
    """One message, after that at the position `parent` (NULL: the first); messages after the same one are branches.

    What was said is never changed: an answer has `status` writing until it is there, and then only `feedback`, its
    reader's opinion, changes. `attempts` counts the workers that took it. `citations` are as an answer gives them:
    {"number", "document_id", "space_id", "title", "heading", "passage", "quote"}; `rests_on` are the ids of spaces that
    it may repeat beside these. `attachments` are ids of `conversation_attachment`.
    """

    __tablename__ = "conversation_message"
    __table_args__ = (
        CheckConstraint("said_by IN ('person', 'companion', 'assistant', 'agent')", name="said_by"),
        CheckConstraint("feedback IN ('', 'helpful', 'not helpful')", name="feedback"),
        CheckConstraint(f"status IN {MESSAGE_STATUSES}", name="status"),
        UniqueConstraint("conversation_id", "position"),
        ForeignKeyConstraint(
            ["conversation_id", "parent"],
            ["conversation_message.conversation_id", "conversation_message.position"],
            name="fk_conversation_message_parent",
            ondelete="CASCADE",
        ),
        Index("ix_conversation_message_thread", "thread_id", postgresql_where=text("thread_id IS NOT NULL")),
        Index("ix_conversation_message_writing", "id", postgresql_where=text("status = 'writing'")),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversation.item_id", ondelete="CASCADE"))
    position: Mapped[int]
    parent: Mapped[int | None]
    said_by: Mapped[str]
    text: Mapped[str]
    note: Mapped[Said]
    citations: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default="[]")
    rests_on: Mapped[list[str]] = mapped_column(server_default="{}")
    attachments: Mapped[list[str]] = mapped_column(server_default="{}")
    feedback: Mapped[str] = mapped_column(server_default="")
    status: Mapped[str] = mapped_column(server_default="done")
    error: Mapped[Said]
    model: Mapped[str] = mapped_column(server_default="")
    thread_id: Mapped[UUID | None] = mapped_column(ForeignKey("thread.id", ondelete="SET NULL"))
    attempts: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[CreatedAt]


class ConversationAttachment(Base):
    """A file that somebody gave with a question. Its `text` is what a parser found in it, once it is `ready`."""

    __tablename__ = "conversation_attachment"
    __table_args__ = (
        CheckConstraint(f"status IN {ATTACHMENT_STATUSES}", name="status"),
        Index("ix_conversation_attachment_conversation", "conversation_id"),
        Index("ix_conversation_attachment_workspace", "workspace_id"),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversation.item_id", ondelete="CASCADE"))
    name: Mapped[str]
    object_key: Mapped[str]
    media_type: Mapped[str]
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="waiting")
    reason: Mapped[Said]
    text: Mapped[str] = mapped_column(server_default="")
    scanned_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
