"""Roles: those that are built in, and those that a workspace makes for itself."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.db.models import Invitation, Membership, WorkspaceRole
from leitstand.errors import Conflict, Forbidden, InvalidInput, NotFound
from leitstand.identity import audit
from leitstand.identity.access import PERMISSIONS, ROLES, Principal, require, require_covered
from leitstand.identity.people import checked_name
from leitstand.identity.texts import checked_description
from leitstand.words import msg

OWNER = "owner"
NAME_LENGTH = 40
MOST = 50
MANAGE = "member:manage"


@dataclass(frozen=True)
class Role:
    """A role, what it permits, and how many people and open invitations have it."""

    name: str
    description: str
    permissions: frozenset[str]
    built_in: bool
    people: int = 0


def list_roles(session: Session, *, principal: Principal) -> list[Role]:
    """Every role of the workspace, the built-in ones first.

    Raises:
        Forbidden: without `member:manage`.
    """
    require(principal, MANAGE)
    used = select(Membership.role, func.count()).where(Membership.workspace_id == principal.workspace_id)
    counts = dict(session.execute(used.group_by(Membership.role)).tuples().all())
    own = session.scalars(
        select(WorkspaceRole)
        .where(WorkspaceRole.workspace_id == principal.workspace_id)
        .order_by(WorkspaceRole.name)
    )
    return [
        *(Role(name, "", granted, True, counts.get(name, 0)) for name, granted in ROLES.items()),
        *(
            Role(
                one.name,
                one.description,
                frozenset(one.permissions) & PERMISSIONS.keys(),
                False,
                counts.get(one.name, 0),
            )
            for one in own
        ),
    ]


def find_role(session: Session, *, principal: Principal, name: str) -> Role:
    """One role of the workspace.

    Raises:
        NotFound: there is none of that name.
    """
    if name in ROLES:
        return Role(name, "", ROLES[name], True)
    own = session.get(WorkspaceRole, (principal.workspace_id, name)) if name.isprintable() else None
    if own is None:
        raise NotFound("There is no such role.", hint="The page of roles lists what there is.")
    return Role(own.name, own.description, frozenset(own.permissions) & PERMISSIONS.keys(), False)


def assignable(session: Session, *, principal: Principal) -> list[Role]:
    """The roles that the principal may give: those that permit nothing beyond their own.

    Raises:
        Forbidden: without `member:manage`.
    """
    return [
        role
        for role in list_roles(session, principal=principal)
        if role.permissions <= principal.permissions and (role.name != OWNER or principal.role == OWNER)
    ]


def require_assignable(session: Session, *, principal: Principal, name: str) -> Role:
    """The role, if the principal may give it to somebody.

    Raises:
        NotFound: there is none of that name.
        Forbidden: it permits what the principal may not, or it is that of owners and the principal is none.
    """
    role = find_role(session, principal=principal, name=name)
    require_covered(principal, role.permissions)
    if role.name == OWNER and principal.role != OWNER:
        raise Forbidden("Only an owner makes somebody an owner.", hint="Ask an owner of the workspace.")
    return role


def create_role(
    session: Session, *, principal: Principal, name: str, permissions: Collection[str], description: str = ""
) -> WorkspaceRole:
    """Make a role of the workspace's own.

    Raises:
        Forbidden: without `member:manage`, or with a permission that the principal has not.
        InvalidInput: the name or a permission is not fit.
        Conflict: there is one of that name, or there are too many.
    """
    require(principal, MANAGE)
    name = _checked_role_name(name)
    wanted = _checked_permissions(principal, permissions)
    taken = select(func.lower(WorkspaceRole.name)).where(WorkspaceRole.workspace_id == principal.workspace_id)
    names = set(session.scalars(taken))
    if name.lower() in names | ROLES.keys():
        raise Conflict(msg("There is a role {name!r} already.", name=name), hint="Choose another name.")
    if len(names) >= MOST:
        raise Conflict(msg("There are {most} roles already.", most=MOST), hint="Delete one that nobody has.")
    role = WorkspaceRole(
        workspace_id=principal.workspace_id,
        name=name,
        description=checked_description(description),
        permissions=wanted,
    )
    session.add(role)
    session.flush()
    audit.record(
        session, principal=principal, action="role.create", target=f"role:{name}", after=_facts(role)
    )
    return role


def change_role(
    session: Session,
    *,
    principal: Principal,
    name: str,
    permissions: Collection[str],
    description: str = "",
) -> WorkspaceRole:
    """Change what a role of the workspace's own permits; it holds for everybody who has it, at once.

    Raises:
        as `create_role`, and NotFound: there is none of that name, or it is built in.
        Forbidden: it has a permission that the principal has not.
    """
    require(principal, MANAGE)
    role = _own(session, principal, name)
    require_covered(principal, role.permissions)
    before = _facts(role)
    role.permissions = _checked_permissions(principal, permissions)
    role.description = checked_description(description)
    role.updated_at = datetime.now(UTC)
    session.flush()
    old, new = audit.changed(before, _facts(role))
    if new:
        target = f"role:{name}"
        audit.record(session, principal=principal, action="role.update", target=target, before=old, after=new)
    return role


def delete_role(session: Session, *, principal: Principal, name: str) -> None:
    """Delete a role of the workspace's own.

    Raises:
        Forbidden: without `member:manage`, or it has a permission that the principal has not.
        NotFound: there is none of that name, or it is built in.
        Conflict: somebody, or an open invitation, has it.
    """
    require(principal, MANAGE)
    role = _own(session, principal, name)
    require_covered(principal, role.permissions)
    invited = select(func.count()).where(
        Invitation.workspace_id == principal.workspace_id, Invitation.role == name,
        Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None), Invitation.expires_at > func.now(),
    )  # fmt: skip
    members = select(func.count()).where(
        Membership.workspace_id == principal.workspace_id, Membership.role == name
    )
    if session.scalar(members) or session.scalar(invited):
        raise Conflict(
            msg("Somebody, or an open invitation, has the role {name!r}.", name=name),
            hint="Give them another role first.",
        )
    session.delete(role)
    session.flush()
    audit.record(
        session, principal=principal, action="role.delete", target=f"role:{name}", before=_facts(role)
    )


def _own(session: Session, principal: Principal, name: str) -> WorkspaceRole:
    known = name.isprintable()
    role = session.get(WorkspaceRole, (principal.workspace_id, name), with_for_update=True) if known else None
    if role is None:
        raise NotFound("There is no such role of your own.", hint="Built-in roles can't be changed.")
    return role


def _checked_role_name(name: str) -> str:
    name = checked_name(name)
    if len(name) > NAME_LENGTH or "/" in name:
        raise InvalidInput(
            msg("A role's name has at most {name_length} characters and no slash.", name_length=NAME_LENGTH)
        )
    return name


def _checked_permissions(principal: Principal, permissions: Collection[str]) -> list[str]:
    unknown = sorted(set(permissions) - PERMISSIONS.keys())
    if unknown:
        raise InvalidInput(msg("There is no permission {unknown!r}.", unknown=unknown[0]))
    if not permissions:
        raise InvalidInput("A role without a permission opens nothing.", hint="Choose at least one.")
    require_covered(principal, permissions)
    return [name for name in PERMISSIONS if name in permissions]


def _facts(role: WorkspaceRole) -> dict[str, object]:
    return {"description": role.description, "permissions": list(role.permissions)}
