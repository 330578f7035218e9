"""Groups of people, and external users with what they may open."""

from uuid import UUID

from fastapi import APIRouter, Depends, status

from api.people_models import (
    GroupIn,
    MemberPage,
    OpenedOut,
    PeopleGroupOut,
    PlaceOut,
    PlacesIn,
    member_out,
    opened_out,
)
from leitstand.catalogue import externals, grants
from leitstand.identity import groups, members
from leitstand.identity.access import EXTERNAL
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(tags=["groups"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]
NOTHING = status.HTTP_204_NO_CONTENT


@router.get("/groups")
def list_groups(session: Db, principal: CurrentPrincipal, q: str = "") -> list[PeopleGroupOut]:
    """The groups by name, with how many people are in each now."""
    return [
        PeopleGroupOut(
            id=one.group.id, name=one.group.name, description=one.group.description, people=one.people
        )
        for one in groups.list_groups(session, principal=principal, q=q)
    ]


@router.post("/groups", status_code=status.HTTP_201_CREATED, dependencies=CSRF)
def create_group(session: Db, principal: CurrentPrincipal, new: GroupIn) -> PeopleGroupOut:
    """Make an empty group."""
    made = groups.create_group(session, principal=principal, **new.model_dump())
    return PeopleGroupOut(id=made.id, name=made.name, description=made.description, people=0)


@router.put("/groups/{group_id}", status_code=NOTHING, dependencies=CSRF)
def update_group(session: Db, principal: CurrentPrincipal, group_id: UUID, change: GroupIn) -> None:
    """Change name and description."""
    groups.update_group(session, principal=principal, group_id=group_id, **change.model_dump())


@router.delete("/groups/{group_id}", status_code=NOTHING, dependencies=CSRF)
def delete_group(session: Db, principal: CurrentPrincipal, group_id: UUID) -> None:
    """Delete a group; what was granted to it is granted no more."""
    groups.delete_group(session, principal=principal, group_id=group_id)


@router.get("/groups/{group_id}/people")
def list_group_people(session: Db, principal: CurrentPrincipal, group_id: UUID) -> list[PlaceOut]:
    """Who is in a group, and until when."""
    return [
        PlaceOut(
            id=one.person.id,
            name=one.person.name,
            email=one.person.email,
            role=one.role,
            expires_at=one.member.expires_at,
        )
        for one in groups.list_places(session, principal=principal, group_id=group_id)
    ]


@router.post("/groups/{group_id}/people", status_code=NOTHING, dependencies=CSRF)
def add_group_people(session: Db, principal: CurrentPrincipal, group_id: UUID, new: PlacesIn) -> None:
    """Put people of the workspace into a group; who is in it already gets the new end."""
    groups.add_people(session, principal=principal, group_id=group_id, **new.model_dump())


@router.delete("/groups/{group_id}/people/{person_id}", status_code=NOTHING, dependencies=CSRF)
def remove_group_person(session: Db, principal: CurrentPrincipal, group_id: UUID, person_id: UUID) -> None:
    """Take a person out of a group."""
    groups.remove_person(session, principal=principal, group_id=group_id, person_id=person_id)


@router.get("/groups/{group_id}/grants")
def list_group_grants(session: Db, principal: CurrentPrincipal, group_id: UUID) -> list[OpenedOut]:
    """What is granted to a group."""
    return [opened_out(o) for o in externals.opened_by_group(session, principal=principal, group_id=group_id)]


@router.get("/external-users")
def list_external_users(
    session: Db, principal: CurrentPrincipal, q: str = "", cursor: str | None = None
) -> MemberPage:
    """The people from outside, by e-mail."""
    found = members.list_members(session, principal=principal, q=q, role=EXTERNAL, cursor=cursor)
    return MemberPage(items=[member_out(one) for one in found.members], next=found.cursor)


@router.get("/external-users/{person_id}/grants")
def list_external_grants(session: Db, principal: CurrentPrincipal, person_id: UUID) -> list[OpenedOut]:
    """What an external user may open, directly or through a group."""
    externals.get_external(session, principal=principal, person_id=person_id)
    return [
        opened_out(o) for o in externals.opened_by_person(session, principal=principal, person_id=person_id)
    ]


@router.delete("/grants/{grant_id}", status_code=NOTHING, dependencies=CSRF)
def withdraw_grant(session: Db, principal: CurrentPrincipal, grant_id: UUID) -> None:
    """Take any grant of the workspace back; for who manages members."""
    grants.withdraw(session, principal=principal, grant_id=grant_id)
