"""Going: what becomes of items, who can't go, what is forgotten and what stays; and what one takes along."""

import csv
import io
import json
import zipfile
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from leitstand.catalogue import companions, grants, leaving, ownership, personal_export
from leitstand.db.models import (
    ApiToken,
    AuditEntry,
    Item,
    ItemGrant,
    Membership,
    Person,
    SignInAttempt,
    Workspace,
)
from leitstand.errors import Conflict, Forbidden, InvalidInput, NotFound
from leitstand.identity import invitations, people, tokens
from leitstand.identity.access import Principal
from tests.people import PASSWORD, acting, join


@pytest.fixture
def boss(session: Session, workspace: Workspace) -> Principal:
    return acting(session, workspace, join(session, workspace))


@pytest.fixture
def anna(session: Session, workspace: Workspace) -> Principal:
    return acting(session, workspace, join(session, workspace, role="creator", email="an@demo.test"))


def id_of(principal: Principal) -> UUID:
    assert principal.person_id is not None
    return principal.person_id


def make(session: Session, principal: Principal) -> tuple[Item, Item]:
    return (
        companions.create(session, principal=principal, title="Diary", visibility="private"),
        companions.create(session, principal=principal, title="Shown"),
    )


def test_removing_hands_items_over_and_ends_everything(
    session: Session, boss: Principal, anna: Principal
) -> None:
    diary, shown = make(session, anna)
    tokens.create(session, principal=anna, name="x", permissions=["item:read"])
    other = companions.create(session, principal=boss, title="Other")
    grants.share(session, principal=boss, item_id=other.id, person_id=id_of(anna))
    leaving.remove_member(session, principal=boss, person_id=id_of(anna), to=id_of(boss))
    assert {diary.owner_id, shown.owner_id} == {boss.person_id}
    assert session.scalar(select(ItemGrant.id)) is None
    assert session.scalar(select(ApiToken.id)) is None
    assert session.scalar(select(Person.id).where(Person.id == anna.person_id)) is not None


def test_without_an_heir_private_items_go_to_the_trash_and_the_others_stay(
    session: Session, boss: Principal, anna: Principal
) -> None:
    diary, shown = make(session, anna)
    leaving.leave(session, principal=anna)
    session.expire_all()
    assert diary.deleted_at is not None
    assert (shown.deleted_at, shown.owner_id, diary.owner_id) == (None, None, None)


def test_who_may_not_go_or_send_others(
    session: Session, workspace: Workspace, boss: Principal, anna: Principal
) -> None:
    admin = acting(session, workspace, join(session, workspace, role="admin"))
    outside = join(session, workspace, role="external")
    with pytest.raises(Conflict):
        leaving.leave(session, principal=boss)
    with pytest.raises(Conflict):
        leaving.delete_account(session, principal=boss, password=PASSWORD)
    with pytest.raises(Forbidden):
        leaving.remove_member(session, principal=admin, person_id=id_of(boss))
    with pytest.raises(Forbidden):
        leaving.remove_member(session, principal=anna, person_id=outside.id)
    with pytest.raises(InvalidInput):
        leaving.remove_member(session, principal=boss, person_id=id_of(anna), to=outside.id)
    with pytest.raises(Forbidden):
        leaving.leave(session, principal=replace(anna, impersonator="owner@demo.test"))
    with pytest.raises(Forbidden):
        personal_export.export(session, principal=replace(anna, impersonator="owner@demo.test"))
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.commit()
    stranger = acting(session, other, join(session, other))
    with pytest.raises(NotFound):
        leaving.remove_member(session, principal=stranger, person_id=id_of(anna))
    with pytest.raises(NotFound):
        ownership.transfer_all(session, principal=stranger, person_id=id_of(anna), to=id_of(stranger))
    with pytest.raises(NotFound):
        leaving.remove_member(session, principal=boss, person_id=id_of(anna), to=id_of(stranger))


def test_items_are_handed_over_by_who_owns_or_looks_after_them(
    session: Session, workspace: Workspace, boss: Principal, anna: Principal
) -> None:
    diary, shown = make(session, anna)
    ben = acting(session, workspace, join(session, workspace, role="member"))
    with pytest.raises(Forbidden):
        ownership.transfer_items(session, principal=ben, item_ids=[shown.id], to=id_of(ben))
    with pytest.raises(NotFound):
        ownership.transfer_items(session, principal=boss, item_ids=[shown.id, diary.id], to=id_of(ben))
    assert (
        ownership.transfer_items(session, principal=anna, item_ids=[shown.id, diary.id], to=id_of(ben)) == 2
    )
    assert ownership.transfer_items(session, principal=boss, item_ids=[shown.id], to=id_of(anna)) == 1


def test_a_deleted_account_is_forgotten_and_the_log_keeps_a_pseudonym(
    session: Session, workspace: Workspace, boss: Principal, anna: Principal
) -> None:
    # A longer address that ends like this one is somebody else's.
    longer = acting(session, workspace, join(session, workspace, role="creator", email="jan@demo.test"))
    companions.create(session, principal=longer, title="By Jan")
    diary, _ = make(session, anna)
    people.update_profile(session, principal=anna, name="Anna Namegone")
    invitations.invite(session, principal=boss, emails=["an@elsewhere.test"], role="member")
    leaving.delete_account(session, principal=anna, password=PASSWORD)
    session.commit()
    session.expire_all()
    everything = " ".join(
        row
        for table in ("person", "membership", "invitation", "audit_entry", "user_session")
        for row in session.execute(text(f"SELECT CAST(t AS text) FROM {table} AS t")).scalars()
    )
    assert "an@demo.test" not in everything.replace("jan@demo.test", "")
    assert "Namegone" not in everything
    assert diary.deleted_at is not None
    actors = set(session.scalars(select(AuditEntry.actor)))
    assert f"deleted person {id_of(anna).hex[-8:]}" in actors
    assert "jan@demo.test" in actors
    assert (
        session.scalar(select(Membership.role).where(Membership.person_id == longer.person_id)) == "creator"
    )


def test_a_wrong_password_deletes_nothing_and_counts(session: Session, anna: Principal) -> None:
    with pytest.raises(InvalidInput):
        leaving.delete_account(session, principal=anna, password="wrong")
    assert session.scalar(select(SignInAttempt.id)) is not None
    assert session.get(Person, anna.person_id) is not None


def test_the_export_holds_what_is_ones_own_and_no_secret(
    session: Session, boss: Principal, anna: Principal
) -> None:
    make(session, anna)
    companions.create(session, principal=boss, title="Bosses own", visibility="private")
    made = tokens.create(session, principal=anna, name="=cmd()", permissions=["item:read"])
    with personal_export.export(session, principal=anna) as file:
        data = file.read()
    archive = zipfile.ZipFile(io.BytesIO(data))
    titles = {item["title"] for item in json.loads(archive.read("items.json"))}
    assert titles == {"Diary", "Shown"}
    assert json.loads(archive.read("profile.json"))[0]["email"] == "an@demo.test"
    rows = list(csv.DictReader(io.StringIO(archive.read("tokens.csv").decode())))
    assert rows[0]["name"] == "'=cmd()"
    whole = b"".join(archive.read(name) for name in archive.namelist())
    assert b"argon2" not in whole
    assert made.token.token_hash.hex().encode() not in whole
    assert b"hash" not in b"".join(
        archive.read(n).partition(b"\n")[0] for n in archive.namelist() if n.endswith("csv")
    )
    assert b"companion.create" in archive.read("what-you-did.csv")
