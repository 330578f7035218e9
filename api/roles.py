"""Roles of the workspace."""

from fastapi import APIRouter, Depends, status

from api.people_models import RoleChange, RoleIn, RoleOut
from leitstand.identity import roles
from leitstand.identity.access import Principal
from leitstand.identity.roles import Role
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(prefix="/roles", tags=["members"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]


@router.get("")
def list_roles(session: Db, principal: CurrentPrincipal) -> list[RoleOut]:
    """Every role with what it permits, the built-in ones first."""
    return [_shown(role) for role in roles.list_roles(session, principal=principal)]


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=CSRF)
def create_role(session: Db, principal: CurrentPrincipal, new: RoleIn) -> RoleOut:
    """Make a role; it permits nothing that the caller may not."""
    made = roles.create_role(session, principal=principal, **new.model_dump())
    return _found(session, principal, made.name)


@router.put("/{name}", dependencies=CSRF)
def change_role(session: Db, principal: CurrentPrincipal, name: str, change: RoleChange) -> RoleOut:
    """Change what one of the workspace's own roles permits."""
    roles.change_role(session, principal=principal, name=name, **change.model_dump())
    return _found(session, principal, name)


@router.delete("/{name}", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF)
def delete_role(session: Db, principal: CurrentPrincipal, name: str) -> None:
    """Delete a role that nobody has."""
    roles.delete_role(session, principal=principal, name=name)


def _found(session: Db, principal: Principal, name: str) -> RoleOut:
    return _shown(roles.find_role(session, principal=principal, name=name))


def _shown(role: Role) -> RoleOut:
    return RoleOut(
        name=role.name,
        description=role.description,
        permissions=sorted(role.permissions),
        built_in=role.built_in,
        people=role.people,
    )
