"""Sharing: who may open and change what, until when; and that nobody shares what is not theirs."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from leitstand.catalogue import companions, externals, grants, items, publicity, trash
from leitstand.catalogue.grants import may_edit
from leitstand.companions import versions
from leitstand.companions.flow import parse_flow
from leitstand.db.models import GroupMember, Invitation, Item, ItemGrant, Workspace
from leitstand.errors import Forbidden, InvalidInput, NotFound
from leitstand.identity import groups, joining, members, tokens
from leitstand.identity.access import Principal
from tests.people import PASSWORD, acting, join
from web.routes.flows import example

PAST = datetime.now(UTC) - timedelta(1)
SOON = datetime.now(UTC) + timedelta(1)


@pytest.fixture
def anna(session: Session, workspace: Workspace) -> Principal:
    return acting(session, workspace, join(session, workspace, role="creator", email="anna@demo.test"))


@pytest.fixture
def ben(session: Session, workspace: Workspace) -> Principal:
    return acting(session, workspace, join(session, workspace, role="member", email="ben@demo.test"))


@pytest.fixture
def outside(session: Session, workspace: Workspace) -> Principal:
    return acting(session, workspace, join(session, workspace, role="external", email="out@x.test"))


@pytest.fixture
def diary(session: Session, anna: Principal) -> Item:
    return companions.create(session, principal=anna, title="Diary", visibility="private")


def may_open(session: Session, principal: Principal, item: Item) -> bool:
    return [one.id for one in items.list_items(session, principal=principal, kind=item.kind).items] == [
        item.id
    ]


def rename(session: Session, principal: Principal, item: Item) -> None:
    items.update_item(session, principal=principal, item_id=item.id, title="Renamed")


def test_a_grant_opens_and_one_to_write_edits(
    session: Session, anna: Principal, ben: Principal, outside: Principal, diary: Item
) -> None:
    for somebody in (ben, outside):
        assert not may_open(session, somebody, diary)
        grants.share(session, principal=anna, item_id=diary.id, person_id=somebody.person_id)
        assert may_open(session, somebody, diary)
        assert not may_edit(session, somebody, diary)
        with pytest.raises(Forbidden):
            rename(session, somebody, diary)
        with pytest.raises(Forbidden):
            versions.save_version(
                session, principal=somebody, companion_id=diary.id, flow=parse_flow(example("x"))
            )
        grants.share(session, principal=anna, item_id=diary.id, person_id=somebody.person_id, level="write")
        rename(session, somebody, diary)
    assert diary.visibility == "shared"
    assert len(grants.list_grants(session, principal=anna, item_id=diary.id)) == 2
    with pytest.raises(Forbidden):
        trash.trash_item(session, principal=outside, item_id=diary.id)


def test_an_external_person_sees_nothing_that_is_not_granted(
    session: Session, anna: Principal, outside: Principal
) -> None:
    item = companions.create(session, principal=anna, title="Everybody's")
    assert not may_open(session, outside, item)
    with pytest.raises(NotFound):
        items.get_item(session, principal=outside, item_id=item.id)
    with pytest.raises(Forbidden):
        companions.create(session, principal=outside, title="Mine")
    grants.share(session, principal=anna, item_id=item.id, person_id=outside.person_id)
    assert may_open(session, outside, item)
    with pytest.raises(Forbidden):
        grants.share(session, principal=outside, item_id=item.id, email="friend@x.test")


def test_what_has_expired_opens_nothing(
    session: Session, workspace: Workspace, owner: Principal, anna: Principal, ben: Principal, diary: Item
) -> None:
    grants.share(
        session, principal=anna, item_id=diary.id, person_id=ben.person_id, level="write", expires_at=SOON
    )
    assert may_edit(session, ben, diary)
    session.execute(update(ItemGrant).values(expires_at=PAST, created_at=PAST - timedelta(1)))
    assert not may_open(session, ben, diary)
    assert not may_edit(session, ben, diary)
    assert [one.expired for one in grants.list_grants(session, principal=anna, item_id=diary.id)] == [True]
    group = groups.create_group(session, principal=owner, name="Friends")
    grants.share(session, principal=anna, item_id=diary.id, group_id=group.id, level="write")
    assert ben.person_id is not None
    groups.add_people(
        session, principal=owner, group_id=group.id, person_ids=[ben.person_id], expires_at=SOON
    )
    assert may_edit(session, ben, diary)
    session.execute(update(GroupMember).values(expires_at=PAST, created_at=PAST - timedelta(1)))
    assert not may_open(session, ben, diary)


def test_an_unknown_email_is_invited_and_the_grant_waits(
    session: Session, workspace: Workspace, anna: Principal, diary: Item
) -> None:
    sent = grants.share(session, principal=anna, item_id=diary.id, email="New@x.test", level="write")
    assert sent is not None
    assert (sent.invitation.role, sent.invitation.member_until is None) == ("external", False)
    again = companions.create(session, principal=anna, title="Second")
    assert grants.share(session, principal=anna, item_id=again.id, email="new@x.test") is None
    (waiting,) = grants.list_grants(session, principal=anna, item_id=diary.id)
    assert (waiting.kind, waiting.email) == ("invitation", "new@x.test")
    grants.revoke(session, principal=anna, item_id=again.id, grant_id=grants.list_grants(
        session, principal=anna, item_id=again.id)[0].id)  # fmt: skip
    offer = joining.find_offer(session, token=sent.link.rpartition("/")[2], address="")
    joined = joining.join_as_new(
        session, offer=offer, name="New", password=PASSWORD, user_agent="", fulfil=grants.take_up
    ).principal
    assert joined.external
    assert may_open(session, joined, diary)
    assert may_edit(session, joined, diary)
    (granted,) = grants.list_grants(session, principal=anna, item_id=diary.id)
    assert (granted.kind, granted.external) == ("person", True)


def test_sharing_tells_nothing_of_accounts_elsewhere(session: Session, anna: Principal, diary: Item) -> None:
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.commit()
    stranger = join(session, other, email="has@account.test")
    sent = grants.share(session, principal=anna, item_id=diary.id, email="has@account.test")
    assert sent is not None
    assert grants.list_grants(session, principal=anna, item_id=diary.id)[0].name == ""
    with pytest.raises(NotFound):
        grants.share(session, principal=anna, item_id=diary.id, person_id=stranger.id)


def test_only_the_owner_and_who_looks_after_the_workspace_share(
    session: Session, workspace: Workspace, anna: Principal, ben: Principal, diary: Item
) -> None:
    admin = acting(session, workspace, join(session, workspace, role="admin"))
    shown = companions.create(session, principal=anna, title="Shown")
    for refused in (
        lambda: grants.share(session, principal=ben, item_id=shown.id, email="x@y.test"),
        lambda: grants.list_grants(session, principal=ben, item_id=shown.id),
        lambda: publicity.set_visibility(session, principal=ben, item_id=shown.id, visibility="private"),
    ):
        with pytest.raises(Forbidden):
            refused()
    grants.share(session, principal=admin, item_id=shown.id, person_id=ben.person_id)
    with pytest.raises(NotFound):
        grants.share(session, principal=admin, item_id=diary.id, person_id=ben.person_id)
    with pytest.raises(InvalidInput):
        grants.share(session, principal=anna, item_id=diary.id, person_id=anna.person_id)


def test_nothing_is_shared_across_workspaces(session: Session, anna: Principal, diary: Item) -> None:
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.commit()
    stranger = acting(session, other, join(session, other))
    group = groups.create_group(session, principal=stranger, name="Theirs")
    grants.share(session, principal=anna, item_id=diary.id, email="x@y.test")
    (waiting,) = grants.list_grants(session, principal=anna, item_id=diary.id)
    for refused in (
        lambda: grants.share(session, principal=anna, item_id=diary.id, group_id=group.id),
        lambda: grants.share(session, principal=stranger, item_id=diary.id, group_id=group.id),
        lambda: grants.list_grants(session, principal=stranger, item_id=diary.id),
        lambda: grants.revoke(session, principal=stranger, item_id=diary.id, grant_id=waiting.id),
        lambda: grants.withdraw(session, principal=stranger, grant_id=waiting.id),
        lambda: publicity.set_visibility(
            session, principal=stranger, item_id=diary.id, visibility="workspace"
        ),
        lambda: externals.opened_by_person(session, principal=stranger, person_id=anna.person_id),
    ):
        with pytest.raises(NotFound):
            refused()


def test_visibility_needs_its_permissions_and_only_me_takes_everything_back(
    session: Session, workspace: Workspace, anna: Principal, ben: Principal, diary: Item
) -> None:
    admin = acting(session, workspace, join(session, workspace, role="admin"))
    grants.share(session, principal=anna, item_id=diary.id, person_id=ben.person_id)
    grants.share(session, principal=anna, item_id=diary.id, email="x@y.test")
    publicity.set_visibility(session, principal=anna, item_id=diary.id, visibility="private")
    assert session.scalar(select(ItemGrant.id)) is None
    assert grants.list_grants(session, principal=anna, item_id=diary.id) == []
    publicity.set_visibility(session, principal=anna, item_id=diary.id, visibility="internal")
    assert not may_open(session, ben, diary)
    assert may_open(session, admin, diary)
    with pytest.raises(Forbidden):
        publicity.set_visibility(session, principal=anna, item_id=diary.id, visibility="official")
    publicity.set_visibility(session, principal=admin, item_id=diary.id, visibility="official")
    assert publicity.choices(anna, diary) == ["official"]
    with pytest.raises(InvalidInput):
        publicity.set_visibility(session, principal=admin, item_id=diary.id, visibility="private")
    with pytest.raises(InvalidInput):
        publicity.set_visibility(session, principal=admin, item_id=diary.id, visibility="all")


def test_a_token_to_read_does_not_write_with_a_grant(
    session: Session, anna: Principal, ben: Principal, diary: Item
) -> None:
    grants.share(session, principal=anna, item_id=diary.id, person_id=ben.person_id, level="write")
    made = tokens.create(session, principal=ben, name="x", permissions=["item:read"])
    program = tokens.authenticate(session, made.secret)
    assert not may_edit(session, program, diary)


def test_who_manages_people_sees_what_is_open_but_no_title_of_what_they_may_not_see(
    session: Session, owner: Principal, anna: Principal, outside: Principal, diary: Item
) -> None:
    grants.share(session, principal=anna, item_id=diary.id, person_id=outside.person_id)
    assert outside.person_id is not None
    (opened,) = externals.opened_by_person(session, principal=owner, person_id=outside.person_id)
    assert opened.item is None
    grants.withdraw(session, principal=owner, grant_id=opened.grant_id)
    assert not may_open(session, outside, diary)
    with pytest.raises(Forbidden):
        externals.opened_by_person(session, principal=anna, person_id=outside.person_id)


def test_an_external_place_ends_after_ninety_days(session: Session, workspace: Workspace) -> None:
    boss = acting(session, workspace, join(session, workspace))
    externals.invite_external(session, principal=boss, emails=["x@y.test"])
    until = session.scalar(select(Invitation.member_until))
    assert until is not None
    assert timedelta(days=89) < until - datetime.now(UTC) <= timedelta(days=90)
    assert members.list_members(session, principal=boss, role="external").members == []
