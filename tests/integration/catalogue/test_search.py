"""What is found by a few letters, and by whom."""

import pytest
from sqlalchemy.orm import Session

from leitstand.catalogue import favorites, recents
from leitstand.catalogue.items import create_item
from leitstand.catalogue.search import find_items
from leitstand.db.models import Document, Item, Membership, Workspace
from leitstand.identity.access import ROLES, Principal
from leitstand.identity.finding import find_people
from leitstand.knowledge.finding import find_documents
from tests.people import join


def make(session: Session, principal: Principal, title: str, **more: str) -> Item:
    return create_item(session, principal=principal, kind=more.pop("kind", "board"), title=title, **more)


def titles(session: Session, principal: Principal, q: str, **more: object) -> list[str]:
    return [item.title for item in find_items(session, principal=principal, q=q, **more)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("q", "first"),
    [
        ("contract", "Contract"),
        ("contrakt delivry", "Delivery of contracts"),
        ("küche", "Küche und Bad"),
        ("CONTR", "Contract"),
        ("of contracts", "Delivery of contracts"),
        ("b", "Küche und Bad"),
    ],
)
def test_typing_errors_are_forgiven(session: Session, owner: Principal, q: str, first: str) -> None:
    for title in ("Delivery of contracts", "Contract", "Küche und Bad", "Something else"):
        make(session, owner, title)
    assert titles(session, owner, q)[0] == first


def test_what_one_used_or_marked_comes_first_however_old_it_is(session: Session, owner: Principal) -> None:
    old = make(session, owner, "Report of long ago")
    for number in range(60):
        make(session, owner, f"Report {number}")
    assert "Report of long ago" not in titles(session, owner, "report")
    favorites.add_favorite(session, principal=owner, item_id=old.id)
    assert titles(session, owner, "report")[0] == "Report of long ago"
    used = make(session, owner, "A report that is used")
    recents.note_use(session, principal=owner, item=used)
    assert titles(session, owner, "report", limit=2) == ["A report that is used", "Report of long ago"]


def test_a_kind_alone_and_nothing_of_others(session: Session, owner: Principal, workspace: Workspace) -> None:
    make(session, owner, "Private plan", visibility="private")
    make(session, owner, "Open plan", kind="companion")
    person = join(session, workspace, role="member")
    member = Principal(person.id, workspace.id, "", "", "member", ROLES["member"])
    assert titles(session, owner, "plan", kind="board") == ["Private plan"]
    assert titles(session, member, "plan") == titles(session, member, "plann") == ["Open plan"]
    outside = Principal(person.id, workspace.id, "", "", "external", ROLES["external"])
    assert titles(session, outside, "plan") == []


def test_odd_texts_find_nothing_and_break_nothing(session: Session, owner: Principal) -> None:
    make(session, owner, "Plan")
    for q in ("", " ", "%", "_", "\\", "\x00", "\ud800", "'", "zebra" * 200, "🦓🦓🦓"):
        assert titles(session, owner, q) == []


def test_people_are_found_by_whoever_manages_them(
    session: Session, owner: Principal, workspace: Workspace
) -> None:
    join(session, workspace, role="member", name="Ada Lovelace", email="ada@demo.test")
    elsewhere = Workspace(slug="elsewhere", name="Elsewhere")
    session.add(elsewhere)
    session.commit()
    join(session, elsewhere, name="Ada Other", email="ada@elsewhere.test")
    for q in ("ada", "lovelase", "@demo", "LOVE"):
        assert [one.name for one in find_people(session, principal=owner, q=q)] == ["Ada Lovelace"], q
    member = Principal(None, workspace.id, "", "", "member", ROLES["member"])
    assert find_people(session, principal=member, q="ada") == []
    assert find_people(session, principal=owner, q="%") == []
    assert session.query(Membership).count() == 2


def test_documents_are_found_in_spaces_that_one_may_see(
    session: Session, owner: Principal, workspace: Workspace
) -> None:
    for title, visibility in (("Open", "workspace"), ("Closed", "private")):
        space = make(session, owner, title, kind="space", visibility=visibility)
        session.add(
            Document(
                workspace_id=workspace.id, space_id=space.id, title=f"Handbook of {title}", object_key="k",
                media_type="text/plain", bytes=1, sha256=title,
            )
        )  # fmt: skip
    session.commit()
    found = find_documents(session, principal=owner, q="handbook")
    assert {one.space for one in found} == {"Open", "Closed"}
    member = Principal(None, workspace.id, "", "", "member", ROLES["member"])
    assert [one.space for one in find_documents(session, principal=member, q="handbook")] == ["Open"]
