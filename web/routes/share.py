"""Sharing an item of any kind: who may open it, until when, and who sees it without that."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.catalogue import grants, publicity
from leitstand.errors import InvalidInput, LeitstandError
from leitstand.identity import groups, members
from leitstand.identity.access import Principal
from leitstand.identity.invitations import Sent
from leitstand.words import N_
from serving.session import CurrentPrincipal, Db, require_csrf
from web.form_values import end_of_day, one_id
from web.pages import go, render

router = APIRouter(prefix="/share", include_in_schema=False)
CSRF = [Depends(require_csrf)]
Text = Annotated[str, Form()]
TITLES = {
    "private": N_("Only me"),
    "shared": N_("Those it is shared with"),
    "workspace": N_("Everybody in the workspace"),
    "official": N_("Everybody, as an official item of the organisation"),
    "internal": N_("Those who build: internal"),
}


@router.get("/{item_id}")
def share_page(request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID) -> Response:
    """Who has access, and the forms."""
    return _page(request, session, principal, item_id)


@router.post("/{item_id}", dependencies=CSRF)
def share(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    who: Text = "",
    group: Text = "",
    level: Text = "read",
    until: Text = "",
) -> Response:
    """Share it with a person by e-mail, or with a group."""
    grants.shareable(session, principal=principal, item_id=item_id)
    try:
        if not (who.strip() or group):
            raise InvalidInput("Nobody was named.", hint="Write an e-mail address or choose a group.")
        with session.begin_nested():
            sent = grants.share(
                session,
                principal=principal,
                item_id=item_id,
                group_id=one_id(group) if not who.strip() else None,
                email=who,
                level=level,
                expires_at=end_of_day(until, principal.local_zone),
            )
    except LeitstandError as error:
        form = {"who": who, "group": group, "level": level, "until": until}
        return _page(request, session, principal, item_id, error=error, form=form)
    if sent is not None and sent.link:
        return _page(request, session, principal, item_id, sent=[sent])
    return go(f"/share/{item_id}", "shared")


@router.post("/{item_id}/visibility", dependencies=CSRF)
def set_visibility(
    request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID, visibility: Text = ""
) -> Response:
    """Choose who sees it."""
    grants.shareable(session, principal=principal, item_id=item_id)
    try:
        with session.begin_nested():
            publicity.set_visibility(session, principal=principal, item_id=item_id, visibility=visibility)
    except LeitstandError as error:
        return _page(request, session, principal, item_id, visibility_error=error, visibility=visibility)
    return go(f"/share/{item_id}", "saved")


@router.post("/{item_id}/{grant_id}/revoke", dependencies=CSRF)
def revoke(session: Db, principal: CurrentPrincipal, item_id: UUID, grant_id: UUID) -> Response:
    """Share it with them no more."""
    grants.revoke(session, principal=principal, item_id=item_id, grant_id=grant_id)
    return go(f"/share/{item_id}", "share-revoked")


def _page(
    request: Request,
    session: Db,
    principal: Principal,
    item_id: UUID,
    *,
    error: LeitstandError | None = None,
    form: dict[str, str] | None = None,
    sent: list[Sent] | None = None,
    visibility_error: LeitstandError | None = None,
    visibility: str = "",
) -> Response:
    shown = error or visibility_error
    item = grants.shareable(session, principal=principal, item_id=item_id)
    return render(
        request,
        principal,
        "share.html",
        area=f"{item.kind}s",
        code=shown.status if shown else 200,
        item=item,
        grants=grants.list_grants(session, principal=principal, item_id=item_id),
        choices=publicity.choices(principal, item),
        titles=TITLES,
        people=members.colleagues(session, principal=principal),
        people_groups=groups.group_names(session, principal=principal),
        form=form or {"who": "", "group": "", "level": "read", "until": ""},
        sent=sent or [],
        error=error,
        visibility_error=visibility_error,
        visibility=visibility or item.visibility,
    )
