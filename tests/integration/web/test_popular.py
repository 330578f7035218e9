"""What is popular on the home page: what people used last, of what the person may see."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from leitstand.catalogue import companions, trash
from leitstand.db.models import Item, RunFact
from leitstand.identity.access import Principal, system_principal
from tests.people import Visitor
from web import popular

LONG_AGO = datetime(2012, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def made(session: Session, visitor: Visitor) -> dict[str, Item]:
    principal = system_principal(visitor.principal.workspace_id)
    found = {
        title: companions.create(session, principal=principal, title=title)
        for title in ("Loved", "Liked", "Lonely")
    }
    session.commit()
    return found


def run(session: Session, item: Item, key: str, at: datetime, actor: str) -> None:
    session.add(
        RunFact(
            workspace_id=item.workspace_id, companion_id=item.id, log_id=item.id, run_key=key, first_at=at, first_seq=0,
            last_at=at, opened_at=at, started_at=at, actor_key=actor, events=1, steps=["s"],
        )
    )  # fmt: skip


def ranked(session: Session, principal: Principal) -> list[str]:
    popular._ranked.clear()
    return [item.title for item in popular.popular_items(session, principal=principal)]


def test_old_use_by_people_counts_though_later_runs_have_no_actor(
    session: Session, visitor: Visitor, made: dict[str, Item]
) -> None:
    for number in range(3):
        run(session, made["Loved"], f"r{number}", LONG_AGO, f"actor {number}")
    run(session, made["Liked"], "r", LONG_AGO - timedelta(days=1), "actor 0")
    run(session, made["Lonely"], "r", LONG_AGO + timedelta(days=900), "")
    session.commit()
    assert ranked(session, visitor.principal) == ["Loved", "Liked"]
    piece = visitor.piece("/home/popular").text
    assert piece.index("Loved") < piece.index("Liked")
    assert "Lonely" not in piece


def test_what_one_may_not_see_is_left_out(session: Session, visitor: Visitor, made: dict[str, Item]) -> None:
    for item in made.values():
        run(session, item, "r", LONG_AGO, "actor")
    made["Loved"].visibility = "private"
    session.commit()
    trash.trash_item(session, principal=visitor.principal, item_id=made["Liked"].id)
    session.commit()
    assert ranked(session, visitor.principal) == ["Lonely"]


def test_the_ranking_is_kept_and_each_persons_view_of_it_is_not(
    session: Session, visitor: Visitor, made: dict[str, Item]
) -> None:
    run(session, made["Loved"], "r", LONG_AGO, "actor")
    session.commit()
    assert ranked(session, visitor.principal) == ["Loved"]
    run(session, made["Liked"], "r", LONG_AGO, "actor")
    session.commit()
    kept = popular.popular_items(session, principal=visitor.principal)
    assert [item.title for item in kept] == ["Loved"]
    trash.trash_item(session, principal=visitor.principal, item_id=made["Loved"].id)
    assert popular.popular_items(session, principal=visitor.principal) == []
