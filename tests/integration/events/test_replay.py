"""Refused events: kept whole, listed a page at a time, sent once more by a person."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue.companions import ensure_companion
from leitstand.cli import main
from leitstand.db.models import AuditEntry, Event, EventRefusal, RunFact, Workspace
from leitstand.db.models.base import new_id
from leitstand.errors import Forbidden, NotFound
from leitstand.events import intake, refusals, replay
from leitstand.events.ledger import IncomingEvent, record
from leitstand.events.refusals import Filters, list_refusals
from leitstand.identity.access import ROLES, Principal, system_principal
from leitstand.identity.workspaces import ensure_workspace

NOW = datetime.now(UTC)
Send = Callable[..., intake.Batch]


def event(run: str = "r", companion: str = "shop", **more: Any) -> dict[str, Any]:
    given = {"kind": "answered", "companion": companion, "run_key": run, "step": "ask", "actor_key": "ann"}
    return given | {"occurred_at": NOW.isoformat()} | more


@pytest.fixture
def principal(workspace: Workspace) -> Principal:
    return system_principal(workspace.id)


@pytest.fixture
def send(session: Session, workspace: Workspace) -> Send:
    def send(*events: object, **more: Any) -> intake.Batch:
        given = intake.read_json(json.dumps(events).encode())
        batch = intake.take_in_for(
            session, workspace_id=workspace.id, events=given, **({"source": "api"} | more)
        )
        session.commit()
        return batch

    return send


def mend(session: Session, workspace: Workspace) -> None:
    ensure_companion(session, workspace_id=workspace.id, key="shop")
    session.commit()


def test_what_is_mended_is_accepted_or_known_already(
    session: Session, workspace: Workspace, principal: Principal, send: Send
) -> None:
    send(event("a"), event("a"), event("b"), event("c", kind="looked"))
    mend(session, workspace)
    send(event("b"))
    done = replay.replay_matching(session, principal=principal, filters=Filters())
    session.commit()
    assert [(item.outcome, item.reason) for item in done.items] == [
        ("accepted", ""),
        ("duplicate", ""),
        ("duplicate", ""),
        ("refused", "kind is not one of viewed, answered, completed"),
    ]
    assert sorted(session.scalars(select(RunFact.run_key))) == ["a", "b"]
    kept = session.scalars(select(EventRefusal).order_by(EventRefusal.id)).all()
    assert [row.outcome for row in kept] == ["accepted", "duplicate", "duplicate", "refused"]
    assert all(row.replayed_at for row in kept)
    assert kept[3].reason == done.items[3].reason
    again = replay.replay_matching(session, principal=principal, filters=Filters())
    assert [item.id for item in again.items] == [kept[3].id]
    noted = session.scalars(select(AuditEntry).where(AuditEntry.action == "event.replay")).first()
    assert noted and noted.after == {"accepted": 1, "duplicate": 2, "refused": 1}


def test_a_large_event_is_kept_whole_and_comes_back_as_it_was(
    session: Session, workspace: Workspace, principal: Principal, send: Send
) -> None:
    props = {"text": "ü\u0007" * 5_000, "list": [1, 2.5, None, {"a": "\\u0000"}]}
    send(event(props=props))
    mend(session, workspace)
    assert replay.replay_matching(session, principal=principal, filters=Filters()).counts()["accepted"] == 1
    assert session.scalars(select(Event.props)).one() == props


def test_what_is_too_large_is_kept_in_part_and_stays_refused(
    session: Session, workspace: Workspace, principal: Principal, send: Send
) -> None:
    send(event(props={"x": "y" * 200_000}))
    row = session.scalars(select(EventRefusal)).one()
    assert (len(row.raw), row.whole) == (refusals.LONGEST_PART, False)
    (result,) = replay.replay(session, principal=principal, ids=[row.id]).items
    assert (result.outcome, result.reason) == ("refused", replay.NOT_WHOLE)


def test_a_line_of_a_file_is_for_another_import(
    session: Session, workspace: Workspace, principal: Principal, tmp_path: Any
) -> None:
    from tests.integration.events.support import event as row
    from tests.integration.events.support import imported, write_ndjson

    imported(session.get_bind(), workspace.id, write_ndjson(tmp_path / "x.ndjson", [row(at="never")]))
    (refused,) = list_refusals(session, workspace_id=workspace.id).rows
    (result,) = replay.replay(session, principal=principal, ids=[refused.id]).items
    assert (result.outcome, result.reason) == ("refused", replay.OF_A_FILE)


def test_an_event_of_our_own_services_is_kept_in_the_same_form(
    session: Session, workspace: Workspace, principal: Principal
) -> None:
    lost = new_id()
    sent = IncomingEvent(
        new_id(), "answered", lost, "r", NOW, step="ask", actor_key="ann", seq=3, props={"a": 1}
    )
    record(session, workspace_id=workspace.id, events=[sent])
    session.commit()
    raw = session.scalars(select(EventRefusal.raw)).one()
    given = intake.Given(raw.encode(), orjson.loads(raw))
    assert intake.parse(given, {str(lost): lost}) == sent


def test_what_nobody_vouches_for_and_was_too_old_is_too_old_for_good(
    session: Session, workspace: Workspace, principal: Principal, send: Send
) -> None:
    old = (NOW - timedelta(hours=30)).isoformat()
    send(event("old", occurred_at=old), event("new"), source="snippet", trusted=False)
    mend(session, workspace)
    done = replay.replay_matching(session, principal=principal, filters=Filters())
    assert [item.outcome for item in done.items] == ["refused", "accepted"]
    assert done.items[0].reason == replay.TOO_OLD


def test_pages_and_filters(session: Session, workspace: Workspace, send: Send) -> None:
    for number in range(3):
        send(event(f"{number}a"), event(f"{number}b"), event("x", kind="looked"))
    seen: list[int] = []
    before = None
    for size in (4, 4, 1):
        page = list_refusals(session, workspace_id=workspace.id, limit=4, before=before)
        seen += [row.id for row in page.rows]
        assert (len(page.rows), page.total) == (size, 9)
        before = page.next
    assert before is None
    assert len(set(seen)) == 9

    def total(**filters: str) -> int:
        return list_refusals(session, workspace_id=workspace.id, filters=Filters(**filters)).total

    assert (total(reason="No Companion"), total(reason="kind is"), total(reason="100%_")) == (6, 3, 0)
    assert (total(source="api"), total(source="import"), total(outcome="accepted")) == (9, 0, 0)


def test_each_workspace_has_its_own_and_only_who_may_write_replays(
    session: Session, workspace: Workspace, principal: Principal, send: Send
) -> None:
    send(event())
    number = session.scalars(select(EventRefusal.id)).one()
    other = system_principal(ensure_workspace(session, slug="other").id)
    assert list_refusals(session, workspace_id=other.workspace_id).total == 0
    assert replay.replay_matching(session, principal=other, filters=Filters()).items == []
    with pytest.raises(NotFound):
        replay.replay(session, principal=other, ids=[number])
    analyst = Principal(new_id(), workspace.id, "A", "a@x.test", "analyst", ROLES["analyst"])
    for refused in (
        lambda: replay.replay(session, principal=analyst, ids=[number]),
        lambda: replay.replay_matching(session, principal=analyst, filters=Filters()),
    ):
        with pytest.raises(Forbidden):
            refused()


def test_the_command_replays_all_in_parts(
    session: Session,
    workspace: Workspace,
    send: Send,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as end:
            main(["events", "replay", "--workspace", "demo", *arguments])
        assert not end.value.code
        return capsys.readouterr().out

    send(*(event(f"r{number}") for number in range(7)), event("bad", kind="looked"))
    mend(session, workspace)
    assert "0 accepted" in run("--source", "runtime")
    first = session.scalars(select(EventRefusal.id).order_by(EventRefusal.id)).first()
    assert json.loads(run("--id", str(first), "--json"))["accepted"] == 1
    monkeypatch.setattr(replay.replay_matching, "__kwdefaults__", {"after": 0, "limit": 3})
    out = run()
    assert "6 accepted, 0 known already, 1 still refused" in out
    assert "kind is not one of" in out
