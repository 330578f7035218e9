"""Favorites and recents: each person's own."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue import companions, favorites, recents, trash
from leitstand.db.models import Item, Recent, Workspace
from leitstand.errors import InvalidInput, NotFound
from leitstand.identity.access import ROLES, Principal, system_principal
from tests.people import join


@pytest.fixture
def made(session: Session, owner: Principal) -> list[Item]:
    found = [companions.create(session, principal=owner, title=f"C{number}") for number in range(4)]
    session.commit()
    return found


def order(session: Session, principal: Principal) -> list[str]:
    return [item.title for item in favorites.list_favorites(session, principal=principal)]


def test_favorites_keep_the_order_they_are_given(
    session: Session, owner: Principal, made: list[Item]
) -> None:
    for item in made:
        favorites.add_favorite(session, principal=owner, item_id=item.id)
    favorites.add_favorite(session, principal=owner, item_id=made[0].id)
    assert order(session, owner) == ["C0", "C1", "C2", "C3"]
    favorites.move_favorite(session, principal=owner, item_id=made[3].id, by=-2)
    assert order(session, owner) == ["C0", "C3", "C1", "C2"]
    favorites.move_favorite(session, principal=owner, item_id=made[0].id, by=-1)
    favorites.move_favorite(session, principal=owner, item_id=made[0].id, by=99)
    assert order(session, owner) == ["C3", "C1", "C2", "C0"]
    favorites.reorder_favorites(session, principal=owner, item_ids=[made[2].id, made[2].id, made[1].id])
    assert order(session, owner) == ["C2", "C1", "C3", "C0"]
    favorites.remove_favorite(session, principal=owner, item_id=made[1].id)
    favorites.remove_favorite(session, principal=owner, item_id=made[1].id)
    assert order(session, owner) == ["C2", "C3", "C0"]
    ids = [item.id for item in made]
    assert favorites.favorite_ids(session, principal=owner, item_ids=ids) == {ids[0], ids[2], ids[3]}


def test_favorites_are_each_persons_own(
    session: Session, workspace: Workspace, owner: Principal, made: list[Item]
) -> None:
    person = join(session, workspace, role="member")
    member = Principal(person.id, workspace.id, person.name, person.email, "member", ROLES["member"])
    favorites.add_favorite(session, principal=owner, item_id=made[0].id)
    assert order(session, member) == []
    with pytest.raises(NotFound):
        favorites.move_favorite(session, principal=member, item_id=made[0].id, by=1)
    favorites.remove_favorite(session, principal=member, item_id=made[0].id)
    assert order(session, owner) == ["C0"]


def test_a_trashed_favorite_is_hidden_and_comes_back_in_its_place(
    session: Session, owner: Principal, made: list[Item]
) -> None:
    for item in made[:3]:
        favorites.add_favorite(session, principal=owner, item_id=item.id)
    trash.trash_item(session, principal=owner, item_id=made[1].id)
    assert order(session, owner) == ["C0", "C2"]
    trash.restore_item(session, principal=owner, item_id=made[1].id)
    assert order(session, owner) == ["C0", "C1", "C2"]


def test_only_a_person_has_favorites(session: Session, workspace: Workspace, made: list[Item]) -> None:
    with pytest.raises(InvalidInput):
        favorites.add_favorite(session, principal=system_principal(workspace.id), item_id=made[0].id)


def test_there_is_an_end_to_favorites(
    session: Session, owner: Principal, made: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(favorites, "MOST", 2)
    for item in made[:2]:
        favorites.add_favorite(session, principal=owner, item_id=item.id)
    with pytest.raises(InvalidInput):
        favorites.add_favorite(session, principal=owner, item_id=made[2].id)


def test_recents_are_newest_first_one_row_an_item_and_at_most_twenty_a_kind(
    session: Session, owner: Principal
) -> None:
    made = [companions.create(session, principal=owner, title=f"C{number}") for number in range(23)]
    for item in [*made, made[10]]:
        recents.note_use(session, principal=owner, item=item)
        session.commit()
    found = [item.title for item, _ in recents.list_recents(session, principal=owner)]
    assert found[:3] == ["C10", "C22", "C21"]
    assert len(found) == recents.KEEP == 20
    assert len(session.scalars(select(Recent)).all()) == 20
    recents.note_use(session, principal=system_principal(owner.workspace_id), item=made[0])
    assert len(session.scalars(select(Recent)).all()) == 20
