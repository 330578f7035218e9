"""External users: the list, one person with what they may open, and what is done with them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from leitstand.catalogue import externals, grants, leaving
from leitstand.errors import LeitstandError, NotFound
from leitstand.identity import groups, invitations, members
from leitstand.identity.access import EXTERNAL, Principal
from serving.session import CurrentPrincipal, Db, require_csrf
from web.form_values import end_of_day, ids, last_day, one_id
from web.pages import go, render
from web.routes.members import SEPARATORS, Several, Text

router = APIRouter(prefix="/external-users", include_in_schema=False)
CSRF = [Depends(require_csrf)]
HOME = "/external-users"


@router.get("")
def external_page(
    request: Request, session: Db, principal: CurrentPrincipal, q: str = "", cursor: str = ""
) -> Response:
    """The list, the open invitations and the form of a new one."""
    return _list(request, session, principal, q=q, cursor=cursor)


@router.post("/invite", dependencies=CSRF)
def invite(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    emails: Text = "",
    group: Several = [],  # noqa: B006 - FastAPI copies it
    message: Text = "",
    until: Text = "",
) -> Response:
    """Invite people from outside."""
    form = {"emails": emails, "groups": group, "message": message, "until": until}
    try:
        with session.begin_nested():
            sent = externals.invite_external(
                session,
                principal=principal,
                emails=SEPARATORS.split(emails),
                group_ids=ids(group),
                message=message,
                member_until=end_of_day(until, principal.local_zone),
            )
    except LeitstandError as error:
        return _list(request, session, principal, code=error.status, error=error, form=form)
    return _list(request, session, principal, sent=sent) if any(o.link for o in sent) else go(HOME, "invited")


@router.get("/{person_id}")
def one_page(
    request: Request, session: Db, principal: CurrentPrincipal, person_id: UUID, q: str = ""
) -> Response:
    """One person and what they may open."""
    return _one(request, session, principal, person_id, q=q)


@router.post("/{person_id}", dependencies=CSRF)
def extend(
    request: Request, session: Db, principal: CurrentPrincipal, person_id: UUID, until: Text = ""
) -> Response:
    """Choose another end of their place."""
    externals.get_external(session, principal=principal, person_id=person_id)
    try:
        with session.begin_nested():
            members.change_member(
                session,
                principal=principal,
                person_id=person_id,
                expires_at=end_of_day(until, principal.local_zone),
                keep_expiry=False,
            )
    except LeitstandError as error:
        return _one(request, session, principal, person_id, error, at="end", form={"end": until})
    return go(f"{HOME}/{person_id}", "member-saved")


@router.post("/{person_id}/grants", dependencies=CSRF)
def grant(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    person_id: UUID,
    item: Text = "",
    level: Text = "read",
    until: Text = "",
) -> Response:
    """Let them open an item."""
    externals.get_external(session, principal=principal, person_id=person_id)
    try:
        with session.begin_nested():
            grants.share(
                session,
                principal=principal,
                item_id=one_id(item) or person_id,
                person_id=person_id,
                level=level,
                expires_at=end_of_day(until, principal.local_zone),
            )
    except LeitstandError as error:
        form = {"item": item, "level": level, "until": until}
        return _one(request, session, principal, person_id, error, at="grant", form=form)
    return go(f"{HOME}/{person_id}", "shared")


@router.post("/{person_id}/grants/{grant_id}/revoke", dependencies=CSRF)
def revoke(session: Db, principal: CurrentPrincipal, person_id: UUID, grant_id: UUID) -> Response:
    """Take a grant back."""
    externals.get_external(session, principal=principal, person_id=person_id)
    grants.withdraw(session, principal=principal, grant_id=grant_id)
    return go(f"{HOME}/{person_id}", "share-revoked")


@router.post("/{person_id}/{verb}", dependencies=CSRF)
def end(session: Db, principal: CurrentPrincipal, person_id: UUID, verb: str) -> Response:
    """Suspend, let in again or remove."""
    externals.get_external(session, principal=principal, person_id=person_id)
    if verb == "suspend":
        members.suspend(session, principal=principal, person_id=person_id)
        return go(f"{HOME}/{person_id}", "member-suspended")
    if verb == "resume":
        members.resume(session, principal=principal, person_id=person_id)
        return go(f"{HOME}/{person_id}", "member-resumed")
    if verb == "remove":
        leaving.remove_member(session, principal=principal, person_id=person_id)
        return go(HOME, "member-removed")
    raise NotFound("There is nothing of that kind to do.")


def _suggested() -> str:
    return (datetime.now(UTC) + invitations.EXTERNAL_STAY).date().isoformat()


def _list(
    request: Request,
    session: Db,
    principal: Principal,
    *,
    code: int = 200,
    q: str = "",
    cursor: str = "",
    **more: Any,
) -> Response:
    found = members.list_members(session, principal=principal, q=q, role=EXTERNAL, cursor=cursor or None)
    people = [one.person.id for one in found.members]
    names = {
        "error": None,
        "sent": [],
        "form": {"emails": "", "groups": [], "message": "", "until": _suggested()},
    } | more
    return render(
        request,
        principal,
        "external_users.html",
        area="external-users",
        code=code,
        found=found,
        q=q,
        counts=externals.grants_of(session, principal=principal, person_ids=people),
        open=invitations.list_open(session, principal=principal, external=True),
        people_groups=groups.list_groups(session, principal=principal),
        now=datetime.now(UTC),
        **names,
    )


def _one(
    request: Request,
    session: Db,
    principal: Principal,
    person_id: UUID,
    error: LeitstandError | None = None,
    *,
    q: str = "",
    at: str = "",
    form: dict[str, str] | None = None,
) -> Response:
    """The person's page; `at` is the form that `error` is of, `form` what was typed into it."""
    member = externals.get_external(session, principal=principal, person_id=person_id)
    end = last_day(member.place.expires_at, principal.local_zone)
    return render(
        request,
        principal,
        "external_user.html",
        area="external-users",
        member=member,
        form={"item": "", "level": "read", "until": "", "end": end} | (form or {}),
        opened=externals.opened_by_person(session, principal=principal, person_id=person_id),
        items=externals.items_to_share(session, principal=principal, q=q)
        if principal.may("item:share")
        else [],
        q=q,
        error=error,
        at=at,
    )
