"""The shapes of members, invitations, roles, groups and grants."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from api.models import Answer, Request
from api.moments import Instant
from leitstand.catalogue.externals import Opened
from leitstand.identity.invitations import MOST_AT_ONCE, Sent
from leitstand.identity.members import Member


class MemberOut(Answer):
    """`state` is `active`, or why they can't come in: `suspended`, `expired` or `disabled` (the whole account)."""

    id: UUID
    name: str
    email: str
    role: str
    state: str
    joined_at: datetime
    expires_at: datetime | None


class MemberPage(Answer):
    """One page, by e-mail; `next` is the cursor of the next page, null at the end."""

    items: list[MemberOut]
    next: str | None


class MemberChange(Request):
    """What is left out stays as it is; `expires_at` null: never."""

    role: str | None = None
    expires_at: Instant | None = None


class HeirIn(Request):
    """`to` owns the items from now on; null: private and shared ones go to the trash."""

    to: UUID | None = None


class ItemsTo(Request):
    to: UUID
    item_ids: list[UUID] = Field(max_length=500)


class InvitationOut(Answer):
    id: UUID
    email: str
    role: str
    created_at: datetime
    expires_at: datetime
    member_until: datetime | None


class InvitationsIn(Request):
    emails: list[str] = Field(max_length=MOST_AT_ONCE)
    role: str
    group_ids: list[UUID] = Field([], max_length=50)
    message: str = ""
    member_until: Instant | None = None


class InvitationsOut(Answer):
    """`links` holds each link by e-mail where no mail goes out, to be handed over; `why` says why none does."""

    invitations: list[InvitationOut]
    links: dict[str, str] | None
    why: str


class RoleOut(Answer):
    name: str
    description: str
    permissions: list[str]
    built_in: bool
    people: int


class RoleChange(Request):
    description: str = ""
    permissions: list[str] = Field(max_length=100)


class RoleIn(RoleChange):
    name: str


class GroupIn(Request):
    name: str
    description: str = ""


class PeopleGroupOut(Answer):
    id: UUID
    name: str
    description: str
    people: int


class PlaceOut(Answer):
    id: UUID
    name: str
    email: str
    role: str
    expires_at: datetime | None


class PlacesIn(Request):
    person_ids: list[UUID] = Field(max_length=500)
    expires_at: Instant | None = None


class GrantOut(Answer):
    """`kind` is `person`, `group`, or `invitation` where the person has not joined yet."""

    id: UUID
    kind: str
    name: str
    email: str
    external: bool
    level: str
    expires_at: datetime | None


class GrantIn(Request):
    """Exactly one of `person_id`, `group_id` and `email`; an e-mail of nobody here is invited as an external user."""

    person_id: UUID | None = None
    group_id: UUID | None = None
    email: str = ""
    level: str = "read"
    expires_at: Instant | None = None


class GrantMade(Answer):
    """`link` is that of an invitation which no mail carries, to be handed over; else null."""

    grants: list[GrantOut]
    link: str | None


class VisibilityIn(Request):
    visibility: str = ""


class OpenedOut(Answer):
    """`title` and `item_id` are null for an item that the reader may not see; `group` is empty for a direct grant."""

    grant_id: UUID
    item_id: UUID | None
    title: str | None
    level: str
    group: str
    expires_at: datetime | None


def member_out(member: Member) -> MemberOut:
    """A member as the API shows them."""
    person, place = member.person, member.place
    return MemberOut(
        id=person.id,
        name=person.name,
        email=person.email,
        role=place.role,
        state=member.state,
        joined_at=place.created_at,
        expires_at=place.expires_at,
    )


def invitations_out(sent: list[Sent]) -> InvitationsOut:
    """What came of inviting."""
    links = {one.invitation.email: one.link for one in sent if one.link}
    why = next((one.why for one in sent if one.why), "")
    made = [InvitationOut.model_validate(one.invitation) for one in sent]
    return InvitationsOut(invitations=made, links=links or None, why=why)


def opened_out(opened: Opened) -> OpenedOut:
    """What somebody may open."""
    item = opened.item
    return OpenedOut(
        grant_id=opened.grant_id,
        item_id=item.id if item else None,
        title=item.title if item else None,
        level=opened.level,
        group=opened.group,
        expires_at=opened.expires_at,
    )
