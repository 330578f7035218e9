"""Events through the API: an answer for each, in order, and in the figures when it comes."""

import gzip
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.errors import DeadlockDetected
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from leitstand.catalogue.companions import ensure_companion
from leitstand.db.engine import transaction
from leitstand.db.ids import derived_uuid7
from leitstand.db.models import Companion, Event, EventRefusal, RunFact, Workspace
from leitstand.events import facts, intake
from leitstand.events.ledger import IncomingEvent, record
from tests.integration.api.conftest import Caller, Program

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
NDJSON = "application/x-ndjson"


@pytest.fixture
def companion(session: Session, workspace: Workspace) -> UUID:
    made = ensure_companion(session, workspace_id=workspace.id, key="helper")
    session.get_one(Companion, made).slug = "help-me"
    session.commit()
    return made


@pytest.fixture
def robot(program: Callable[..., Program], companion: UUID) -> Program:
    return program("events:write")


def event(run: str = "r", minute: float = 0, **more: Any) -> dict[str, Any]:
    given = {
        "kind": "answered", "companion": "helper", "run_key": run, "step": "ask", "actor_key": "ann",
        "occurred_at": (AT + timedelta(minutes=minute)).isoformat(),
    }  # fmt: skip
    return given | more


def outcomes(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["outcome"] for item in answer.json()["items"]]


def ndjson(*lines: object) -> bytes:
    written = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return b"\n".join(written)


def test_each_event_is_answered_in_order(robot: Program, session: Session) -> None:
    named = str(derived_uuid7(AT, b"1"))
    sent = [event(), event("s", 1, event_id=named), event("t", kind="looked"), event()]
    answer = robot("POST", "/events", {"events": sent})
    document = answer.json()
    assert outcomes(answer) == ["accepted", "accepted", "refused", "duplicate"]
    assert [document[name] for name in ("accepted", "duplicate", "refused")] == [2, 1, 1]
    assert document["items"][1]["event_id"] == named
    assert document["items"][0]["event_id"] == document["items"][3]["event_id"]
    assert document["items"][2]["reason"] == "kind is not one of viewed, answered, completed"
    assert outcomes(robot("POST", "/events", sent)) == ["duplicate", "duplicate", "refused", "duplicate"]
    assert sorted(session.scalars(select(RunFact.run_key))) == ["r", "s"]
    assert set(session.scalars(select(Event.source))) == {"api"}


def test_a_companion_goes_by_id_slug_or_external_key(
    robot: Program, companion: UUID, session: Session
) -> None:
    sent = [event(name, companion=name) for name in (str(companion), "help-me", "helper")]
    assert outcomes(robot("POST", "/events", sent)) == ["accepted"] * 3
    assert set(session.scalars(select(Event.companion_id))) == {companion}


def test_another_workspaces_companion_is_none(robot: Program, session: Session) -> None:
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.flush()
    foreign = ensure_companion(session, workspace_id=other.id, key="theirs")
    session.commit()
    answer = robot("POST", "/events", [event(companion=str(foreign)), event(companion="theirs")])
    assert outcomes(answer) == ["refused", "refused"]
    assert "no companion" in answer.json()["items"][1]["reason"]


def test_the_same_id_with_another_content_is_that_items_refusal(robot: Program) -> None:
    named = str(derived_uuid7(AT, b"1"))
    robot("POST", "/events", [event(event_id=named)])
    answer = robot("POST", "/events", [event(event_id=named, step="other"), event("s")])
    assert outcomes(answer) == ["refused", "accepted"]
    assert answer.json()["items"][0]["reason"] == "another event has this event_id"


def test_a_broken_line_is_one_refusal(robot: Program, session: Session) -> None:
    body = ndjson(event(), b'{"kind": "answ', b"", b"[1]", b"\xff\xfe", b"   ", event("s"))
    answer = robot("POST", "/events", content=body, Content_Type=NDJSON)
    assert outcomes(answer) == ["accepted", "refused", "refused", "refused", "accepted"]
    assert answer.json()["items"][1]["reason"].startswith("not JSON")
    kept = session.scalars(select(EventRefusal).order_by(EventRefusal.id)).all()
    assert [(row.source, row.whole, row.raw) for row in kept] == [
        ("api", False, '{"kind": "answ'),
        ("api", False, "[1]"),
        ("api", False, "\\xff\\xfe"),
    ]


def test_depth_is_bounded_in_both_forms(robot: Program, session: Session) -> None:
    deep = b"[" * 400 + b"]" * 400
    line = ndjson(event(props={"x": 7})).replace(b'"x": 7', b'"x": ' + deep)
    for body, kind in ((b"[" + line + b"]", "application/json"), (line, NDJSON)):
        answer = robot("POST", "/events", content=body, Content_Type=kind)
        assert outcomes(answer) == ["refused"]
    assert len(session.scalars(select(EventRefusal.id)).all()) == 2


def test_gzip_in_both_forms(robot: Program) -> None:
    packed = gzip.compress(json.dumps([event()]).encode())
    sent = robot("POST", "/events", content=packed, Content_Type="application/json", Content_Encoding="gzip")
    assert outcomes(sent) == ["accepted"]
    packed = gzip.compress(ndjson(event("s"))) + gzip.compress(b"\n" + ndjson(event("t")))
    sent = robot("POST", "/events", content=packed, Content_Type=NDJSON, Content_Encoding="gzip")
    assert outcomes(sent) == ["accepted", "accepted"]


NO_BATCH: list[tuple[bytes, dict[str, str], int]] = [
    (b"{", {"Content_Type": "application/json"}, 422),
    (b'{"event": []}', {"Content_Type": "application/json"}, 422),
    (b"7", {"Content_Type": "application/json"}, 422),
    (b"[]", {"Content_Type": "text/csv"}, 415),
    (b"[]", {}, 415),
    (b"[]", {"Content_Type": "application/json", "Content_Encoding": "br"}, 415),
    (b"[]", {"Content_Type": "application/json", "Content_Encoding": "gzip"}, 422),
    (gzip.compress(b"[]")[:-4], {"Content_Type": "application/json", "Content_Encoding": "gzip"}, 422),
    (gzip.compress(b" " * 40_000_000), {"Content_Type": NDJSON, "Content_Encoding": "gzip"}, 413),
    (b"{}\n" * 1_001, {"Content_Type": NDJSON}, 413),
    (b"[" + b"{}," * 1_000 + b"{}]", {"Content_Type": "application/json"}, 413),
]


def test_what_is_no_batch(robot: Program, session: Session) -> None:
    for content, headers, status in NO_BATCH:
        refused = robot("POST", "/events", content=content, **headers)
        assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")
    assert session.scalars(select(EventRefusal.id)).all() == []


def test_an_empty_batch_is_answered(robot: Program) -> None:
    assert outcomes(robot("POST", "/events", {"events": []})) == []


UNFIT: list[tuple[dict[str, Any], str]] = [
    ({"event_id": str(uuid4())}, "leave it out"),
    ({"event_id": 7}, "leave it out"),
    ({"colour": "red"}, "no member 'colour'"),
    ({"companion": 7}, "companion is not text"),
    ({"companion": "nobody"}, "no companion 'nobody'"),
    ({"companion": "a\0b"}, "no companion"),
    ({"run_key": ""}, "run_key is empty"),
    ({"run_key": 7}, "run_key is not text"),
    ({"run_key": "x" * 501}, "longer than 500"),
    ({"step": "a\0"}, "NUL"),
    ({"occurred_at": "2026-01-01T00:00:00"}, "no zone"),
    ({"occurred_at": 1767225600}, "occurred_at is not text"),
    ({"occurred_at": "1950-01-01T00:00:00Z"}, "not between"),
    ({"actor_kind": "god"}, "actor_kind is not one of"),
    ({"actor_kind": ["visitor"]}, "actor_kind is not one of"),
    ({"kind": {}}, "kind is not one of"),
    ({"seq": 1.5}, "seq is not a whole number"),
    ({"seq": True}, "seq is not a whole number"),
    ({"flow_version": 2**40}, "flow_version is not a whole number"),
    ({"is_test": "no"}, "is_test is neither"),
    ({"props": [1]}, "props is not an object"),
    ({"user_agent": 1}, "user_agent is not text"),
    ({"props": {"x": "y" * 100_001}}, "larger than 100,000"),
]


def test_an_event_that_cannot_be_taken_is_refused_by_itself(robot: Program) -> None:
    answer = robot("POST", "/events", [*(event(**more) for more, _ in UNFIT), event("good")])
    assert outcomes(answer) == ["refused"] * len(UNFIT) + ["accepted"]
    for (more, reason), item in zip(UNFIT, answer.json()["items"], strict=False):
        assert reason in item["reason"], more


def test_a_member_that_is_missing(robot: Program) -> None:
    incomplete = [{key: value for key, value in event().items() if key != name} for name in intake.REQUIRED]
    items = robot("POST", "/events", incomplete).json()["items"]
    assert [item["reason"] for item in items] == [f"{name} is missing" for name in intake.REQUIRED]


def test_late_is_taken_and_future_is_set_back(robot: Program, session: Session) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    sent = [event("late", -60 * 24 * 400), event("early", occurred_at=tomorrow.isoformat())]
    assert outcomes(robot("POST", "/events", sent)) == ["accepted", "accepted"]
    assert outcomes(robot("POST", "/events", sent)) == ["duplicate", "duplicate"]
    early = session.scalars(select(Event).where(Event.run_key == "early")).one()
    assert early.occurred_at == early.received_at
    assert datetime.fromisoformat(early.props["occurred_at_claimed"]) == tomorrow


def test_bots_are_kept_and_count_in_no_figure(robot: Program, session: Session) -> None:
    bots = (
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "GPTBot/1.2",
        "curl/8.5.0",
    )
    person = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
    sent = [event(agent, user_agent=agent) for agent in (*bots, person)] + [event("told", actor_kind="bot")]
    assert outcomes(robot("POST", "/events", sent)) == ["accepted"] * 5
    assert session.scalars(select(RunFact.run_key)).all() == [person]
    kinds = dict(session.execute(select(Event.run_key, Event.actor_kind)).tuples().all())
    assert kinds == dict.fromkeys((*bots, "told"), "bot") | {person: "visitor"}


def test_only_who_may_write_events(call_as: Callable[[str], Caller], program: Callable[..., Program]) -> None:
    assert call_as("analyst")("POST", "/events", []).status_code == 403
    assert program("item:read")("POST", "/events", []).status_code == 403
    assert call_as("creator")("POST", "/events", []).status_code == 200


def test_a_repeated_request_with_a_key_gets_the_answer_again(robot: Program) -> None:
    first = robot("POST", "/events", [event()], Idempotency_Key="k")
    again = robot("POST", "/events", [event()], Idempotency_Key="k")
    assert (outcomes(again), again.content) == (["accepted"], first.content)


def test_batches_that_meet_on_the_same_runs_are_all_taken(robot: Program, engine: Engine) -> None:
    """Repeated ids within a batch are written in a second round, which could wait for another batch the wrong way round."""
    batches = [
        [event(f"r{run}", minute) for run in order for minute in range(4)] * 2
        for order in (range(20), range(19, -1, -1), range(0, 20, 3), range(20))
    ]
    answers: list[Any] = []
    senders = [
        threading.Thread(target=lambda batch=batch: answers.append(robot("POST", "/events", batch)))
        for batch in batches
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert all(set(outcomes(answer)) <= {"accepted", "duplicate"} for answer in answers)
    assert sum(outcomes(answer).count("accepted") for answer in answers) == 80
    with Session(engine) as session:
        assert session.scalars(select(RunFact.events)).all() == [4] * 20


def test_a_batch_that_meets_another_the_wrong_way_round_is_taken_all_the_same(
    robot: Program, companion: UUID, session: Session, workspace: Workspace
) -> None:
    """The database ends one of two that wait for each other; whichever it is, what was sent is taken once."""
    first, second = (
        IncomingEvent(derived_uuid7(AT + timedelta(days=day), b"x"), "answered", companion, "r", AT, seq=day)
        for day in (0, 1)
    )
    record(session, workspace_id=workspace.id, events=[second])
    sent = [
        event(event_id=str(one.event_id), occurred_at=AT.isoformat(), seq=one.seq, step="", actor_key=None)
        for one in (first, second)
    ]
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(robot, "POST", "/events", sent)
        with transaction() as watching:
            waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            while not watching.scalar(waiting):
                time.sleep(0.01)
        try:
            record(session, workspace_id=workspace.id, events=[first])
            session.commit()
        except DeadlockDetected:
            session.rollback()
        assert set(outcomes(answer.result())) <= {"accepted", "duplicate"}
    session.rollback()
    assert session.scalars(select(RunFact.events)).all() == [2]


def test_while_facts_are_rebuilt_the_sender_is_told_to_come_again(
    robot: Program, session: Session, companion: UUID
) -> None:
    facts.lock_logs(session, [companion])
    refused = robot("POST", "/events", [event()])
    session.rollback()
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert outcomes(robot("POST", "/events", [event()])) == ["accepted"]


def test_a_month_without_a_partition_loses_nothing(robot: Program, session: Session) -> None:
    assert outcomes(robot("POST", "/events", [event(occurred_at="2019-07-01T00:00:00Z")])) == ["accepted"]
    found = session.scalar(text("SELECT count(*) FROM event_p2019_07"))
    assert found == 1
