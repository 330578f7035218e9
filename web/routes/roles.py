"""Roles of the workspace: what each permits, and those that it makes for itself."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.errors import LeitstandError
from leitstand.identity import roles
from leitstand.identity.access import PERMISSIONS, Principal
from serving.session import CurrentPrincipal, Db, require_csrf
from web.pages import go, render

router = APIRouter(prefix="/settings/roles", include_in_schema=False)
CSRF = [Depends(require_csrf)]
Text = Annotated[str, Form()]
Several = Annotated[list[str], Form()]
HOME = "/settings/roles"


@router.get("")
def roles_page(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """Every role with what it permits, and the form of a new one."""
    return _page(request, session, principal)


@router.post("", dependencies=CSRF)
def create(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    name: Text = "",
    description: Text = "",
    permission: Several = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    """Make a role."""
    try:
        roles.create_role(
            session, principal=principal, name=name, description=description, permissions=permission
        )
    except LeitstandError as error:
        form = {"name": name, "description": description, "permissions": permission}
        return _page(request, session, principal, code=error.status, error=error, form=form)
    return go(HOME, "role-saved")


@router.get("/{name}")
def role_page(request: Request, session: Db, principal: CurrentPrincipal, name: str) -> Response:
    """The form of one of the workspace's own roles."""
    return _one(request, session, principal, name)


@router.post("/{name}", dependencies=CSRF)
def change(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    name: str,
    description: Text = "",
    permission: Several = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    """Change what a role permits."""
    try:
        with session.begin_nested():
            roles.change_role(
                session, principal=principal, name=name, description=description, permissions=permission
            )
    except LeitstandError as error:
        if error.status == 404:
            raise
        form = {"description": description, "permissions": permission}
        return _one(request, session, principal, name, error, form)
    return go(HOME, "role-saved")


@router.post("/{name}/delete", dependencies=CSRF)
def delete(request: Request, session: Db, principal: CurrentPrincipal, name: str) -> Response:
    """Delete a role that nobody has."""
    try:
        roles.delete_role(session, principal=principal, name=name)
    except LeitstandError as error:
        if error.status == 404:
            raise
        return _one(request, session, principal, name, error)
    return go(HOME, "role-deleted")


def _grantable(principal: Principal) -> dict[str, str]:
    return {name: text for name, text in PERMISSIONS.items() if principal.may(name)}


def _page(request: Request, session: Db, principal: Principal, *, code: int = 200, **more: Any) -> Response:
    names = {"error": None, "form": {"name": "", "description": "", "permissions": []}} | more
    return render(
        request,
        principal,
        "roles.html",
        area="members",
        code=code,
        roles=roles.list_roles(session, principal=principal),
        grantable=_grantable(principal),
        **names,
    )


def _one(
    request: Request,
    session: Db,
    principal: Principal,
    name: str,
    error: LeitstandError | None = None,
    form: dict[str, Any] | None = None,
) -> Response:
    roles.list_roles(session, principal=principal)
    role = roles.find_role(session, principal=principal, name=name)
    names: dict[str, Any] = {"role": role, "error": error, "grantable": _grantable(principal)}
    names["form"] = form or {"description": role.description, "permissions": role.permissions}
    return render(
        request, principal, "role.html", area="members", code=error.status if error else 200, **names
    )
