"""The audit log: one row a change, written in the transaction that makes it."""

from datetime import datetime
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from leitstand.db.models import AuditEntry, Workspace
from leitstand.identity.access import Principal, require
from leitstand.telemetry import context


def record(
    session: Session,
    *,
    principal: Principal,
    action: str,
    target: str = "",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Note that `principal` did `action` to `target`; `before` and `after` hold what changed, as JSON values.

    Args:
        action: `noun.verb`, such as `companion.publish`.
        target: what was changed: `kind:id`.
    """
    session.add(
        AuditEntry(
            workspace_id=principal.workspace_id,
            actor=principal.actor,
            action=action,
            target=target,
            before=before,
            after=after,
            request_id=context.current()["request_id"],
        )
    )


def record_for_all(
    session: Session, *, actor: str, action: str, target: str = "", after: dict[str, Any] | None = None
) -> None:
    """Note what concerns the whole environment, such as a rotation of its secrets, in every workspace's log."""
    for workspace_id in session.scalars(select(Workspace.id)):
        session.add(
            AuditEntry(
                workspace_id=workspace_id,
                actor=actor,
                action=action,
                target=target,
                after=after,
                request_id=context.current()["request_id"],
            )
        )


def changed(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both records with only the members that differ."""
    names = [name for name in after if before.get(name) != after[name]]
    return {name: before.get(name) for name in names}, {name: after[name] for name in names}


def list_entries(
    session: Session, *, principal: Principal, limit: int = 50, before: tuple[datetime, int] | None = None
) -> list[AuditEntry]:
    """The workspace's newest entries, older than the keyset `before` (at, id) where given.

    Raises:
        Forbidden: without `audit:read`.
    """
    require(principal, "audit:read")
    query = select(AuditEntry).where(AuditEntry.workspace_id == principal.workspace_id)
    if before is not None:
        query = query.where(tuple_(AuditEntry.at, AuditEntry.id) < before)
    return list(session.scalars(query.order_by(AuditEntry.at.desc(), AuditEntry.id.desc()).limit(limit)))
