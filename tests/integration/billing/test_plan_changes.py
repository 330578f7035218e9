"""Stripe is asked after the intent is committed and with no transaction open; whatever breaks off leads to one end."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from leitstand.billing import asking
from leitstand.billing.changes import JOB, KEY_LIFE
from leitstand.billing.messages import take_message
from leitstand.billing.providers import stripe
from leitstand.billing.subscription import change_plan
from leitstand.db.engine import transaction
from leitstand.db.models import AuditEntry, PlanChange, Workspace, WorkspacePlan
from leitstand.errors import Conflict, InvalidInput, Unavailable
from leitstand.identity.access import Principal
from leitstand.identity.sessions import COOKIE
from leitstand.limits.room import plan_of
from leitstand.settings import get_settings
from serving.session import paused
from tests.apps import api_app, web_app
from tests.integration.billing.test_stripe import changed, event, subscription
from tests.people import Visitor, join, visit
from tests.stripe_double import Double, signed

PAGE = "/settings/billing"
CHECKOUT = "POST /v1/checkout/sessions"
OTHERS = text("""
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle' AND backend_type = 'client backend'
""")
CHILD = """
import sys
from uuid import UUID
from leitstand.billing.asking import carry_out
from leitstand.db.engine import transaction
carry_out(transaction, change_id=UUID(sys.argv[1]))
"""


@pytest.fixture
def visitor(double: Double, session: Session, workspace: Workspace) -> Visitor:
    return visit(web_app(), session, join(session, workspace))


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask once, and wait for a moment only."""
    monkeypatch.setattr(stripe, "TRIES", 1)
    monkeypatch.setattr(stripe, "TIMEOUT", httpx.Timeout(0.3))


def newest(session: Session) -> PlanChange:
    session.rollback()
    session.expire_all()
    return session.scalars(select(PlanChange).order_by(PlanChange.id.desc()).limit(1)).one()


def subscribed(session: Session, owner: Principal, double: Double, plan: str = "small") -> None:
    """Put the workspace on a plan that is paid at Stripe."""
    tell(session, event(900, "customer.subscription.created", subscription(owner, f"price_{plan}")))
    double.prices["sub_1"] = f"price_{plan}"


def tell(session: Session, message: dict[str, object], created: datetime | None = None) -> str:
    """What becomes of a message of Stripe's that is made now."""
    now = datetime.now(UTC)
    body, headers = signed({**message, "created": int((created or now).timestamp())}, now.timestamp())
    outcome = take_message(session, body=body, headers=headers, now=now)
    session.commit()
    return outcome


def waiting(session: Session) -> int:
    """How many attempts are queued."""
    return int(session.execute(
        text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = :name AND status = 'todo'"), {"name": JOB}
    ).scalar_one())  # fmt: skip


def test_no_transaction_is_open_while_stripe_works(double: Double, visitor: Visitor, engine: Engine) -> None:
    seen = []

    def look(method: str, path: str) -> None:
        with engine.connect() as connection:
            busy = connection.scalar(OTHERS)
            state = connection.scalar(text("SELECT state FROM plan_change"))
            connection.execute(text("SELECT FROM workspace_plan FOR UPDATE NOWAIT"))
        seen.append((path, busy, state))

    double.before = look
    assert "checkout.stripe.test/" in visitor.post(f"{PAGE}/plan", plan="small").text
    assert seen == [("/v1/customers", 0, "asked"), ("/v1/checkout/sessions", 0, "asked")]
    assert visitor.post(f"{PAGE}/payment").status_code == 200
    assert seen[2] == ("/v1/billing_portal/sessions", 0, "begun")


def test_a_process_that_is_killed_before_it_records_is_picked_up(
    double: Double, session: Session, engine: Engine, owner: Principal
) -> None:
    subscribed(session, owner, double)
    change = change_plan(session, principal=owner, plan="large")
    assert change is not None
    session.commit()
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(change.id)], env=os.environ)

    def kill(method: str, path: str) -> None:
        if method == "POST":
            child.send_signal(signal.SIGKILL)
            child.wait(10)

    double.after = kill
    assert child.wait(30) == -signal.SIGKILL
    assert (double.prices["sub_1"], newest(session).state) == ("price_large", "asked")
    assert plan_of(session, owner.workspace_id).name == "small"
    session.rollback()
    asking.ask_again(engine, change_id=change.id, attempt=1)
    assert newest(session).state == "done"
    assert plan_of(session, owner.workspace_id).name == "large"
    assert session.get_one(WorkspacePlan, owner.workspace_id).changed_by == owner.person_id
    asking.ask_again(engine, change_id=change.id, attempt=1)
    assert double.changes() == ["POST /v1/subscriptions/sub_1"]


def test_a_place_to_pay_whose_address_was_lost_is_the_same_one(
    double: Double, visitor: Visitor, session: Session, engine: Engine, hasty: None
) -> None:
    double.after = lambda method, path: _slow() if path.endswith("sessions") else None
    refused = visitor.post(f"{PAGE}/plan", plan="small", key="k")
    assert refused.status_code == 503
    assert "Stripe does not answer." in refused.text
    assert "Your choice is kept and asked again by itself" in refused.text
    change = newest(session)
    assert (change.state, change.plan, waiting(session)) == ("asked", "small", 1)
    session.rollback()
    assert "Stripe is being asked for the change to Small." in visitor.get(PAGE).text
    double.after = lambda method, path: None
    asking.ask_again(engine, change_id=change.id, attempt=1)
    shown = visitor.get(PAGE).text
    assert 'href="https://checkout.stripe.test/cs_2"' in shown
    assert len(double.sessions) == 1
    sent = [call[2] for call in double.calls if call[1] == "/v1/checkout/sessions"]
    assert len(sent) == 2 and sent[0] == sent[1]
    assert newest(session).customer == {}


def _slow() -> None:
    time.sleep(0.6)


def test_two_clicks_are_one_change(double: Double, visitor: Visitor, session: Session) -> None:
    first = visitor.post(f"{PAGE}/plan", plan="small", key="k")
    second = visitor.post(f"{PAGE}/plan", plan="small", key="k")
    other_tab = visitor.post(f"{PAGE}/plan", plan="small", key="l")
    assert {answer.status_code for answer in (first, second, other_tab)} == {200}
    assert [answer.text.count("stripe.test/cs_2") for answer in (first, second, other_tab)] == [1, 1, 1]
    assert double.changes().count(CHECKOUT) == 1
    assert session.scalar(select(func.count()).select_from(PlanChange)) == 1


def test_a_second_click_while_the_first_is_at_stripe(
    double: Double, session: Session, engine: Engine, owner: Principal
) -> None:
    subscribed(session, owner, double)

    def click_again(method: str, path: str) -> None:
        if method == "POST":
            double.before = lambda method, path: None
            with Session(engine, expire_on_commit=False) as second:
                changed(second, owner, "large", key="k")

    double.before = click_again
    changed(session, owner, "large", key="k")
    assert plan_of(session, owner.workspace_id).name == "large"
    entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "billing.change-plan")).all()
    assert len(entries) == 2
    assert len({call[2]["key"] for call in double.calls if call[0] == "POST"}) == 1
    # And once it is done, the same request is: not a conflict with what it did itself.
    assert changed(session, owner, "large", key="k").address == ""
    with pytest.raises(Conflict):
        changed(session, owner, "large", key="another")


def test_what_stripe_refuses_is_said_and_can_be_chosen_again(
    double: Double, visitor: Visitor, session: Session, owner: Principal
) -> None:
    subscribed(session, owner, double)

    def fail_next(method: str, path: str) -> None:
        double.failures = [402] if method == "GET" else []

    double.after = fail_next
    refused = visitor.post(f"{PAGE}/plan", plan="large", key="k")
    assert refused.status_code == 422
    assert "Stripe refuses this: later" in refused.text
    assert newest(session).state == "refused"
    assert "The change to Large came to nothing." in visitor.get(PAGE).text
    assert plan_of(session, owner.workspace_id).name == "small"
    session.rollback()
    double.failures, double.after = [], lambda method, path: None
    assert visitor.post(f"{PAGE}/plan", plan="large", key="k").status_code == 303
    assert "came to nothing" not in visitor.get(PAGE).text
    assert len({call[2]["key"] for call in double.calls if call[0] == "POST"}) == 2


def test_a_message_before_the_record_leads_to_the_same_end(
    double: Double, session: Session, engine: Engine, owner: Principal
) -> None:
    subscribed(session, owner, double)

    def tell_first(method: str, path: str) -> None:
        if method == "POST":
            with Session(engine) as other:
                tell(other, event(1, "customer.subscription.updated", subscription(owner, "price_large")))

    double.after = tell_first
    changed(session, owner, "large")
    change = newest(session)
    assert (change.state, plan_of(session, owner.workspace_id).name) == ("done", "large")
    entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "billing.change-plan")).all()
    assert [entry.after["plan"] for entry in entries if entry.after] == ["small", "large"]


def test_an_answer_does_not_overrule_what_stripe_told_since(
    double: Double, session: Session, engine: Engine, owner: Principal
) -> None:
    subscribed(session, owner, double)

    def change_there(method: str, path: str) -> None:
        # Somebody cancels at Stripe while our change is on its way.
        ended = subscription(owner, "price_small", "canceled")
        if method == "POST":
            with Session(engine) as other:
                later = datetime.now(UTC) + timedelta(seconds=5)
                tell(other, event(1, "customer.subscription.deleted", ended), later)

    double.after = change_there
    changed(session, owner, "large")
    session.rollback()
    assert plan_of(session, owner.workspace_id).name == "free"


def test_the_end_of_a_subscription_is_asked_until_it_is_known(
    double: Double, session: Session, engine: Engine, owner: Principal, hasty: None
) -> None:
    subscribed(session, owner, double)
    double.after = lambda method, path: _slow() if method == "DELETE" else None
    with pytest.raises(Unavailable):
        changed(session, owner, "free")
    change = newest(session)
    with pytest.raises(Conflict, match="still being asked for"):
        changed(session, owner, "large")
    session.rollback()
    double.after = lambda method, path: None
    # Stripe looks at no key of a DELETE: the second is refused, and looking shows that the first was done.
    asking.ask_again(engine, change_id=change.id, attempt=1)
    assert newest(session).state == "done"
    assert plan_of(session, owner.workspace_id).name == "free"
    assert session.get_one(WorkspacePlan, owner.workspace_id).subscription_id == ""


def test_a_place_to_pay_is_closed_before_another_is_begun(
    double: Double, session: Session, owner: Principal
) -> None:
    changed(session, owner, "small")
    changed(session, owner, "large")
    assert list(double.sessions.values()) == ["expired", "open"]
    assert newest(session).plan == "large"
    double.sessions[newest(session).checkout_id] = "complete"
    session.rollback()
    with pytest.raises(InvalidInput, match="has been paid meanwhile"):
        changed(session, owner, "small")
    assert len(double.sessions) == 2
    assert newest(session).state == "refused"


def test_it_is_asked_for_a_day_and_never_with_a_key_that_stripe_forgot(
    double: Double, visitor: Visitor, session: Session, engine: Engine, hasty: None
) -> None:
    double.failures = [503]
    visitor.post(f"{PAGE}/plan", plan="small")
    change = newest(session)
    session.rollback()
    for attempt in range(1, 8):
        double.failures = [503]
        asking.ask_again(engine, change_id=change.id, attempt=attempt)
        assert newest(session).state == "asked"
        session.rollback()
    double.failures = [503]
    asking.ask_again(engine, change_id=change.id, attempt=8)
    assert newest(session).state == "given-up"
    assert "Stripe has not answered for a day" in visitor.get(PAGE).text
    visitor.post(f"{PAGE}/plan", plan="small")
    old = newest(session)
    assert old.state == "begun"
    old.state, old.created_at, old.address = "asked", datetime.now(UTC) - KEY_LIFE - timedelta(minutes=1), ""
    session.commit()
    asked = len(double.calls)
    asking.ask_again(engine, change_id=old.id, attempt=1)
    assert (newest(session).state, len(double.calls)) == ("given-up", asked)


def test_a_copy_that_is_tried_out_asks_nobody(
    double: Double, session: Session, owner: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEITSTAND_REHEARSAL", "1")
    get_settings.cache_clear()
    with pytest.raises(Unavailable, match="restored copy"):
        changed(session, owner, "small")
    assert double.calls == []


def test_programs_are_told_too(double: Double, visitor: Visitor, session: Session, hasty: None) -> None:
    client = TestClient(api_app())
    client.cookies.set(COOKIE, visitor.client.cookies[COOKIE])
    client.headers.update({"X-CSRF-Token": visitor.csrf, "Idempotency-Key": "mine"})
    double.failures = [503]
    assert client.put("/api/v1/billing/plan", json={"plan": "small"}).status_code == 503
    told = client.get("/api/v1/billing").json()["change"]
    assert (told["plan"], told["state"], told["address"]) == ("small", "asked", "")
    answers = [client.put("/api/v1/billing/plan", json={"plan": "small"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json() == {"done": False, "address": newest(session).address}
    assert answers[1].headers["idempotency-replayed"] == "true"
    assert client.get("/api/v1/billing").json()["change"]["state"] == "begun"
    assert double.changes().count(CHECKOUT) == 1


def test_a_transaction_that_fails_after_the_pause_keeps_what_was_before(
    engine: Engine, session: Session, owner: Principal
) -> None:
    with pytest.raises(RuntimeError), transaction(engine) as request:
        request.execute(text("UPDATE workspace SET name = 'Kept'"))
        with paused(request, owner), engine.connect() as connection:
            assert connection.scalar(OTHERS) == 0
        assert request.scalar(text("SELECT current_setting('leitstand.workspace')")) == str(
            owner.workspace_id
        )
        request.execute(text("UPDATE workspace SET name = 'Lost'"))
        raise RuntimeError
    assert session.scalar(select(Workspace.name)) == "Kept"
