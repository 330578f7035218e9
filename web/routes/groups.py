"""Groups: the list, one group with its people and what is granted to it."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.catalogue import externals, grants
from leitstand.errors import LeitstandError
from leitstand.identity import groups, members
from leitstand.identity.access import Principal
from serving.session import CurrentPrincipal, Db, require_csrf
from web.form_values import end_of_day, ids
from web.pages import go, render

router = APIRouter(prefix="/groups", include_in_schema=False)
CSRF = [Depends(require_csrf)]
Text = Annotated[str, Form()]
Several = Annotated[list[str], Form()]


@router.get("")
def groups_page(request: Request, session: Db, principal: CurrentPrincipal, q: str = "") -> Response:
    """The list and the form of a new one."""
    return _list(request, session, principal, q)


@router.post("", dependencies=CSRF)
def create(
    request: Request, session: Db, principal: CurrentPrincipal, name: Text = "", description: Text = ""
) -> Response:
    """Make a group and open it."""
    try:
        group = groups.create_group(session, principal=principal, name=name, description=description)
    except LeitstandError as error:
        return _list(request, session, principal, "", error, name, description)
    return go(f"/groups/{group.id}", "created")


@router.get("/{group_id}")
def group_page(request: Request, session: Db, principal: CurrentPrincipal, group_id: UUID) -> Response:
    """One group."""
    return _one(request, session, principal, group_id)


@router.post("/{group_id}", dependencies=CSRF)
def save(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    group_id: UUID,
    name: Text = "",
    description: Text = "",
) -> Response:
    """Change name and description."""
    try:
        with session.begin_nested():
            groups.update_group(
                session, principal=principal, group_id=group_id, name=name, description=description
            )
    except LeitstandError as error:
        form = {"name": name, "description": description}
        return _refused(request, session, principal, group_id, error, at="about", form=form)
    return go(f"/groups/{group_id}", "saved")


@router.post("/{group_id}/people", dependencies=CSRF)
def add(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    group_id: UUID,
    person: Several = [],  # noqa: B006 - FastAPI copies it
    until: Text = "",
) -> Response:
    """Put people in, until a day."""
    try:
        with session.begin_nested():
            groups.add_people(
                session,
                principal=principal,
                group_id=group_id,
                person_ids=ids(person),
                expires_at=end_of_day(until, principal.local_zone),
            )
    except LeitstandError as error:
        form = {"people": person, "until": until}
        return _refused(request, session, principal, group_id, error, at="add", form=form)
    return go(f"/groups/{group_id}", "saved")


@router.post("/{group_id}/people/{person_id}/remove", dependencies=CSRF)
def remove(session: Db, principal: CurrentPrincipal, group_id: UUID, person_id: UUID) -> Response:
    """Take somebody out."""
    groups.remove_person(session, principal=principal, group_id=group_id, person_id=person_id)
    return go(f"/groups/{group_id}", "saved")


@router.post("/{group_id}/grants/{grant_id}/revoke", dependencies=CSRF)
def revoke(session: Db, principal: CurrentPrincipal, group_id: UUID, grant_id: UUID) -> Response:
    """Take back what is granted to the group."""
    groups.get_group(session, principal=principal, group_id=group_id)
    grants.withdraw(session, principal=principal, grant_id=grant_id)
    return go(f"/groups/{group_id}", "share-revoked")


@router.post("/{group_id}/delete", dependencies=CSRF)
def delete(session: Db, principal: CurrentPrincipal, group_id: UUID) -> Response:
    """Delete the group."""
    groups.delete_group(session, principal=principal, group_id=group_id)
    return go("/groups", "group-deleted")


def _list(
    request: Request,
    session: Db,
    principal: Principal,
    q: str,
    error: LeitstandError | None = None,
    name: str = "",
    description: str = "",
) -> Response:
    return render(
        request,
        principal,
        "groups.html",
        area="groups",
        people_groups=groups.list_groups(session, principal=principal, q=q),
        q=q,
        error=error,
        name=name,
        description=description,
    )


def _refused(
    request: Request, session: Db, principal: Principal, group_id: UUID, error: LeitstandError, **more: Any
) -> Response:
    if error.status == 404:
        raise error
    return _one(request, session, principal, group_id, error, **more)


def _one(
    request: Request,
    session: Db,
    principal: Principal,
    group_id: UUID,
    error: LeitstandError | None = None,
    *,
    at: str = "",
    form: dict[str, Any] | None = None,
) -> Response:
    """The group's page; `at` is the form that `error` is of, `form` what was typed into it."""
    group = groups.get_group(session, principal=principal, group_id=group_id)
    places = groups.list_places(session, principal=principal, group_id=group_id)
    inside = {place.person.id for place in places}
    people = members.everybody(session, principal=principal)
    return render(
        request,
        principal,
        "group.html",
        area="groups",
        group=group,
        places=places,
        others=[one for one in people if one.id not in inside],
        opened=externals.opened_by_group(session, principal=principal, group_id=group_id),
        form={"name": group.name, "description": group.description, "people": [], "until": ""} | (form or {}),
        error=error,
        at=at,
    )
