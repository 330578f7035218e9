"""Limits bite where something is made, also when two want the last place."""

import threading
from datetime import UTC, datetime

import orjson
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.billing.providers.manual import Manual
from leitstand.billing.subscription import change_plan
from leitstand.catalogue.companions import ensure_companion
from leitstand.catalogue.items import create_item
from leitstand.catalogue.trash import restore_item, trash_item
from leitstand.db.engine import transaction
from leitstand.db.models import AuditEntry, Workspace
from leitstand.errors import Conflict, Forbidden, LimitReached
from leitstand.events.intake import read_json, take_in
from leitstand.identity.access import ROLES, Principal
from leitstand.identity.people import create_person
from leitstand.limits import intake


def test_without_a_file_there_is_no_limit(session: Session, owner: Principal) -> None:
    for number in range(5):
        create_item(session, principal=owner, kind="space", title=f"Space {number}")


def test_the_last_item_is_refused_and_the_trash_gives_room(
    plans: None, session: Session, owner: Principal
) -> None:
    first = create_item(session, principal=owner, kind="board", title="A")
    create_item(session, principal=owner, kind="board", title="B")
    with pytest.raises(LimitReached) as refused:
        create_item(session, principal=owner, kind="board", title="C")
    assert refused.value.details == {"what": "items", "limit": 2, "used": 2}
    assert "Plans and billing" in refused.value.hint
    trash_item(session, principal=owner, item_id=first.id)
    create_item(session, principal=owner, kind="board", title="C")
    with pytest.raises(LimitReached):
        restore_item(session, principal=owner, item_id=first.id)


def test_people_have_a_limit_and_those_outside_are_none(
    plans: None, session: Session, workspace: Workspace
) -> None:
    def add(number: int, role: str) -> None:
        create_person(
            session, email=f"p{number}@example.test", name="P", password="a long enough secret",
            workspace_id=workspace.id, role=role,
        )  # fmt: skip

    add(1, "member")
    add(2, "external")
    add(3, "member")
    with pytest.raises(LimitReached):
        add(4, "member")
    add(5, "external")


def test_two_at_once_do_not_both_take_the_last_place(
    plans: None, engine: Engine, session: Session, owner: Principal
) -> None:
    create_item(session, principal=owner, kind="board", title="A")
    session.commit()
    outcomes: list[str] = []
    ready = threading.Barrier(2)

    def take(title: str) -> None:
        ready.wait()
        try:
            with transaction(engine) as own:
                create_item(own, principal=owner, kind="board", title=title)
            outcomes.append("made")
        except LimitReached:
            outcomes.append("refused")

    threads = [threading.Thread(target=take, args=[title]) for title in "BC"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", "refused"]


def test_events_beyond_limit_and_grace_are_refused_with_a_reason(
    plans: None, session: Session, owner: Principal
) -> None:
    change_plan(session, principal=owner, plan="small", provider=Manual())
    change_plan(session, principal=owner, plan="free", provider=Manual())
    ensure_companion(session, workspace_id=owner.workspace_id, key="a")
    now = datetime.now(UTC).isoformat()
    event = {"kind": "viewed", "companion": "a", "occurred_at": now}
    sent = [event | {"run_key": str(number)} for number in range(13)]
    old = event | {"run_key": "old", "occurred_at": "2020-01-01T00:00:00Z"}
    batch = take_in(session, principal=owner, events=read_json(orjson.dumps([*sent, old])))
    outcomes = [item.verdict.value for item in batch.items]
    assert outcomes == ["accepted"] * 11 + ["refused"] * 2 + ["accepted"]
    assert "10 events a month" in batch.items[11].reason
    intake._rooms.clear()
    again = take_in(session, principal=owner, events=read_json(orjson.dumps([event | {"run_key": "x"}])))
    assert again.items[0].verdict.value == "refused"


def test_down_is_refused_while_too_much_is_used_and_changes_are_audited(
    plans: None, session: Session, owner: Principal
) -> None:
    change_plan(session, principal=owner, plan="large", provider=Manual())
    for number in range(3):
        create_item(session, principal=owner, kind="board", title=str(number))
    with pytest.raises(Conflict, match="3 of 2 items"):
        change_plan(session, principal=owner, plan="free", provider=Manual())
    change_plan(session, principal=owner, plan="small", provider=Manual())
    with pytest.raises(Conflict, match="already"):
        change_plan(session, principal=owner, plan="small", provider=Manual())
    rows = session.query(AuditEntry).filter(AuditEntry.action == "billing.change-plan").all()
    assert [row.after["plan"] for row in rows] == ["large", "small"]
    admin = Principal(None, owner.workspace_id, "A", "a@example.test", "admin", ROLES["admin"])
    with pytest.raises(Forbidden):
        change_plan(session, principal=admin, plan="large")
