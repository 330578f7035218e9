"""Companions: published, withdrawn, trashed, restored, deleted for good."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from flows import keep_events
from leitstand.catalogue import companions, favorites, items, recents, trash
from leitstand.db.models import AuditEntry, Companion, CompanionVersion, Item, RunFact, Workspace
from leitstand.errors import Conflict, Forbidden, NotFound
from leitstand.identity.access import ROLES, Principal, system_principal
from tests.people import join


@pytest.fixture
def item(session: Session, owner: Principal) -> Item:
    item = companions.create(session, principal=owner, title="Straße & Café", description="Text", tags=["a"])
    session.commit()
    return item


def save(session: Session, item: Item, *numbers: int) -> None:
    session.add_all(
        CompanionVersion(companion_id=item.id, number=number, flow={"title": "x"}) for number in numbers
    )
    session.commit()


def test_publishing_needs_a_flow(session: Session, owner: Principal, item: Item) -> None:
    with pytest.raises(Conflict):
        companions.publish(session, principal=owner, item_id=item.id)
    with pytest.raises(NotFound):
        companions.publish(session, principal=owner, item_id=item.id, version=3)


def test_publishing_opens_the_newest_or_the_named_version_under_one_link(
    session: Session, owner: Principal, item: Item
) -> None:
    save(session, item, 1, 2)
    companions.publish(session, principal=owner, item_id=item.id)
    found = companions.get(session, principal=owner, item_id=item.id)
    link = found.companion.slug
    assert (found.item.status, found.companion.published_version) == ("published", 2)
    assert link and link.startswith("strae-cafe-")
    companions.publish(session, principal=owner, item_id=item.id, version=1)
    companions.withdraw(session, principal=owner, item_id=item.id)
    found = companions.get(session, principal=owner, item_id=item.id)
    assert (found.item.status, found.companion.published_version, found.companion.slug) == (
        "draft",
        None,
        link,
    )
    assert [version.number for version in found.versions] == [2, 1]


def test_doing_the_same_twice_is_written_down_once(session: Session, owner: Principal, item: Item) -> None:
    save(session, item, 1)
    for _ in range(2):
        companions.publish(session, principal=owner, item_id=item.id)
    for _ in range(2):
        companions.archive(session, principal=owner, item_id=item.id)
    session.commit()
    actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert actions == ["companion.create", "companion.publish", "companion.archive"]


def test_the_trash_hides_and_gives_back_whole(session: Session, owner: Principal, item: Item) -> None:
    save(session, item, 1)
    companions.publish(session, principal=owner, item_id=item.id)
    trash.trash_item(session, principal=owner, item_id=item.id)
    with pytest.raises(NotFound):
        companions.get(session, principal=owner, item_id=item.id)
    assert [found.title for found in trash.list_trash(session, principal=owner)] == ["Straße & Café"]
    trash.restore_item(session, principal=owner, item_id=item.id)
    assert companions.get(session, principal=owner, item_id=item.id).companion.published_version == 1
    assert trash.list_trash(session, principal=owner) == []
    with pytest.raises(NotFound):
        trash.restore_item(session, principal=owner, item_id=item.id)


def test_who_may_not_publish_may_not_delete_what_is_published(
    session: Session, workspace: Workspace, owner: Principal, item: Item
) -> None:
    person = join(session, workspace, role="member")
    member = Principal(person.id, workspace.id, person.name, person.email, "member", ROLES["member"])
    save(session, item, 1)
    companions.publish(session, principal=owner, item_id=item.id)
    with pytest.raises(Forbidden):
        trash.trash_item(session, principal=member, item_id=item.id)
    companions.withdraw(session, principal=owner, item_id=item.id)
    trash.trash_item(session, principal=member, item_id=item.id)


def test_deleting_for_good_removes_the_text_and_keeps_the_figures(
    session: Session, owner: Principal, item: Item
) -> None:
    save(session, item, 1)
    companions.publish(session, principal=owner, item_id=item.id)
    favorites.add_favorite(session, principal=owner, item_id=item.id)
    recents.note_use(session, principal=owner, item=item)
    now = datetime.now(UTC)
    session.add(
        RunFact(
            workspace_id=owner.workspace_id, companion_id=item.id, log_id=item.id, run_key="r", first_at=now, first_seq=0,
            last_at=now, opened_at=now, actor_key="a", events=1, steps=["s"],
        )
    )  # fmt: skip
    with pytest.raises(NotFound):
        trash.purge_item(session, principal=owner, item_id=item.id)
    trash.trash_item(session, principal=owner, item_id=item.id)
    trash.purge_item(session, principal=owner, item_id=item.id)
    session.commit()
    session.expire_all()
    kept = session.get_one(Item, item.id)
    assert (kept.title, kept.description, kept.tags) == ("Deleted companion", "", [])
    assert session.get_one(Companion, item.id).slug is None
    assert session.scalars(select(CompanionVersion.flow)).all() == [{}]
    assert len(session.scalars(select(RunFact)).all()) == 1
    assert favorites.list_favorites(session, principal=owner) == []
    assert trash.list_trash(session, principal=owner) == []
    with pytest.raises(NotFound):
        items.get_item(session, principal=owner, item_id=item.id)


def test_after_thirty_days_it_is_deleted_for_good(session: Session, owner: Principal, item: Item) -> None:
    young = companions.create(session, principal=owner, title="Young")
    for found in (item, young):
        trash.trash_item(session, principal=owner, item_id=found.id)
    item.deleted_at = datetime.now(UTC) - trash.KEEP - timedelta(seconds=1)
    session.flush()
    with pytest.raises(NotFound):
        trash.restore_item(session, principal=owner, item_id=item.id)
    assert trash.purge_expired(session, principal=owner) == 1
    assert trash.purge_expired(session, principal=owner) == 0
    assert session.get_one(Item, item.id).title == "Deleted companion"
    assert [found.title for found in trash.list_trash(session, principal=owner)] == ["Young"]


def test_every_night_the_trash_of_every_workspace_is_emptied_of_what_is_due(
    session: Session, owner: Principal, item: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trash, "AT_ONCE", 2)
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.flush()
    elsewhere = system_principal(other.id)
    due = [item, *(companions.create(session, principal=owner, title=f"Due {n}") for n in range(4))]
    due.append(companions.create(session, principal=elsewhere, title="Due there"))
    for found in due:
        trash.trash_item(
            session, principal=elsewhere if found.title == "Due there" else owner, item_id=found.id
        )
        found.deleted_at = datetime.now(UTC) - trash.KEEP - timedelta(seconds=1)
    kept = companions.create(session, principal=owner, title="Kept")
    session.commit()
    assert keep_events.empty_trash.fn() == len(due)
    assert keep_events.empty_trash.fn() == 0
    session.expire_all()
    assert {found.title for found in due} == {"Deleted companion"}
    assert kept.title == "Kept"
    query = select(AuditEntry.workspace_id).where(AuditEntry.action == "companion.purge")
    assert sorted(session.scalars(query)) == sorted(found.workspace_id for found in due)


def test_an_imported_companion_is_made_once(session: Session, workspace: Workspace) -> None:
    first = companions.ensure_companion(session, workspace_id=workspace.id, key="flow 1", title="Flow")
    assert companions.ensure_companion(session, workspace_id=workspace.id, key="flow 1") == first
    assert session.get_one(Item, first).title == "Flow"
