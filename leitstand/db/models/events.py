"""The ledger of events and the facts kept from it in the same transaction."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from leitstand.db.models.base import Base, CreatedAt, Id, Words, WorkspaceId

NO_ACTOR = ""
# Who counts in product figures; bots, tests and previews are actors of other kinds.
HUMANS = ("visitor", "member", "external")


class Event(Base):
    """An append-only fact, partitioned by month of `event_id` (a UUIDv7 of `occurred_at`).

    So the primary key deduplicates across partitions. `content_hash` tells a repeated event from another one
    that took its id. `run_key` is the source's name of the run, `touched` what the event was about. The kind is
    `viewed` (a run was loaded), `answered` (a step was), `completed`, or `judged` (whether an answer helped).
    """

    __tablename__ = "event"
    __table_args__ = (
        Index("ix_event_run", "workspace_id", "companion_id", "run_key"),
        {"postgresql_partition_by": "RANGE (event_id)"},
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    companion_id: Mapped[UUID]
    flow_version: Mapped[int | None]
    run_key: Mapped[str]
    step: Mapped[str]
    seq: Mapped[int | None]
    actor_key: Mapped[str | None]
    actor_kind: Mapped[str] = mapped_column(server_default="visitor")
    touched: Mapped[str | None]
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    source: Mapped[str]
    is_test: Mapped[bool] = mapped_column(server_default="false")
    import_id: Mapped[UUID | None]
    content_hash: Mapped[int] = mapped_column(BigInteger)
    props: Mapped[dict[str, Any]] = mapped_column(server_default="{}")


class RunFact(Base):
    """One flow run: everything the run figures need, merged from its events in any order.

    `log_id` is within what `run_key` names one run: a companion, or all the companions of one imported log.
    `first_seq` breaks ties of `first_at`; companion, flow version and actor are those of the first event (no version, an
    empty actor: unknown). `opened_at` is the first view as such, `started_at` the first answer. `steps` is a sorted set,
    `step_at` when each of them was first reached; an instant that is None or not there is not filled in yet.
    """

    __tablename__ = "run_fact"
    __table_args__ = (
        Index("ix_run_fact_first", "workspace_id", "first_at"),
        Index("ix_run_fact_companion_first", "workspace_id", "companion_id", "first_at"),
        Index(
            "ix_run_fact_completed",
            "workspace_id",
            "completed_at",
            postgresql_where=text("completed_at IS NOT NULL"),
        ),
    )

    workspace_id: Mapped[WorkspaceId] = mapped_column(primary_key=True)
    log_id: Mapped[UUID] = mapped_column(primary_key=True)
    run_key: Mapped[str] = mapped_column(primary_key=True)
    companion_id: Mapped[UUID] = mapped_column(ForeignKey("item.id", ondelete="CASCADE"))
    flow_version: Mapped[int | None]
    first_at: Mapped[datetime]
    first_seq: Mapped[int]
    last_at: Mapped[datetime]
    opened_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    actor_key: Mapped[str]
    events: Mapped[int]
    steps: Mapped[list[str]]
    step_at: Mapped[list[datetime | None]] = mapped_column(
        ARRAY(DateTime(timezone=True)), server_default="{}"
    )


class ActorBucket(Base):
    """What one actor did on one companion in one quarter of an hour.

    No zone's midnight falls inside a quarter and no 30-minute gap does either, so days in any zone and
    sessions are exact sums over these rows. `actor_key` is empty for events without an actor.
    """

    __tablename__ = "actor_bucket"
    __table_args__ = (Index("ix_actor_bucket_time", "workspace_id", "bucket"),)

    workspace_id: Mapped[WorkspaceId] = mapped_column(primary_key=True)
    companion_id: Mapped[UUID] = mapped_column(ForeignKey("item.id", ondelete="CASCADE"), primary_key=True)
    bucket: Mapped[datetime] = mapped_column(primary_key=True)
    actor_key: Mapped[str] = mapped_column(primary_key=True)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    events: Mapped[int]


class EventImport(Base):
    """One file being imported, or imported: where it stands, so that it can be resumed.

    `log_id` is given to the companions that first appear in it. `identical` lines repeat an earlier line of the file.
    """

    __tablename__ = "event_import"
    __table_args__ = (
        UniqueConstraint("workspace_id", "file_sha256"),
        CheckConstraint("status IN ('running', 'done', 'truncated')", name="status"),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    file_name: Mapped[str]
    file_sha256: Mapped[str]
    file_bytes: Mapped[int] = mapped_column(BigInteger)
    log_id: Mapped[UUID]
    options: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(server_default="running")
    lines_done: Mapped[int] = mapped_column(BigInteger, server_default="0")
    accepted: Mapped[int] = mapped_column(BigInteger, server_default="0")
    duplicates: Mapped[int] = mapped_column(BigInteger, server_default="0")
    identical: Mapped[int] = mapped_column(BigInteger, server_default="0")
    refused: Mapped[int] = mapped_column(BigInteger, server_default="0")
    started_at: Mapped[CreatedAt]
    finished_at: Mapped[datetime | None]


class EventRefusal(Base):
    """An event that was not taken, as it came, and why.

    `whole`: `raw` is the event as JSON, so that it can be replayed. `outcome` is what became of it then.
    """

    __tablename__ = "event_refusal"
    __table_args__ = (
        UniqueConstraint("import_id", "line"),
        CheckConstraint("outcome IN ('refused', 'accepted', 'duplicate')", name="outcome"),
        Index("ix_event_refusal_workspace_at", "workspace_id", text("at DESC")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    workspace_id: Mapped[WorkspaceId]
    import_id: Mapped[UUID | None] = mapped_column(ForeignKey("event_import.id", ondelete="CASCADE"))
    line: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Words)
    raw: Mapped[str]
    source: Mapped[str] = mapped_column(server_default="import")
    whole: Mapped[bool] = mapped_column(server_default="false")
    outcome: Mapped[str] = mapped_column(server_default="refused")
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    replayed_at: Mapped[datetime | None]
