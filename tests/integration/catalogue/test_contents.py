"""Items of every kind: made, saved as versions, compared, rolled back, duplicated, hidden."""

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.catalogue import bulk, contents, items, lifecycle, trash, versions
from leitstand.catalogue.kinds import KINDS
from leitstand.catalogue.listing import Filters, find
from leitstand.db.models import Item, ItemGrant, ItemReference, ItemVersion, Workspace
from leitstand.errors import Conflict, Forbidden, InvalidInput, NotFound
from leitstand.identity.access import ROLES, Principal
from tests.people import join

SIMPLE = {
    "agent": {"instructions": "Be brief.", "tools": ["search"]},
    "board": {"notes": [{"id": "n1", "text": "Hello", "x": 5, "y": 6}]},
    "collection": {},
    "space": {"sources": "The handbook"},
    "control": {"schema": {"type": "integer"}, "default": 3},
    "app": {"inputs": [{"name": "topic", "label": "Topic"}]},
    "companion": {},
}


@pytest.fixture
def someone(session: Session, workspace: Workspace) -> Callable[[str], Principal]:
    def make(role: str) -> Principal:
        person = join(session, workspace, role=role)
        return Principal(person.id, workspace.id, person.name, person.email, role, ROLES[role])

    return make


def make(session: Session, principal: Principal, kind: str, title: str, **more: object) -> Item:
    return contents.create(session, principal=principal, kind=kind, title=title, **more)


def document(session: Session, principal: Principal, item_id: UUID) -> dict[str, object]:
    return contents.read(session, principal=principal, item_id=item_id).content.document()


def test_every_kind_is_made_saved_compared_and_rolled_back(session: Session, owner: Principal) -> None:
    for kind in set(KINDS) - {"companion"}:
        item = make(session, owner, kind, f"My {kind}", content=SIMPLE[kind])
        assert item.version == 1
        contents.save(session, principal=owner, item_id=item.id, title=f"My {kind}", content=None)
        assert item.version == 1
        contents.save(
            session, principal=owner, item_id=item.id, title="Other", tags=["B"], icon="star", note="why"
        )
        assert item.version == 2
        found = versions.compare(session, principal=owner, item_id=item.id, first=1, second=2)
        assert {change.path[0] for change in found} == {"title", "tags", "icon"}
        versions.roll_back(session, principal=owner, item_id=item.id, number=1)
        assert (item.version, item.title, item.icon) == (3, f"My {kind}", "")
        kept = versions.list_versions(session, principal=owner, item_id=item.id)
        assert [(v.number, v.note) for v in kept] == [(3, "Rolled back to version 1"), (2, "why"), (1, "")]
        assert kept[0].created_by == owner.name
        copy = lifecycle.duplicate(session, principal=owner, item_id=item.id)
        assert (copy.title, copy.visibility, copy.status) == (f"Copy of My {kind}", "private", "draft")
        assert document(session, owner, copy.id) == document(session, owner, item.id)


def test_a_stale_save_is_refused_by_version_and_by_time(session: Session, owner: Principal) -> None:
    item = make(session, owner, "space", "Handbook")
    seen = item.updated_at
    contents.save(session, principal=owner, item_id=item.id, content={"sources": "a"}, seen=1)
    for stale in (1, seen):
        with pytest.raises(Conflict):
            contents.save(session, principal=owner, item_id=item.id, content={"sources": "b"}, seen=stale)
    contents.save(session, principal=owner, item_id=item.id, content={"sources": "b"}, seen=item.updated_at)
    with pytest.raises(InvalidInput):
        contents.save(session, principal=owner, item_id=item.id, content={"nonsense": 1})
    assert document(session, owner, item.id) == {"sources": "b"}


def test_an_item_from_before_there_were_versions_keeps_what_it_was(
    session: Session, owner: Principal
) -> None:
    item = items.create_item(session, principal=owner, kind="space", title="Old")
    contents.save(session, principal=owner, item_id=item.id, title="New")
    kept = session.scalars(select(ItemVersion.title).order_by(ItemVersion.number)).all()
    assert (kept, item.version) == (["Old", "New"], 2)


def test_hidden_entries_are_not_shown_and_not_lost(
    session: Session, owner: Principal, someone: Callable[[str], Principal]
) -> None:
    member = someone("member")
    a, c = (make(session, owner, "space", title) for title in "AC")
    diary = make(session, owner, "space", "Diary", visibility="private")
    entries = [{"item_id": str(i.id), "note": i.title} for i in (a, diary, c)]
    whole = make(session, owner, "collection", "All", content={"entries": entries})
    seen = contents.read(session, principal=member, item_id=whole.id)
    assert seen.hidden == 1
    assert "Diary" not in str(seen.content.document())
    turned = list(reversed(seen.content.document()["entries"]))
    contents.save(session, principal=member, item_id=whole.id, content={"entries": turned})
    notes = [entry["note"] for entry in document(session, owner, whole.id)["entries"]]  # type: ignore[index,attr-defined]
    assert notes == ["C", "A", "Diary"]
    for change in versions.compare(session, principal=member, item_id=whole.id, first=1, second=2):
        assert "Diary" not in str(change)
    assert [i.title for i in lifecycle.used_by(session, principal=owner, item_id=diary.id)] == ["All"]
    with pytest.raises(InvalidInput):
        make(session, member, "collection", "Mine", content={"entries": entries})


def test_references_are_kept_in_step(session: Session, owner: Principal) -> None:
    space, control = make(session, owner, "space", "S"), make(session, owner, "control", "C")
    agent = make(session, owner, "agent", "A", content={"spaces": [str(space.id)]})
    given = {"name": "x", "field": "control", "control_id": str(control.id)}
    app = make(session, owner, "app", "App", content={"agent_id": str(agent.id), "inputs": [given]})
    used = select(ItemReference.to_id).where(ItemReference.from_id == app.id)
    assert set(session.scalars(used)) == {agent.id, control.id}
    contents.save(session, principal=owner, item_id=app.id, content={"agent_id": str(agent.id)})
    assert set(session.scalars(used)) == {agent.id}
    with pytest.raises(InvalidInput) as refused:
        contents.save(session, principal=owner, item_id=app.id, content={"agent_id": str(space.id)})
    assert refused.value.details["errors"] == [
        {"pointer": "/agent_id", "detail": "there is no such agent that you may see"}
    ]


def test_a_comment_is_its_writers_whatever_is_claimed(
    session: Session, owner: Principal, someone: Callable[[str], Principal]
) -> None:
    forged = {"id": "c1", "text": "Hello", "author": "The Pope", "at": "1990-01-01T00:00:00Z"}
    board = make(session, owner, "board", "B", content={"comments": [forged]})
    first = document(session, owner, board.id)["comments"][0]  # type: ignore[index]
    assert first["author"] == owner.name
    claimed = {**first, "text": "I never said so", "author": "x"}
    contents.save(session, principal=someone("member"), item_id=board.id, content={"comments": [claimed]})
    assert document(session, owner, board.id)["comments"] == [first]


def test_who_may_edit(session: Session, owner: Principal, someone: Callable[[str], Principal]) -> None:
    member, outsider = someone("member"), someone("external")
    shared = make(session, owner, "space", "Shared", visibility="shared")

    def save(principal: Principal) -> None:
        contents.save(session, principal=principal, item_id=shared.id, description=principal.role)

    for principal in (member, outsider):
        with pytest.raises(NotFound):
            save(principal)
        grant = ItemGrant(workspace_id=owner.workspace_id, item_id=shared.id, person_id=principal.person_id)
        session.add(grant)
        session.flush()
        with pytest.raises(Forbidden):
            save(principal)
        grant.level = "write"
        session.flush()
        save(principal)
    with pytest.raises(Forbidden):
        make(session, member, "space", "x", visibility="official")
    with pytest.raises(Forbidden):
        make(session, outsider, "space", "x")


def test_status_changes_need_the_permission(
    session: Session, owner: Principal, someone: Callable[[str], Principal]
) -> None:
    item = make(session, owner, "agent", "A")
    for action, status in (
        (lifecycle.publish, "published"),
        (lifecycle.withdraw, "draft"),
        (lifecycle.archive, "archived"),
    ):
        assert action(session, principal=owner, item_id=item.id).status == status
        with pytest.raises(Forbidden):
            action(
                session,
                principal=someone("member") if action is lifecycle.publish else replace_role(owner),
                item_id=item.id,
            )
    with pytest.raises(Conflict):
        lifecycle.publish(session, principal=owner, item_id=make(session, owner, "companion", "C").id)


def replace_role(principal: Principal) -> Principal:
    return Principal(principal.person_id, principal.workspace_id, "", "", "member", ROLES["member"])


def test_lists_are_filtered_and_sorted_by_keyset(session: Session, owner: Principal) -> None:
    for title, tags in (("beta", ["x"]), ("Alpha", ["x", "y"]), ("gamma", [])):
        make(session, owner, "agent", title, tags=tags)
    make(session, owner, "board", "delta", tags=["x"])

    def titles(**filters: object) -> list[str]:
        found, cursor = [], None
        while True:
            page = find(session, principal=owner, filters=Filters(**filters), cursor=cursor, limit=1)  # type: ignore[arg-type]
            found += [item.title for item in page.items]
            cursor = page.cursor
            if cursor is None:
                return found

    assert titles(sort="title") == ["Alpha", "beta", "delta", "gamma"]
    assert titles(kind="agent", sort="created") == ["gamma", "Alpha", "beta"]
    assert titles(tag="X", sort="title") == ["Alpha", "beta", "delta"]
    assert titles(owner="me", kind="board") == ["delta"]
    assert titles(owner=str(UUID(int=1))) == []
    assert titles(favorites=True) == []
    for wrong in ({"sort": "size"}, {"owner": "x"}, {"kind": "x"}, {"visibility": "x"}):
        with pytest.raises(InvalidInput):
            titles(**wrong)


def test_bulk_does_all_or_nothing(session: Session, owner: Principal, workspace: Workspace) -> None:
    mine = [make(session, owner, "agent", title, tags=["old"]) for title in "AB"]
    ids = [item.id for item in mine]
    session.commit()
    with pytest.raises(Conflict) as refused:
        bulk.apply(session, principal=owner, item_ids=[*ids, UUID(int=7)], action="add-tag", value="new")
    told = refused.value.details["items"]
    assert [(one["id"], one["title"]) for one in told] == [(str(UUID(int=7)), "")]  # type: ignore[index,attr-defined]
    session.commit()
    assert all(item.tags == ["old"] for item in session.scalars(select(Item)))
    for action, value in (
        ("add-tag", "new"),
        ("remove-tag", "old"),
        ("visibility", "private"),
        ("archive", ""),
        ("unarchive", ""),
    ):
        assert bulk.apply(session, principal=owner, item_ids=ids, action=action, value=value) == 2
    assert {(*i.tags, i.visibility, i.status) for i in session.scalars(select(Item))} == {
        ("new", "private", "draft")
    }
    for action in ("trash", "restore", "trash", "purge"):
        bulk.apply(session, principal=owner, item_ids=ids, action=action)
    assert session.scalar(select(func.count()).select_from(ItemVersion)) == 0
    for wrong in ("nonsense", "add-tag"):
        with pytest.raises((InvalidInput, Conflict)):
            bulk.apply(session, principal=owner, item_ids=ids, action=wrong)


def test_nothing_of_another_workspace(session: Session, owner: Principal) -> None:
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.flush()
    stranger = Principal(None, other.id, "s", "", "owner", ROLES["owner"])
    item = make(session, owner, "collection", "Ours")
    for refused in (
        lambda: contents.read(session, principal=stranger, item_id=item.id),
        lambda: contents.save(session, principal=stranger, item_id=item.id, title="x"),
        lambda: versions.list_versions(session, principal=stranger, item_id=item.id),
        lambda: versions.read_version(session, principal=stranger, item_id=item.id, number=1),
        lambda: versions.compare(session, principal=stranger, item_id=item.id, first=1, second=1),
        lambda: versions.roll_back(session, principal=stranger, item_id=item.id, number=1),
        lambda: lifecycle.duplicate(session, principal=stranger, item_id=item.id),
        lambda: lifecycle.publish(session, principal=stranger, item_id=item.id),
        lambda: lifecycle.used_by(session, principal=stranger, item_id=item.id),
        lambda: trash.trash_item(session, principal=stranger, item_id=item.id),
    ):
        with pytest.raises(NotFound):
            refused()
    with pytest.raises(InvalidInput):
        make(session, stranger, "collection", "Theirs", content={"entries": [{"item_id": str(item.id)}]})
    assert find(session, principal=stranger, filters=Filters()).items == []
