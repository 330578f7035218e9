"""Members and invitations: the list, one person, and what is done with them."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.catalogue import leaving, ownership
from leitstand.errors import LeitstandError
from leitstand.identity import acting, groups, invitations, members, roles
from leitstand.identity.access import Principal, require
from serving.session import CurrentPrincipal, Db, require_csrf
from web.form_values import end_of_day, ids, last_day, one_id
from web.pages import fragment, go, render, wants_fragment
from web.session_cookie import browser_of, with_session

router = APIRouter(prefix="/settings/members", include_in_schema=False)
CSRF = [Depends(require_csrf)]
Text = Annotated[str, Form()]
Several = Annotated[list[str], Form()]
HOME = "/settings/members"
SEPARATORS = re.compile(r"[\s,;]+")


@router.get("")
def members_page(
    request: Request, session: Db, principal: CurrentPrincipal, q: str = "", role: str = "", cursor: str = ""
) -> Response:
    """The list; htmx gets the rows alone."""
    found = members.list_members(session, principal=principal, q=q, role=role, cursor=cursor or None)
    names: dict[str, Any] = {"found": found, "q": q, "role": role, "cursor": cursor}
    if wants_fragment(request):
        return fragment(principal, "parts/member_rows.html" if cursor else "parts/member_table.html", **names)
    return _list(request, session, principal, **names)


@router.post("/invite", dependencies=CSRF)
def invite(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    emails: Text = "",
    role: Text = "member",
    group: Several = [],  # noqa: B006 - FastAPI copies it
    message: Text = "",
    until: Text = "",
) -> Response:
    """Invite one or several people; where no mail goes out the answer shows the links, once."""
    form = {"emails": emails, "role": role, "groups": group, "message": message, "until": until}
    try:
        with session.begin_nested():
            sent = invitations.invite(
                session,
                principal=principal,
                emails=SEPARATORS.split(emails),
                role=role,
                group_ids=ids(group),
                message=message,
                member_until=end_of_day(until, principal.local_zone),
            )
    except LeitstandError as error:
        return _list(request, session, principal, code=error.status, error=error, form=form)
    if not any(one.link for one in sent):
        return go(HOME, "invited")
    return _list(request, session, principal, sent=sent)


@router.post("/invitations/{invitation_id}/resend", dependencies=CSRF)
def resend(request: Request, session: Db, principal: CurrentPrincipal, invitation_id: UUID) -> Response:
    """Send an invitation again."""
    sent = invitations.resend(session, principal=principal, invitation_id=invitation_id)
    return _list(request, session, principal, sent=[sent]) if sent.link else go(HOME, "invited")


@router.post("/invitations/{invitation_id}/revoke", dependencies=CSRF)
def revoke(session: Db, principal: CurrentPrincipal, invitation_id: UUID) -> Response:
    """Take an invitation back."""
    invitations.revoke(session, principal=principal, invitation_id=invitation_id)
    return go(HOME, "invitation-revoked")


@router.get("/{person_id}")
def member_page(request: Request, session: Db, principal: CurrentPrincipal, person_id: UUID) -> Response:
    """One person: role, end, and everything that is done with them."""
    return _one(request, session, principal, person_id)


@router.post("/{person_id}", dependencies=CSRF)
def change(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    person_id: UUID,
    role: Text = "",
    until: Text = "",
) -> Response:
    """Give another role or another end."""
    try:
        with session.begin_nested():
            members.change_member(
                session,
                principal=principal,
                person_id=person_id,
                role=role or None,
                expires_at=end_of_day(until, principal.local_zone),
                keep_expiry=False,
            )
    except LeitstandError as error:
        form = {"role": role, "until": until}
        return _refused(request, session, principal, person_id, error, at="place", form=form)
    return go(f"{HOME}/{person_id}", "member-saved")


@router.post("/{person_id}/suspend", dependencies=CSRF)
def suspend(request: Request, session: Db, principal: CurrentPrincipal, person_id: UUID) -> Response:
    """Let them in no more for now."""
    try:
        with session.begin_nested():
            members.suspend(session, principal=principal, person_id=person_id)
    except LeitstandError as error:
        return _refused(request, session, principal, person_id, error)
    return go(f"{HOME}/{person_id}", "member-suspended")


@router.post("/{person_id}/resume", dependencies=CSRF)
def resume(session: Db, principal: CurrentPrincipal, person_id: UUID) -> Response:
    """Let them in again."""
    members.resume(session, principal=principal, person_id=person_id)
    return go(f"{HOME}/{person_id}", "member-resumed")


@router.post("/{person_id}/transfer", dependencies=CSRF)
def transfer(
    request: Request, session: Db, principal: CurrentPrincipal, person_id: UUID, to: Text = ""
) -> Response:
    """Give all of their items to somebody."""
    try:
        with session.begin_nested():
            heir = one_id(to) or person_id
            ownership.transfer_all(session, principal=principal, person_id=person_id, to=heir)
    except LeitstandError as error:
        return _refused(request, session, principal, person_id, error, at="items", form={"heir": to})
    return go(f"{HOME}/{person_id}", "items-transferred")


@router.post("/{person_id}/remove", dependencies=CSRF)
def remove(
    request: Request, session: Db, principal: CurrentPrincipal, person_id: UUID, to: Text = ""
) -> Response:
    """Take their place away; their items go to whom was chosen."""
    try:
        with session.begin_nested():
            leaving.remove_member(session, principal=principal, person_id=person_id, to=one_id(to))
    except LeitstandError as error:
        return _refused(request, session, principal, person_id, error, at="remove", form={"to": to})
    return go(HOME, "member-removed")


@router.post("/{person_id}/make-owner", dependencies=CSRF)
def make_owner(request: Request, session: Db, principal: CurrentPrincipal, person_id: UUID) -> Response:
    """Hand the workspace over."""
    try:
        with session.begin_nested():
            members.transfer_workspace(session, principal=principal, person_id=person_id)
    except LeitstandError as error:
        return _refused(request, session, principal, person_id, error)
    return go(HOME, "workspace-transferred")


@router.post("/{person_id}/act", dependencies=CSRF)
def act(request: Request, session: Db, principal: CurrentPrincipal, person_id: UUID) -> Response:
    """Act as them for a while."""
    try:
        with session.begin_nested():
            opened = acting.begin(
                session, principal=principal, person_id=person_id, user_agent=browser_of(request)
            )
    except LeitstandError as error:
        return _refused(request, session, principal, person_id, error)
    return with_session(go("/"), opened.token)


def _list(request: Request, session: Db, principal: Principal, *, code: int = 200, **more: Any) -> Response:
    if "found" not in more:
        more["found"] = members.list_members(session, principal=principal)
    names = {
        "q": "", "role": "", "cursor": "", "error": None, "sent": [],
        "form": {"emails": "", "role": "member", "groups": [], "message": "", "until": ""},
    } | more  # fmt: skip
    return render(
        request,
        principal,
        "members.html",
        area="members",
        code=code,
        open=invitations.list_open(session, principal=principal, external=False),
        all_roles=roles.list_roles(session, principal=principal),
        assignable=roles.assignable(session, principal=principal),
        people_groups=groups.list_groups(session, principal=principal),
        now=datetime.now(UTC),
        **names,
    )


def _refused(
    request: Request, session: Db, principal: Principal, person_id: UUID, error: LeitstandError, **more: Any
) -> Response:
    if error.status == 404:
        raise error
    return _one(request, session, principal, person_id, error, **more)


def _one(
    request: Request,
    session: Db,
    principal: Principal,
    person_id: UUID,
    error: LeitstandError | None = None,
    *,
    at: str = "",
    form: dict[str, str] | None = None,
) -> Response:
    """The person's page; `at` is the form that `error` is of, `form` what was typed into it."""
    require(principal, roles.MANAGE)
    member = members.get_member(session, principal=principal, person_id=person_id)
    heirs = [
        one
        for one in members.list_members(session, principal=principal, limit=members.LARGEST_PAGE).members
        if one.person.id != person_id and one.state == "active" and "item:write" in one.permissions
    ]
    until = last_day(member.place.expires_at, principal.local_zone)
    return render(
        request,
        principal,
        "member.html",
        area="members",
        member=member,
        form={"role": member.place.role, "until": until, "heir": "", "to": ""} | (form or {}),
        error=error,
        at=at,
        heirs=heirs,
        owned=ownership.owned(session, workspace_id=principal.workspace_id, person_id=person_id),
        assignable=roles.assignable(session, principal=principal),
    )
