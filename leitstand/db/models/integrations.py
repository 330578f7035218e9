"""Connections to the outside: webhooks, what was sent through them, and model endpoints."""

from datetime import datetime
from typing import Any
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

STATUSES = ("pending", "failed", "delivered", "given-up")


class Webhook(Base):
    """An address of somebody else's that is told what happens; the secrets that sign it are sealed."""

    __tablename__ = "webhook"
    __table_args__ = (Index("ix_webhook_workspace", "workspace_id"),)

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    url: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    events: Mapped[list[str]]
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    # The one before, which signs beside it until then.
    earlier_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    earlier_until: Mapped[datetime | None]
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    failing_since: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[Said]
    created_by: Mapped[str]
    updated_by: Mapped[str]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class WebhookDelivery(Base):
    """One event on its way to one webhook; written in the transaction of the change that it tells of."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        UniqueConstraint("webhook_id", "event_id"),
        Index("ix_webhook_delivery_webhook_created", "webhook_id", text("created_at DESC"), text("id DESC")),
        Index("ix_webhook_delivery_workspace", "workspace_id"),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhook.id", ondelete="CASCADE"))
    # What the receiver knows the event by; the same at every attempt and replay, and no row.
    event_id: Mapped[str]
    event: Mapped[str]
    payload: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(server_default="pending")
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    replays: Mapped[int] = mapped_column(server_default=text("0"))
    next_at: Mapped[datetime | None]
    last_at: Mapped[datetime | None]
    last_status: Mapped[int | None]
    last_error: Mapped[Said]
    response: Mapped[str] = mapped_column(server_default="")
    duration_ms: Mapped[int | None]
    created_at: Mapped[CreatedAt]
    delivered_at: Mapped[datetime | None]


class ModelEndpoint(Base):
    """Where models are asked, in the form of OpenAI's API; its key is sealed (NULL: it needs none).

    `embeds` is the model that makes the vectors of the workspace's passages, empty where this endpoint makes none.

    Prices are of a million tokens, in millionths of the currency in which the workspace pays.
    """

    __tablename__ = "model_endpoint"
    __table_args__ = (
        UniqueConstraint("workspace_id", "name"),
        Index("uq_model_endpoint_default", "workspace_id", unique=True, postgresql_where=text("is_default")),
        Index("uq_model_endpoint_embeds", "workspace_id", unique=True, postgresql_where=text("embeds <> ''")),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    name: Mapped[str]
    base_url: Mapped[str]
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    models: Mapped[list[str]]
    prompt_price: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    completion_price: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    is_default: Mapped[bool] = mapped_column(server_default=text("false"))
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    embeds: Mapped[str] = mapped_column(server_default="")
    checked_at: Mapped[datetime | None]
    check_problem: Mapped[Said]
    created_by: Mapped[str]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
