"""Sharing an item with people, groups and e-mails of people who are not here yet; until it is revoked or expires."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.catalogue.editing import manages, may_edit, require_edit
from leitstand.catalogue.visibility import visible
from leitstand.db.models import (
    Invitation,
    InvitationGrant,
    Item,
    ItemGrant,
    Membership,
    PeopleGroup,
    Person,
)
from leitstand.db.models.base import new_id
from leitstand.errors import Conflict, Forbidden, InvalidInput, NotFound
from leitstand.identity import audit, invitations
from leitstand.identity.access import EXTERNAL, Principal, require
from leitstand.identity.groups import group_of
from leitstand.identity.invitations import EXTERNAL_STAY, Sent, is_open
from leitstand.identity.members import checked_end, get_member
from leitstand.identity.people import checked_email
from leitstand.words import msg

LEVELS = ("read", "write")
MOST = 500

__all__ = [
    "LEVELS",
    "Grantee",
    "list_grants",
    "may_edit",
    "may_share",
    "require_edit",
    "revoke",
    "share",
    "take_up",
    "withdraw",
]


@dataclass(frozen=True)
class Grantee:
    """Who an item is shared with.

    Args:
        kind: `person`, `group`, or `invitation` where the person has not joined yet.
    """

    id: UUID
    kind: str
    name: str
    email: str
    external: bool
    level: str
    expires_at: datetime | None

    @property
    def expired(self) -> bool:
        """Whether it opens nothing any more."""
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)


def may_share(principal: Principal, item: Item) -> bool:
    """Whether the principal chooses who sees an item: its owner, and who looks after the workspace."""
    mine = principal.person_id is not None and item.owner_id == principal.person_id
    return principal.may("item:share") and not principal.external and (mine or manages(principal))


def shareable(session: Session, *, principal: Principal, item_id: UUID) -> Item:
    """The item, if the principal may share it; locked.

    Raises:
        NotFound: there is none that the principal may see.
        Forbidden: it is not theirs to share.
    """
    require(principal, "item:read")
    item = session.scalar(select(Item).where(visible(principal), Item.id == item_id).with_for_update(of=Item))
    if item is None:
        raise NotFound("There is no such item.", hint="It may have been deleted: look in the trash.")
    require(principal, "item:share")
    if not may_share(principal, item):
        raise Forbidden(
            msg(
                "Only the owner of this {kind}, and owners and admins of the workspace, share it.",
                kind=item.kind,
            ),
            hint="Ask its owner.",
        )
    return item


def share(
    session: Session,
    *,
    principal: Principal,
    item_id: UUID,
    person_id: UUID | None = None,
    group_id: UUID | None = None,
    email: str = "",
    level: str = "read",
    expires_at: datetime | None = None,
) -> Sent | None:
    """Let a person, a group or whoever has an e-mail open an item; somebody who may already gets the new level and end.

    An e-mail that nobody of the workspace has becomes an invitation as an external user, for 90 days or as long as the
    grant, which holds the grant ready until it is accepted. A private item becomes a shared one.

    Args:
        level: `read`, or `write` to let them change it too.
        expires_at: when it ends by itself; None: never.

    Returns:
        The invitation, where one was made.

    Raises:
        NotFound: no such item, person or group in the workspace.
        Forbidden: it is not the principal's to share.
        InvalidInput: nobody, or the owner, was named; the level or the end is not fit.
        Conflict: it is shared with too many.
    """
    item = shareable(session, principal=principal, item_id=item_id)
    if level not in LEVELS:
        raise InvalidInput(
            msg("There is no level {level!r}.", level=level),
            hint=msg("It is one of: {levels}.", levels=", ".join(LEVELS)),
        )
    checked_end(expires_at)
    if sum(bool(one) for one in (person_id, group_id, email.strip())) != 1:
        raise InvalidInput("Name one: a person, a group or an e-mail address.")
    count = select(func.count()).where(ItemGrant.item_id == item.id)
    if (session.scalar(count) or 0) >= MOST:
        raise Conflict(msg("This is shared with {most} already.", most=MOST), hint="Share it with a group.")
    sent = None
    if group_id is not None:
        group_of(session, workspace_id=principal.workspace_id, group_id=group_id)
    elif person_id is None:
        person_id = _member_of_email(session, principal, checked_email(email))
    if person_id is None and group_id is None:
        sent = _hold_ready(session, principal, item, checked_email(email), level, expires_at)
    else:
        _grant(session, principal, item, person_id, group_id, level, expires_at)
    if item.visibility == "private":
        item.visibility = "shared"
        session.flush()
    return sent


def revoke(session: Session, *, principal: Principal, item_id: UUID, grant_id: UUID) -> None:
    """Share an item no more with whom a grant names, or held ready for.

    Raises:
        NotFound: no such item or grant.
        Forbidden: it is not the principal's to share.
    """
    item = shareable(session, principal=principal, item_id=item_id)
    _remove(session, principal, grant_id, item.id)


def withdraw(session: Session, *, principal: Principal, grant_id: UUID) -> None:
    """Take any grant of the workspace back, also of an item that one may not see oneself.

    Raises:
        Forbidden: without `member:manage`.
        NotFound: there is no such grant.
    """
    require(principal, "member:manage")
    _remove(session, principal, grant_id, None)


def list_grants(session: Session, *, principal: Principal, item_id: UUID) -> list[Grantee]:
    """With whom an item is shared: people, groups, then those who have not joined yet; expired ones too.

    Raises:
        as `shareable`.
    """
    item = shareable(session, principal=principal, item_id=item_id)
    return [*_people(session, item), *_groups(session, item), *_invited(session, item)]


def take_up(session: Session, principal: Principal, held: InvitationGrant) -> None:
    """Turn what an invitation held ready into a grant to the one who joined; nothing where it has ended meanwhile."""
    item = session.get(Item, held.item_id)
    ended = held.expires_at is not None and held.expires_at <= datetime.now(UTC)
    gone = item is None or item.purged_at is not None or item.workspace_id != principal.workspace_id
    if item is not None and not gone and not ended:
        _grant(
            session,
            principal,
            item,
            principal.person_id,
            None,
            held.level,
            held.expires_at,
            granted_by=held.granted_by,
        )
    session.delete(held)
    session.flush()


def _grant(
    session: Session,
    principal: Principal,
    item: Item,
    person_id: UUID | None,
    group_id: UUID | None,
    level: str,
    expires_at: datetime | None,
    granted_by: UUID | None = None,
) -> None:
    if person_id is not None:
        get_member(session, principal=principal, person_id=person_id)
        if person_id == item.owner_id:
            raise InvalidInput("This person owns it.")
    row = {
        "id": new_id(), "workspace_id": principal.workspace_id, "item_id": item.id, "person_id": person_id,
        "group_id": group_id, "level": level, "granted_by": granted_by or principal.person_id, "expires_at": expires_at,
    }  # fmt: skip
    column = ItemGrant.group_id if person_id is None else ItemGrant.person_id
    changed = {"level": level, "expires_at": expires_at, "granted_by": row["granted_by"]}
    session.execute(
        insert(ItemGrant)
        .values(row)
        .on_conflict_do_update(
            index_elements=[ItemGrant.item_id, column], index_where=column.is_not(None), set_=changed
        )
    )
    whom = f"group:{group_id}" if person_id is None else f"person:{person_id}"
    _note(session, principal, item, "share", {"to": whom, "level": level, "expires_at": _text(expires_at)})


def _hold_ready(
    session: Session,
    principal: Principal,
    item: Item,
    email: str,
    level: str,
    expires_at: datetime | None,
) -> Sent | None:
    """An invitation that holds the grant ready; one that is open already takes it up."""
    query = select(Invitation).where(
        Invitation.workspace_id == principal.workspace_id, func.lower(Invitation.email) == email, is_open()
    )
    invitation, sent = session.scalar(query), None
    if invitation is None:
        until = expires_at or datetime.now(UTC) + EXTERNAL_STAY
        sent = invitations.offer(session, principal=principal, email=email, role=EXTERNAL, member_until=until)
        invitation = sent.invitation
    row = {
        "invitation_id": invitation.id, "item_id": item.id, "id": new_id(), "workspace_id": principal.workspace_id,
        "level": level, "granted_by": principal.person_id, "expires_at": expires_at,
    }  # fmt: skip
    session.execute(
        insert(InvitationGrant)
        .values(row)
        .on_conflict_do_update(
            index_elements=["invitation_id", "item_id"], set_={"level": level, "expires_at": expires_at}
        )
    )
    _note(session, principal, item, "share", {"to": email, "level": level, "expires_at": _text(expires_at)})
    return sent


def _member_of_email(session: Session, principal: Principal, email: str) -> UUID | None:
    """Who has the e-mail in this workspace, in a place that has not run out; accounts elsewhere are not told."""
    unexpired = Membership.expires_at.is_(None) | (Membership.expires_at > func.now())
    query = (
        select(Person.id)
        .join(Membership, Membership.person_id == Person.id)
        .where(Membership.workspace_id == principal.workspace_id, func.lower(Person.email) == email)
        .where(unexpired | Membership.suspended_at.is_not(None))
    )
    return session.scalar(query)


def _remove(session: Session, principal: Principal, grant_id: UUID, item_id: UUID | None) -> None:
    for table in (ItemGrant, InvitationGrant):
        gone = delete(table).where(table.id == grant_id, table.workspace_id == principal.workspace_id)
        if item_id is not None:
            gone = gone.where(table.item_id == item_id)
        found = session.scalar(gone.returning(table.item_id))
        if found is not None:
            _note(session, principal, session.get_one(Item, found), "unshare", {"grant": str(grant_id)})
            return
    raise NotFound("There is no such grant.", hint="It may have been revoked already.")


def _people(session: Session, item: Item) -> Sequence[Grantee]:
    query = (
        select(ItemGrant, Person.name, Person.email, func.coalesce(Membership.role, ""))
        .join(Person, Person.id == ItemGrant.person_id)
        .outerjoin(
            Membership,
            (Membership.person_id == Person.id) & (Membership.workspace_id == ItemGrant.workspace_id),
        )
        .where(ItemGrant.item_id == item.id)
        .order_by(func.lower(Person.name), ItemGrant.id)
    )
    return [
        Grantee(grant.id, "person", name, email, role == EXTERNAL, grant.level, grant.expires_at)
        for grant, name, email, role in session.execute(query)
    ]


def _groups(session: Session, item: Item) -> Sequence[Grantee]:
    query = (
        select(ItemGrant, PeopleGroup.name)
        .join(PeopleGroup, PeopleGroup.id == ItemGrant.group_id)
        .where(ItemGrant.item_id == item.id)
        .order_by(func.lower(PeopleGroup.name), ItemGrant.id)
    )
    return [
        Grantee(grant.id, "group", name, "", False, grant.level, grant.expires_at)
        for grant, name in session.execute(query)
    ]


def _invited(session: Session, item: Item) -> Sequence[Grantee]:
    query = (
        select(InvitationGrant, Invitation)
        .join(Invitation, Invitation.id == InvitationGrant.invitation_id)
        .where(InvitationGrant.item_id == item.id, is_open())
        .order_by(func.lower(Invitation.email))
    )
    return [
        Grantee(held.id, "invitation", "", one.email, one.role == EXTERNAL, held.level, held.expires_at)
        for held, one in session.execute(query)
    ]


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _note(session: Session, principal: Principal, item: Item, verb: str, after: dict[str, Any]) -> None:
    target = f"{item.kind}:{item.id}"
    audit.record(session, principal=principal, action=f"{item.kind}.{verb}", target=target, after=after)
