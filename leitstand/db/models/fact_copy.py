"""What changed of the facts, and where their columnar copy stands."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, func, text
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from leitstand.db.models.base import Base, WorkspaceId


class TransactionId(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id, which never wraps around."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"

    def bind_processor(self, dialect: Any) -> Any:
        return lambda value: None if value is None else str(value)

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        return lambda value: None if value is None else int(value)


ischema_names["xid8"] = TransactionId


class FactChange(Base):
    """A UTC day of a workspace's facts that a transaction changed; written by triggers, once a transaction.

    `fact` is `run` (by `run_fact.first_at`) or `actor` (by `actor_bucket.bucket`). A run that moves to another day
    changes both. No key to the workspace: its deletion is a change too.
    """

    __tablename__ = "fact_change"

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    changed: Mapped[int] = mapped_column(
        TransactionId(), primary_key=True, server_default=text("pg_current_xact_id()"), autoincrement=False
    )
    fact: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)


class FactCopy(Base):
    """The copy of one workspace's facts.

    It holds what every transaction before `watermark` did; days that later ones changed are read from the facts. `seen`
    is where the copier last looked, `cluster` the system identifier of the server whose transaction ids these are, and
    `generation` counts the copies.
    """

    __tablename__ = "fact_copy"

    workspace_id: Mapped[WorkspaceId] = mapped_column(primary_key=True)
    watermark: Mapped[int] = mapped_column(TransactionId())
    seen: Mapped[int] = mapped_column(TransactionId())
    cluster: Mapped[str]
    generation: Mapped[int] = mapped_column(BigInteger)
    copied_at: Mapped[datetime] = mapped_column(server_default=func.now())


class FactPart(Base):
    """One object of the copy: a fact's rows of one UTC month, ordered by time.

    One that was replaced stays in the store for those who are about to read it, and then goes.
    """

    __tablename__ = "fact_part"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id"], ["fact_copy.workspace_id"], ondelete="CASCADE"),
        Index(
            "uq_fact_part_current",
            "workspace_id",
            "fact",
            "month",
            unique=True,
            postgresql_where=text("replaced_at IS NULL"),
        ),
    )

    key: Mapped[str] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID]
    fact: Mapped[str]
    month: Mapped[date]
    sha256: Mapped[str]
    rows: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
    replaced_at: Mapped[datetime | None]
