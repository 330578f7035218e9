"""The audit log: one row a change, written in the transaction that makes it."""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from leitstand.db.models import AuditEntry, Workspace
from leitstand.identity.access import Principal
from leitstand.telemetry import context

REWRITE = text("SELECT set_config('leitstand.audit_rewrite', :allowed, true)")
# Names, not imports: who listens stands above. Each has a function `heard`, called in the transaction of the change.
LISTENERS = ("leitstand.integrations.emission",)


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
    record_in(
        session,
        workspace_id=principal.workspace_id,
        principal=principal,
        action=action,
        target=target,
        before=before,
        after=after,
    )


def record_in(
    session: Session,
    *,
    workspace_id: UUID,
    principal: Principal,
    action: str,
    target: str = "",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """As `record`, in the log of a workspace that need not be the principal's: that of an account that is deleted."""
    _add(
        session,
        workspace_id=workspace_id,
        actor=principal.actor,
        action=action,
        target=target,
        before=before,
        after=after,
    )


@contextmanager
def rewriting(session: Session) -> Iterator[None]:
    """Let rows of the log be changed meanwhile, which a trigger refuses else: for names of a deleted account alone."""
    session.execute(REWRITE, {"allowed": "on"})
    yield
    session.execute(REWRITE, {"allowed": "off"})


def record_for_all(
    session: Session, *, actor: str, action: str, target: str = "", after: dict[str, Any] | None = None
) -> None:
    """Note what concerns the whole environment, such as a rotation of its secrets, in every workspace's log."""
    for workspace_id in session.scalars(select(Workspace.id)):
        _add(session, workspace_id=workspace_id, actor=actor, action=action, target=target, after=after)


def changed(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both records with only the members that differ."""
    names = [name for name in after if before.get(name) != after[name]]
    return {name: before.get(name) for name in names}, {name: after[name] for name in names}


def _add(
    session: Session,
    *,
    workspace_id: UUID,
    actor: str,
    action: str,
    target: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    entry = AuditEntry(
        workspace_id=workspace_id,
        actor=actor,
        action=action,
        target=target,
        before=before,
        after=after,
        request_id=context.current()["request_id"],
    )
    session.add(entry)
    for heard in _listeners():
        heard(session, entry)


@lru_cache(maxsize=1)
def _listeners() -> tuple[Callable[[Session, AuditEntry], None], ...]:
    return tuple(importlib.import_module(name).heard for name in LISTENERS)
