"""Members of the workspace and invitations to it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response, status

from api.people_models import (
    HeirIn,
    InvitationOut,
    InvitationsIn,
    InvitationsOut,
    ItemsTo,
    MemberChange,
    MemberOut,
    MemberPage,
    invitations_out,
    member_out,
)
from leitstand.catalogue import leaving, ownership
from leitstand.identity import invitations, members
from leitstand.identity.access import require
from serving.idempotency import OnceRoute, shown_once
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(tags=["members"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]
NOTHING = status.HTTP_204_NO_CONTENT


@router.get("/members")
def list_members(
    session: Db,
    principal: CurrentPrincipal,
    q: str = "",
    role: str = "",
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=members.LARGEST_PAGE)] = members.PAGE,
) -> MemberPage:
    """The people of the workspace by e-mail; external users only where their role is asked for."""
    found = members.list_members(session, principal=principal, q=q, role=role, cursor=cursor, limit=limit)
    return MemberPage(items=[member_out(one) for one in found.members], next=found.cursor)


@router.get("/members/{person_id}")
def get_member(session: Db, principal: CurrentPrincipal, person_id: UUID) -> MemberOut:
    """One person of the workspace."""
    require(principal, "member:manage")
    return member_out(members.get_member(session, principal=principal, person_id=person_id))


@router.patch("/members/{person_id}", dependencies=CSRF)
def change_member(
    session: Db, principal: CurrentPrincipal, person_id: UUID, change: MemberChange
) -> MemberOut:
    """Give another role, or another end of the place."""
    changed = members.change_member(
        session,
        principal=principal,
        person_id=person_id,
        role=change.role,
        expires_at=change.expires_at,
        keep_expiry="expires_at" not in change.model_fields_set,
    )
    return member_out(changed)


@router.post("/members/{person_id}/suspend", status_code=NOTHING, dependencies=CSRF)
def suspend_member(session: Db, principal: CurrentPrincipal, person_id: UUID) -> None:
    """Let a person in no more, until they are let in again."""
    members.suspend(session, principal=principal, person_id=person_id)


@router.post("/members/{person_id}/resume", status_code=NOTHING, dependencies=CSRF)
def resume_member(session: Db, principal: CurrentPrincipal, person_id: UUID) -> None:
    """Let a person in again."""
    members.resume(session, principal=principal, person_id=person_id)


@router.post("/members/{person_id}/remove", status_code=NOTHING, dependencies=CSRF)
def remove_member(
    session: Db, principal: CurrentPrincipal, person_id: UUID, heir: HeirIn | None = None
) -> None:
    """Take a person's place away; their items go to the heir."""
    to = heir.to if heir else None
    leaving.remove_member(session, principal=principal, person_id=person_id, to=to)


@router.post("/items/transfer", status_code=NOTHING, dependencies=CSRF)
def transfer_items(session: Db, principal: CurrentPrincipal, wanted: ItemsTo) -> None:
    """Make a member the owner of items; all of them or none."""
    ownership.transfer_items(session, principal=principal, item_ids=wanted.item_ids, to=wanted.to)


@router.get("/invitations")
def list_invitations(session: Db, principal: CurrentPrincipal) -> list[InvitationOut]:
    """The invitations that are neither accepted nor revoked, the newest first."""
    found = invitations.list_open(session, principal=principal)
    return [InvitationOut.model_validate(one) for one, _ in found]


@router.post("/invitations", status_code=status.HTTP_201_CREATED, dependencies=CSRF)
def invite_people(
    request: Request, response: Response, session: Db, principal: CurrentPrincipal, wanted: InvitationsIn
) -> InvitationsOut:
    """Invite people; links are shown once, and only where no mail goes out."""
    shown_once(request, "links")
    response.headers["Cache-Control"] = "no-store"
    sent = invitations.invite(session, principal=principal, **wanted.model_dump())
    for one in sent:
        session.refresh(one.invitation)
    return invitations_out(sent)


@router.post("/invitations/{invitation_id}/resend", dependencies=CSRF)
def resend_invitation(
    request: Request, response: Response, session: Db, principal: CurrentPrincipal, invitation_id: UUID
) -> InvitationsOut:
    """Send an invitation again; it holds for another week."""
    shown_once(request, "links")
    response.headers["Cache-Control"] = "no-store"
    return invitations_out([invitations.resend(session, principal=principal, invitation_id=invitation_id)])


@router.delete("/invitations/{invitation_id}", status_code=NOTHING, dependencies=CSRF)
def revoke_invitation(session: Db, principal: CurrentPrincipal, invitation_id: UUID) -> None:
    """Take an invitation back."""
    invitations.revoke(session, principal=principal, invitation_id=invitation_id)
