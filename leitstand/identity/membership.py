"""A place in a workspace that holds, and what its role permits: the same condition and join for every query."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_

from leitstand.db.models import Membership, WorkspaceRole
from leitstand.identity.access import PERMISSIONS, ROLES

OWN_PERMISSIONS = WorkspaceRole.permissions


def holds(place: type[Membership] = Membership) -> ColumnElement[bool]:
    """Whether a membership lets anybody in now: neither suspended nor expired."""
    unexpired = or_(place.expires_at.is_(None), place.expires_at > func.now())
    return and_(place.suspended_at.is_(None), unexpired)


def with_role[Row: tuple[Any, ...]](query: Select[Row]) -> Select[Row]:
    """The query, of memberships, with the workspace's own role beside each: `OWN_PERMISSIONS` is null for a built-in one."""
    own = (WorkspaceRole.workspace_id == Membership.workspace_id) & (WorkspaceRole.name == Membership.role)
    return query.outerjoin(WorkspaceRole, own)


def permissions_of(role: str, own: Collection[str] | None) -> frozenset[str]:
    """What a role permits; a role that there no longer is permits nothing.

    Args:
        own: `OWN_PERMISSIONS` of the row.
    """
    if role in ROLES:
        return ROLES[role]
    return frozenset(own or ()) & PERMISSIONS.keys()


def permits(permission: str) -> ColumnElement[bool]:
    """Whether a membership's role has a permission; for queries that went through `with_role`."""
    built_in = [role for role, permissions in ROLES.items() if permission in permissions]
    own = and_(Membership.role.not_in(list(ROLES)), WorkspaceRole.permissions.any(permission))  # type: ignore[arg-type]
    return or_(Membership.role.in_(built_in), func.coalesce(own, False))
