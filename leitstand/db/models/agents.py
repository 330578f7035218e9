"""What agents do: threads and their steps, the tools that they may use, schedules of apps, and what models cost."""

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

THREAD_STATUSES = ("queued", "running", "waiting", "succeeded", "failed", "cancelled")
OPEN_STATUSES = ("queued", "running", "waiting")
STEP_STATUSES = ("waiting", "approved", "running", "succeeded", "failed", "refused", "unknown")
TOOL_KINDS = ("http", "space", "flow", "mcp")
PURPOSES = ("agent", "assistant", "companion", "ask", "embedding")


class Tool(Base):
    """What agents of a workspace may do beside answering; `secret` is sealed (NULL: it needs none).

    `configuration` is of the kind (http: {"method", "url"}; mcp: {"url", "tool"}; both with {"headers", "secret_header",
    "secret_scheme"}; flow: {"flow"}; space: {"spaces"}), and `parameters` the JSON Schema of its arguments. `repeatable`: a
    call that was cut off may be made once more.
    """

    __tablename__ = "tool"
    __table_args__ = (
        UniqueConstraint("workspace_id", "name"),
        CheckConstraint(f"kind IN {TOOL_KINDS}", name="kind"),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    name: Mapped[str]
    kind: Mapped[str]
    description: Mapped[str]
    configuration: Mapped[dict[str, Any]]
    parameters: Mapped[dict[str, Any]]
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    needs_approval: Mapped[bool] = mapped_column(server_default=text("false"))
    repeatable: Mapped[bool] = mapped_column(server_default=text("false"))
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    checked_at: Mapped[datetime | None]
    check_problem: Mapped[Said]
    created_by: Mapped[str]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Thread(Base):
    """One execution of an agent.

    `agent` is what the agent was when it began ({"title", "instructions", "model", "tools", "spaces"}), `limits` what it
    may use ({"steps", "seconds", "tokens", "cost"}), `input` what it was given ({"text", "inputs"}), `output` its last
    words. It acts for `person_id`, with what that person may do at that moment. Cost is in millionths of the currency.
    """

    __tablename__ = "thread"
    __table_args__ = (
        CheckConstraint(f"status IN {THREAD_STATUSES}", name="status"),
        CheckConstraint("begun_by IN ('person', 'schedule', 'program')", name="begun_by"),
        Index("ix_thread_newest", "workspace_id", text("id DESC")),
        Index("ix_thread_of_person", "workspace_id", "person_id", text("id DESC")),
        Index("ix_thread_agent", "agent_id", text("id DESC")),
        Index("ix_thread_app", "app_id", text("id DESC")),
        Index("ix_thread_open", "workspace_id", postgresql_where=text(f"status IN {OPEN_STATUSES}")),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    agent_id: Mapped[UUID | None] = mapped_column(ForeignKey("item.id", ondelete="SET NULL"))
    app_id: Mapped[UUID | None] = mapped_column(ForeignKey("item.id", ondelete="SET NULL"))
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"))
    retry_of: Mapped[UUID | None] = mapped_column(ForeignKey("thread.id", ondelete="SET NULL"))
    title: Mapped[str]
    begun_by: Mapped[str] = mapped_column(server_default="person")
    status: Mapped[str] = mapped_column(server_default="queued")
    agent: Mapped[dict[str, Any]]
    limits: Mapped[dict[str, Any]]
    input: Mapped[dict[str, Any]]
    output: Mapped[str] = mapped_column(server_default="")
    error: Mapped[Said]
    steps: Mapped[int] = mapped_column(server_default=text("0"))
    prompt_tokens: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    completion_tokens: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    cost: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    # Of the work alone: waiting for a person, and for the queue, does not count.
    worked_ms: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    trace: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[CreatedAt]
    started_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class ThreadStep(Base):
    """One step of a thread: a model was asked (`kind` model), or a tool was used. Written before it happens, and after.

    `call_id` is the model's own name of the call. `result` of a model is {"text", "calls": [{"id", "name", "arguments"}]}
    (and "finish" where the endpoint ended it, such as `length`), of a tool {"text"}. "unknown": the worker was ended while it happened, and nobody knows whether it took effect.
    """

    __tablename__ = "thread_step"
    __table_args__ = (
        CheckConstraint("kind IN ('model', 'tool')", name="kind"),
        CheckConstraint(f"status IN {STEP_STATUSES}", name="status"),
        UniqueConstraint("thread_id", "position"),
        Index("ix_thread_step_workspace", "workspace_id"),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    thread_id: Mapped[UUID] = mapped_column(ForeignKey("thread.id", ondelete="CASCADE"))
    position: Mapped[int]
    kind: Mapped[str]
    status: Mapped[str]
    name: Mapped[str]
    call_id: Mapped[str] = mapped_column(server_default="")
    arguments: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    result: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    error: Mapped[Said]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    prompt_tokens: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    completion_tokens: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    cost: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"))
    decided_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class AppSchedule(Base):
    """When an app runs by itself, for whom and with which inputs; `next_at` is NULL while it is off."""

    __tablename__ = "app_schedule"
    __table_args__ = (
        Index("ix_app_schedule_app", "app_id"),
        Index("ix_app_schedule_workspace", "workspace_id"),
        Index("ix_app_schedule_due", "next_at", postgresql_where=text("next_at IS NOT NULL")),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    app_id: Mapped[UUID] = mapped_column(ForeignKey("item.id", ondelete="CASCADE"))
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    cron: Mapped[str]
    zone: Mapped[str]
    inputs: Mapped[dict[str, Any]]
    next_at: Mapped[datetime | None]
    last_at: Mapped[datetime | None]
    last_thread: Mapped[UUID | None] = mapped_column(ForeignKey("thread.id", ondelete="SET NULL"))
    problem: Mapped[Said]
    created_at: Mapped[CreatedAt]


class ModelCall(Base):
    """One question to a model, for what and what it cost (millionths of the currency); kept when the asker is gone."""

    __tablename__ = "model_call"
    __table_args__ = (
        CheckConstraint(f"purpose IN {PURPOSES}", name="purpose"),
        Index("ix_model_call_at", "workspace_id", "at"),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    purpose: Mapped[str]
    item_id: Mapped[UUID | None] = mapped_column(ForeignKey("item.id", ondelete="SET NULL"))
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"))
    thread_id: Mapped[UUID | None] = mapped_column(ForeignKey("thread.id", ondelete="SET NULL"))
    endpoint: Mapped[str]
    model: Mapped[str]
    succeeded: Mapped[bool]
    prompt_tokens: Mapped[int] = mapped_column(BigInteger)
    completion_tokens: Mapped[int] = mapped_column(BigInteger)
    cost: Mapped[int] = mapped_column(BigInteger)
    milliseconds: Mapped[int]
