"""Webhooks: told in the transaction of the change, signed, tried again, given up, replayed; and never to a private address."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from flows import keep_events
from leitstand.catalogue import companions
from leitstand.db.models import AuditEntry, Webhook, WebhookDelivery, Workspace
from leitstand.errors import Conflict, Forbidden, InvalidInput, NotFound
from leitstand.identity.access import ROLES, Principal
from leitstand.identity.sealed import seal_again
from leitstand.integrations import deliveries, webhooks
from leitstand.integrations.webhooks import Draft, Made
from leitstand.jobs.registry import find
from leitstand.settings import get_settings
from tests.integration.integrations.conftest import Clock
from tests.receiver import Receiver

Hook = Callable[..., Made]


def proven(secret: str, headers: dict[str, str], body: bytes) -> list[bool]:
    """Which of the signatures are of this secret: written after the specification, with nothing of ours."""
    key = base64.b64decode(secret.split("_", 1)[1])
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body.decode()}"
    right = base64.b64encode(hmac.new(key, signed.encode(), hashlib.sha256).digest()).decode()
    return [one == f"v1,{right}" for one in headers["webhook-signature"].split(" ")]


def change(session: Session, principal: Principal, title: str = "Told") -> str:
    item = companions.create(session, principal=principal, title=title)
    session.commit()
    return str(item.id)


def only(session: Session, made: Made) -> WebhookDelivery:
    session.expire_all()
    return session.scalars(select(WebhookDelivery).where(WebhookDelivery.webhook_id == made.webhook.id)).one()


def test_a_change_is_told_signed_and_without_a_secret(
    session: Session, owner: Principal, hook: Hook, receiver: Receiver, clock: Clock
) -> None:
    made = hook()
    item_id = change(session, owner)
    assert clock.work() == 1
    ((path, headers, body),) = receiver.asked
    assert path == "/hook" and headers["content-type"] == "application/json"
    assert proven(made.secret, headers, body) == [True]
    assert proven(made.secret, headers, body + b" ") == [False]
    sent: dict[str, Any] = json.loads(body)
    assert sent["id"] == headers["webhook-id"]
    assert (sent["type"], sent["data"]["actor"]) == ("companion.create", owner.email)
    assert sent["data"]["target"] == f"companion:{item_id}" and sent["data"]["after"]["title"] == "Told"
    kept = only(session, made)
    assert (kept.status, kept.attempts, kept.last_status, kept.response) == ("delivered", 1, 200, "thank you")
    assert kept.delivered_at and kept.next_at is None


def test_the_queues_job_delivers_and_a_rehearsal_sends_nothing(
    session: Session, owner: Principal, hook: Hook, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = hook()
    job = find("integrations.deliver")
    first = deliveries.send_test(session, principal=owner, webhook_id=made.webhook.id)
    second = deliveries.send_test(session, principal=owner, webhook_id=made.webhook.id)
    session.commit()
    job.run(delivery_id=str(first.id), attempt=1, replay=0)
    job.run(delivery_id=str(first.id), attempt=1, replay=0)
    assert len(receiver.asked) == 1
    monkeypatch.setenv("LEITSTAND_REHEARSAL", "true")
    get_settings.cache_clear()
    job.run(delivery_id=str(second.id), attempt=1, replay=0)
    session.expire_all()
    assert (len(receiver.asked), first.status, second.status) == (1, "delivered", "given-up")
    assert "tried out" in second.last_error


def test_what_is_rolled_back_or_not_listened_to_is_not_told(
    session: Session, owner: Principal, hook: Hook, receiver: Receiver, clock: Clock
) -> None:
    made = hook("report.*", "companion.publish")
    change(session, owner)
    hook("*")
    companions.create(session, principal=owner, title="Never")
    session.rollback()
    assert clock.work() == 0 and receiver.asked == []
    assert deliveries.list_deliveries(session, principal=owner, webhook_id=made.webhook.id) == []


def test_a_failure_is_tried_eight_times_within_a_day_with_the_same_id(
    session: Session, owner: Principal, hook: Hook, receiver: Receiver, clock: Clock
) -> None:
    made = hook()
    receiver.status, receiver.body = 500, b"\xff broken \x00" + b"x" * 5_000
    change(session, owner)
    begun = clock.now()
    assert clock.work() == 1
    kept = only(session, made)
    assert (kept.status, kept.last_error) == ("failed", "The receiver answers 500.")
    assert len(kept.response.encode()) <= 1_000 and kept.next_at
    assert clock.work() == 0
    while only(session, made).status == "failed":
        until = only(session, made).next_at
        assert until and clock.work(seconds=(until - clock.now()).total_seconds() + 1) == 1
    assert timedelta(hours=15) < clock.now() - begun < timedelta(hours=27)
    kept = only(session, made)
    assert (kept.status, kept.attempts, kept.next_at) == ("given-up", 8, None)
    assert len({headers["webhook-id"] for _, headers, _ in receiver.asked}) == 1
    assert len({headers["webhook-timestamp"] for _, headers, _ in receiver.asked}) == 8
    receiver.status, receiver.body = 204, b""
    assert deliveries.replay_failed(session, principal=owner, webhook_id=made.webhook.id) == 1
    session.commit()
    assert clock.work() == 1
    kept = only(session, made)
    assert (kept.status, kept.attempts, kept.replays) == ("delivered", 1, 1)
    assert len({headers["webhook-id"] for _, headers, _ in receiver.asked}) == 1


def test_a_job_that_is_run_twice_or_was_overtaken_sends_once(
    session: Session, owner: Principal, hook: Hook, receiver: Receiver, clock: Clock
) -> None:
    made = hook()
    receiver.status = 503
    change(session, owner)
    clock.work()
    delivery = only(session, made)
    deliveries.replay(session, principal=owner, webhook_id=made.webhook.id, delivery_id=delivery.id)
    session.commit()
    with pytest.raises(Conflict, match="on its way"):
        deliveries.replay(session, principal=owner, webhook_id=made.webhook.id, delivery_id=delivery.id)
    session.rollback()
    receiver.status = 200
    assert clock.work() == 1
    clock.work(hours=1)
    assert len(receiver.asked) == 2 and only(session, made).status == "delivered"


def test_both_secrets_sign_for_a_day_after_a_rotation(
    session: Session, owner: Principal, hook: Hook, receiver: Receiver, clock: Clock
) -> None:
    made = hook()
    fresh = webhooks.rotate(session, principal=owner, webhook_id=made.webhook.id)
    session.commit()
    assert fresh.secret != made.secret
    change(session, owner)
    clock.work()
    clock.ahead = timedelta(hours=24, minutes=1)
    change(session, owner, "Later")
    clock.work()
    (_, first, body), (_, second, later) = receiver.asked
    assert proven(fresh.secret, first, body) == [True, False]
    assert proven(made.secret, first, body) == [False, True]
    assert proven(fresh.secret, second, later) == [True]


def test_what_fails_for_days_or_is_gone_is_turned_off_and_can_be_turned_on(
    session: Session, owner: Principal, hook: Hook, receiver: Receiver, clock: Clock
) -> None:
    made, _ = hook(), hook("webhook.disable")
    receiver.status = 500
    change(session, owner)
    clock.work()
    change(session, owner, "Days later")
    receiver.status = 500
    clock.ahead = timedelta(days=5, minutes=1)
    clock.work()
    session.expire_all()
    off = session.get_one(Webhook, made.webhook.id)
    assert not off.active and off.disabled_at and "5 days" in off.disabled_reason
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "webhook.disable")).one()
    assert (entry.actor, entry.target) == ("system", f"webhook:{off.id}")
    assert json.loads(receiver.bodies()[-1])["type"] == "webhook.disable"
    with pytest.raises(Conflict, match="off"):
        deliveries.send_test(session, principal=owner, webhook_id=off.id)
    draft = Draft(off.url, off.events)
    on = webhooks.update(session, principal=owner, webhook_id=off.id, draft=draft)
    session.commit()
    assert on.active and on.failing_since is None and on.disabled_reason == ""
    receiver.status = 410
    deliveries.send_test(session, principal=owner, webhook_id=off.id)
    session.commit()
    clock.work()
    session.expire_all()
    assert "410" in session.get_one(Webhook, off.id).disabled_reason


@pytest.mark.parametrize(
    "url",
    ["https://169.254.169.254/latest/meta-data", "https://localhost/x", "http://example.org/", "https://[::1]/",
     "https://user:pass@example.org/", "ftp://example.org/", "https://10.0.0.7/", "nothing"],
)  # fmt: skip
def test_an_address_that_is_not_ours_to_call_is_refused_at_once(
    session: Session, owner: Principal, url: str
) -> None:
    with pytest.raises(InvalidInput):
        webhooks.create(session, principal=owner, draft=Draft(url, ["*"]))


def test_what_leads_to_a_private_address_later_is_not_called(
    session: Session,
    owner: Principal,
    hook: Hook,
    receiver: Receiver,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = hook()
    receiver.status, receiver.headers = 302, {"location": "http://169.254.169.254/"}
    change(session, owner)
    clock.work()
    assert "redirect, which is not followed" in only(session, made).last_error
    assert len(receiver.asked) == 1
    monkeypatch.setenv("LEITSTAND_OUTGOING_PRIVATE_ADDRESSES_ALLOWED", "")
    get_settings.cache_clear()
    clock.work(hours=1)
    kept = only(session, made)
    assert (kept.attempts, kept.last_status, len(receiver.asked)) == (2, None, 1)
    assert kept.last_error


def test_the_secret_is_in_no_table_job_or_log_entry(
    session: Session,
    owner: Principal,
    hook: Hook,
    receiver: Receiver,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    made = hook("*")
    fresh = webhooks.rotate(session, principal=owner, webhook_id=made.webhook.id)
    deliveries.send_test(session, principal=owner, webhook_id=made.webhook.id)
    change(session, owner)
    rows = ""
    for table in ("webhook", "webhook_delivery", "audit_entry", "procrastinate_jobs"):
        rows += str(session.scalars(text(f"SELECT t::text FROM {table} t")).all())
    clock.work()
    said = rows + caplog.text + "".join(capfd.readouterr()) + repr(made) + repr(fresh)
    said += "".join(map(str, receiver.bodies()))
    for secret in (made.secret, fresh.secret):
        assert secret.removeprefix("whsec_") not in said
        assert secret.removeprefix("whsec_").encode().hex() not in said


def test_sealed_secrets_follow_a_new_key(
    session: Session, owner: Principal, hook: Hook, receiver: Receiver, clock: Clock
) -> None:
    made = hook()
    webhooks.rotate(session, principal=owner, webhook_id=made.webhook.id)
    session.commit()
    settings = get_settings()
    rotated = settings.model_copy(
        update={"secrets_key": SecretStr("newer"), "secrets_key_previous": settings.secrets_key}
    )
    assert (seal_again(session, rotated), seal_again(session, rotated)) == (2, 0)


def test_no_other_workspace_and_no_other_role_reaches_a_webhook(
    session: Session, owner: Principal, hook: Hook, receiver: Receiver, clock: Clock
) -> None:
    made = hook("*")
    workspace = Workspace(slug="other", name="Other")
    session.add(workspace)
    session.commit()
    other = Principal(owner.person_id, workspace.id, "Otto", "otto@other.test", "owner", ROLES["owner"])
    change(session, other)
    assert clock.work() == 0 and receiver.asked == []
    change(session, owner)
    clock.work()
    delivery = only(session, made)
    given = {"principal": other, "webhook_id": made.webhook.id}
    assert webhooks.list_webhooks(session, principal=other) == []
    for refused in (
        lambda: webhooks.get(session, **given),
        lambda: webhooks.rotate(session, **given),
        lambda: webhooks.remove(session, **given),
        lambda: webhooks.update(session, **given, draft=Draft("https://example.org", ["*"])),
        lambda: deliveries.list_deliveries(session, **given),
        lambda: deliveries.get_delivery(session, **given, delivery_id=delivery.id),
        lambda: deliveries.replay(session, **given, delivery_id=delivery.id),
        lambda: deliveries.replay_failed(session, **given),
        lambda: deliveries.send_test(session, **given),
    ):
        with pytest.raises(NotFound):
            refused()
    creator = Principal(owner.person_id, owner.workspace_id, "C", "c@x.test", "creator", ROLES["creator"])
    with pytest.raises(Forbidden):
        webhooks.list_webhooks(session, principal=creator)


def test_the_log_keeps_90_days_and_whatever_is_still_on_its_way(
    session: Session, owner: Principal, hook: Hook
) -> None:
    made = hook("companion.*")
    for title in ("Young", "Old and done", "Old and waiting"):
        change(session, owner, title)
    young, done, waiting = session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)).all()
    for old in (done, waiting):
        old.created_at -= deliveries.KEEP + timedelta(minutes=1)
    young.status = done.status = "delivered"
    session.commit()
    assert keep_events.forget_ended.fn() == {"sessions": 0, "deliveries": 1}
    left = deliveries.list_deliveries(session, principal=owner, webhook_id=made.webhook.id)
    assert {one.id for one in left} == {young.id, waiting.id}
