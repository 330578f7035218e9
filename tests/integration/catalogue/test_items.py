"""Items: listed, found, changed, hidden."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue import companions, items
from leitstand.catalogue.search import find_items
from leitstand.db.models import AuditEntry, Item, Workspace
from leitstand.errors import Conflict, Forbidden, InvalidInput, NotFound
from leitstand.identity.access import ROLES, Principal
from leitstand.words import translate
from tests.people import join


def make(session: Session, principal: Principal, title: str, **more: object) -> Item:
    item = companions.create(session, principal=principal, title=title, **more)
    session.commit()
    return item


def as_role(session: Session, workspace: Workspace, role: str) -> Principal:
    person = join(session, workspace, role=role)
    return Principal(person.id, workspace.id, person.name, person.email, role, ROLES[role])


def titles(listing: items.Listing) -> list[str]:
    return [item.title for item in listing.items]


def test_a_list_pages_by_keyset_through_everything_once(session: Session, owner: Principal) -> None:
    for number in range(7):
        make(session, owner, f"Companion {number}")
    same = session.scalars(
        select(Item).where(Item.title.in_(["Companion 2", "Companion 3", "Companion 4"]))
    ).all()
    for item in same:
        item.updated_at = same[0].updated_at
    session.commit()
    seen, cursor = [], None
    while True:
        page = items.list_items(session, principal=owner, kind="companion", cursor=cursor, limit=2)
        seen += titles(page)
        cursor = page.cursor
        if cursor is None:
            break
    assert sorted(seen) == [f"Companion {number}" for number in range(7)]
    assert seen[0] == "Companion 6"


def test_a_change_between_two_pages_repeats_and_loses_nothing_behind_it(
    session: Session, owner: Principal
) -> None:
    made = [make(session, owner, f"C{number}") for number in range(4)]
    first = items.list_items(session, principal=owner, kind="companion", limit=2)
    items.update_item(session, principal=owner, item_id=made[3].id, description="touched")
    rest = items.list_items(session, principal=owner, kind="companion", limit=2, cursor=first.cursor)
    assert titles(first) + titles(rest) == ["C3", "C2", "C1", "C0"]


def test_a_list_is_searched_and_filtered(session: Session, owner: Principal) -> None:
    for title in ("100% wool", "1000 wool", "Under_score", "UNDERSCORE", "Ünder"):
        make(session, owner, title)

    def find(q: str, status: str = "") -> list[str]:
        return titles(items.list_items(session, principal=owner, kind="companion", q=q, status=status))

    assert find("100%") == ["100% wool"]
    assert find("under_") == ["Under_score"]
    assert find("ünd") == ["Ünder"]
    assert find("WOOL") == ["1000 wool", "100% wool"]
    assert find("\\") == []
    assert find("wo") == ["1000 wool", "100% wool"]
    assert find("oo") == []
    assert find("wool", "published") == []
    assert find("\x00wool ") == ["1000 wool", "100% wool"]
    with pytest.raises(InvalidInput):
        find("", "secret")


def test_search_puts_what_begins_so_first(session: Session, owner: Principal) -> None:
    for title in ("Gift finder", "Returned gifts", "Nothing"):
        make(session, owner, title)
    assert [item.title for item in find_items(session, principal=owner, q="gift")] == [
        "Gift finder",
        "Returned gifts",
    ]
    assert find_items(session, principal=owner, q=" ") == []


def test_a_change_is_written_down_once_and_moves_to_the_head(session: Session, owner: Principal) -> None:
    old, new = make(session, owner, "Old"), make(session, owner, "New")
    items.update_item(session, principal=owner, item_id=old.id, title="Older", tags=["B", "a"])
    items.update_item(session, principal=owner, item_id=old.id, title="Older")
    session.commit()
    assert titles(items.list_items(session, principal=owner, kind="companion")) == ["Older", "New"]
    entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "companion.update")).all()
    assert [(entry.before, entry.after) for entry in entries] == [
        ({"title": "Old", "tags": []}, {"title": "Older", "tags": ["b", "a"]})
    ]
    assert new.title == "New"


def test_a_refused_change_leaves_everything_as_it_was(session: Session, owner: Principal) -> None:
    item = make(session, owner, "Kept")
    with pytest.raises(InvalidInput):
        items.update_item(session, principal=owner, item_id=item.id, title="Lost", tags=["x" * 99])
    session.commit()
    assert items.get_item(session, principal=owner, item_id=item.id).title == "Kept"


def test_a_change_made_meanwhile_is_not_overwritten(session: Session, owner: Principal) -> None:
    item = make(session, owner, "First")
    seen = item.updated_at
    items.update_item(session, principal=owner, item_id=item.id, title="Second", seen=seen)
    with pytest.raises(Conflict):
        items.update_item(session, principal=owner, item_id=item.id, title="Third", seen=seen)
    with pytest.raises(Conflict):
        items.update_item(
            session,
            principal=owner,
            item_id=item.id,
            title="Third",
            seen=item.updated_at + timedelta(microseconds=1),
        )


def test_a_private_item_is_nobody_elses(session: Session, workspace: Workspace, owner: Principal) -> None:
    member = as_role(session, workspace, "member")
    secret = make(session, member, "Diary", visibility="private")
    with pytest.raises(NotFound):
        items.get_item(session, principal=owner, item_id=secret.id)
    assert titles(items.list_items(session, principal=owner, kind="companion")) == []
    assert titles(items.list_items(session, principal=member, kind="companion")) == ["Diary"]
    shared = make(session, owner, "Shared")
    with pytest.raises(InvalidInput):
        items.update_item(session, principal=member, item_id=shared.id, visibility="private")


def test_roles_limit_what_is_done(session: Session, workspace: Workspace, owner: Principal) -> None:
    item = make(session, owner, "Thing")
    analyst, member = as_role(session, workspace, "analyst"), as_role(session, workspace, "member")
    assert items.get_item(session, principal=analyst, item_id=item.id).title == "Thing"
    with pytest.raises(Forbidden):
        companions.create(session, principal=analyst, title="x")
    with pytest.raises(Forbidden):
        items.update_item(session, principal=analyst, item_id=item.id, title="x")
    with pytest.raises(Forbidden):
        companions.publish(session, principal=member, item_id=item.id)
    nobody = replace(analyst, permissions=frozenset())
    with pytest.raises(Forbidden):
        items.list_items(session, principal=nobody, kind="companion")
    with pytest.raises(Forbidden):
        find_items(session, principal=nobody, q="x")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (None, "Eintrag"),
        ("collection", "Sammlung"),
        ("conversation", "Unterhaltung"),
        ("one of another release", "Eintrag"),
    ],
)
def test_what_is_not_there_is_named_in_german(
    session: Session, owner: Principal, kind: str | None, said: str
) -> None:
    with pytest.raises(NotFound) as missing:
        items.get_item(session, principal=owner, item_id=owner.person_id, kind=kind)
    assert translate(missing.value.message, "de") == f"Das gibt es nicht ({said})."


def test_a_kind_is_asked_for(session: Session, owner: Principal) -> None:
    item = make(session, owner, "Bot")
    with pytest.raises(NotFound):
        items.get_item(session, principal=owner, item_id=item.id, kind="agent")
    assert titles(items.list_items(session, principal=owner, kind="agent")) == []
