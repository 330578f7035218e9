"""Backups, restore drills, data checks, flow executions and heartbeats."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from leitstand.db.models.base import Base, CreatedAt, Id, Said, Words


class Backup(Base):
    """One backup of PostgreSQL, the objects or the secrets, or one dump of the database: finished or not, there, missing from the store, or removed.

    `reason` says why retention removes or removed it.
    """

    __tablename__ = "backup"
    __table_args__ = (
        CheckConstraint("kind IN ('postgres', 'objects', 'secrets', 'dump')", name="kind"),
        CheckConstraint(
            "status IN ('running', 'complete', 'failed', 'missing', 'removing', 'removed')", name="status"
        ),
        Index("ix_backup_kind_started", "kind", text("started_at DESC")),
    )

    id: Mapped[Id]
    kind: Mapped[str]
    engine: Mapped[str]
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("backup.id"))
    status: Mapped[str] = mapped_column(server_default="running")
    started_at: Mapped[CreatedAt]
    finished_at: Mapped[datetime | None]
    location: Mapped[str] = mapped_column(server_default="")
    bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    sha256: Mapped[str] = mapped_column(server_default="")
    manifest: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    postgres_version: Mapped[str] = mapped_column(server_default="")
    schema_revision: Mapped[str] = mapped_column(server_default="")
    application_version: Mapped[str] = mapped_column(server_default="")
    verified_at: Mapped[datetime | None]
    kept: Mapped[bool] = mapped_column(server_default="false")
    error: Mapped[Said]
    reason: Mapped[Said]
    removed_at: Mapped[datetime | None]

    @property
    def level(self) -> str | None:
        """Of PostgreSQL, once it is complete: full, differential or incremental; the first versions took full ones only."""
        return str(self.manifest.get("level", "full")) if self.kind == "postgres" and self.manifest else None


class PruneRun(Base):
    """One run of retention: the plan it had, what it removed, and why it ended before its end."""

    __tablename__ = "prune_run"
    __table_args__ = (
        CheckConstraint("status IN ('running', 'complete', 'failed', 'refused')", name="status"),
        Index("ix_prune_run_started", text("started_at DESC")),
    )

    id: Mapped[Id]
    status: Mapped[str] = mapped_column(server_default="running")
    requested_by: Mapped[str] = mapped_column(server_default="")
    started_at: Mapped[CreatedAt]
    finished_at: Mapped[datetime | None]
    plan: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    plan_sha256: Mapped[str] = mapped_column(server_default="")
    removed: Mapped[int] = mapped_column(server_default="0")
    log_removed: Mapped[int] = mapped_column(server_default="0")
    figures: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    error: Mapped[Said]


class Drill(Base):
    """One rehearsal of a restore or one run of a runbook, and its evidence, chained to the one before by SHA-256.

    A run that goes on with an earlier one names it in `resumed_from`; `lineage` is the first of the line. Neither is a
    foreign key: a row may come back from evidence before the row that it names.
    """

    __tablename__ = "drill"
    __table_args__ = (
        CheckConstraint("category IN ('drill', 'runbook')", name="category"),
        Index("ix_drill_kind_started", "kind", text("started_at DESC")),
        Index("ix_drill_lineage", "lineage"),
    )

    id: Mapped[Id]
    kind: Mapped[str]
    category: Mapped[str] = mapped_column(server_default="drill")
    backup_id: Mapped[UUID | None] = mapped_column(ForeignKey("backup.id", ondelete="SET NULL"))
    status: Mapped[str] = mapped_column(server_default="running")
    requested_by: Mapped[str] = mapped_column(server_default="")
    parameters: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    lineage: Mapped[UUID | None]
    resumed_from: Mapped[UUID | None]
    started_at: Mapped[CreatedAt]
    finished_at: Mapped[datetime | None]
    rpo_seconds: Mapped[float | None]
    rto_seconds: Mapped[float | None]
    notebook: Mapped[str] = mapped_column(server_default="")
    html: Mapped[str] = mapped_column(server_default="")
    notebook_sha256: Mapped[str] = mapped_column(server_default="")
    chain_sha256: Mapped[str] = mapped_column(server_default="")
    figures: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    error: Mapped[Said]


class EvidenceLink(Base):
    """One link of the chain of evidence: what a run left, or a signature on one.

    The sequence has no gap and no link follows two others, which the unique hashes keep. `run_id` is no foreign key: a
    link has to outlive the row of its run, so that the row's absence is found.
    """

    __tablename__ = "evidence_link"
    __table_args__ = (
        CheckConstraint("kind IN ('run', 'signature')", name="kind"),
        Index("ix_evidence_link_run", "run_id"),
    )

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str]
    run_id: Mapped[UUID]
    at: Mapped[datetime]
    content: Mapped[dict[str, Any]]
    previous_sha256: Mapped[str] = mapped_column(unique=True)
    sha256: Mapped[str] = mapped_column(unique=True)


class CheckRun(Base):
    """One run of a data-check suite against one database."""

    __tablename__ = "check_run"
    __table_args__ = (Index("ix_check_run_at", text("at DESC")),)

    id: Mapped[Id]
    suite: Mapped[str]
    target: Mapped[str]
    success: Mapped[bool]
    evaluated: Mapped[int]
    failed: Mapped[int]
    result: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class FlowExecution(Base):
    """One execution of a flow for one scheduled instant, so that a doubled schedule does its work once.

    `flow` is the deployment's name; `flow_run` the Prefect run that took it, which may take it again when it is retried.
    """

    __tablename__ = "flow_execution"

    flow: Mapped[str] = mapped_column(primary_key=True)
    scheduled_for: Mapped[datetime] = mapped_column(primary_key=True)
    flow_run: Mapped[str] = mapped_column(server_default="")
    status: Mapped[str] = mapped_column(server_default="running")
    trigger: Mapped[str] = mapped_column(server_default="schedule")
    started_at: Mapped[CreatedAt]
    finished_at: Mapped[datetime | None]
    error: Mapped[Said]


class Heartbeat(Base):
    """The last sign of life of a process that no one asks over HTTP."""

    __tablename__ = "heartbeat"

    service: Mapped[str] = mapped_column(primary_key=True)
    instance: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    details: Mapped[dict[str, Any]] = mapped_column(server_default="{}")


class JobFailure(Base):
    """Why one attempt of a queued job failed; the job itself is a row of the queue's own table."""

    __tablename__ = "job_failure"

    job_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    reason: Mapped[str] = mapped_column(Words)
    request_id: Mapped[str] = mapped_column(server_default="")
