"""What lists and the home page read of items: the same items as the whole ones, in the same order."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from leitstand.catalogue import favorites, listing, recents
from leitstand.catalogue.at_hand import at_hand
from leitstand.catalogue.items import create_item
from leitstand.catalogue.listing import Filters, find, find_lines
from leitstand.db.models import Recent, Workspace
from leitstand.identity.access import ROLES, Principal
from tests.people import join


@pytest.mark.parametrize("sort", listing.SORTS)
@pytest.mark.parametrize(
    "filters", [Filters(), Filters(q="plan"), Filters(tag="b", owner="me"), Filters(favorites=True)]
)
def test_lines_are_of_the_items_that_a_list_finds(
    session: Session, owner: Principal, sort: str, filters: Filters
) -> None:
    for number in range(5):
        item = create_item(session, principal=owner, kind="board", title=f"Plan {number % 3}", tags=["b"])
        if number % 2:
            favorites.add_favorite(session, principal=owner, item_id=item.id)
    wanted = Filters(**{**vars(filters), "kind": "board", "sort": sort})
    whole = find(session, principal=owner, filters=wanted, limit=200)
    found, cursor = [], None
    while True:
        page = find_lines(session, principal=owner, filters=wanted, cursor=cursor, limit=2)
        assert len(page.items) <= 2
        found, cursor = [*found, *page.items], page.cursor
        if cursor is None:
            break
    assert [line.id for line in found] == [item.id for item in whole.items]
    assert {line.id for line in found if line.starred} == favorites.favorite_ids(
        session, principal=owner, item_ids=[item.id for item in whole.items]
    )


def test_a_page_has_no_more_lines_than_it_says(session: Session, owner: Principal) -> None:
    for number in range(listing.PAGE + 2):
        create_item(session, principal=owner, kind="board", title=f"Board {number}")
    page = find_lines(session, principal=owner, filters=Filters(kind="board"))
    assert len(page.items) == listing.PAGE
    rest = find_lines(session, principal=owner, filters=Filters(kind="board"), cursor=page.cursor)
    assert (len(rest.items), rest.cursor) == (2, None)


def test_what_is_at_hand_is_the_beginning_of_both_lists(
    session: Session, owner: Principal, workspace: Workspace
) -> None:
    person = join(session, workspace, role="member")
    member = Principal(person.id, workspace.id, "", "", "member", ROLES["member"])
    for number in range(5):
        item = create_item(session, principal=owner, kind="board", title=f"Board {number}")
        favorites.add_favorite(session, principal=owner, item_id=item.id)
        recents.note_use(session, principal=owner, item=item)
        used = session.get_one(Recent, (owner.person_id, item.id))
        used.used_at -= timedelta(minutes=number * 7 % 5)
    hidden = create_item(session, principal=owner, kind="board", title="Hidden", visibility="private")
    recents.note_use(session, principal=member, item=hidden)
    found = at_hand(session, principal=owner, limit=3)
    assert [line.id for line in found.recents] == [
        item.id for item, _ in recents.list_recents(session, principal=owner, limit=3)
    ]
    assert [line.id for line in found.favorites] == [
        item.id for item in favorites.list_favorites(session, principal=owner, limit=3)
    ]
    nothing = at_hand(session, principal=member, limit=3)
    assert not nothing.recents
    assert not nothing.favorites
