"""One attempt to deliver: send, keep what came back, and queue the next attempt or give up.

An attempt whose process dies between answer and receipt is made again, so a receiver may see an event twice; its
`webhook-id` is the same then. Order is not promised: an event that fails waits while later ones go on.
"""

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leitstand.db.engine import transaction
from leitstand.db.models import Webhook, WebhookDelivery
from leitstand.errors import LeitstandError
from leitstand.identity import audit
from leitstand.identity.access import system_principal
from leitstand.identity.sealed import place_of_earlier, place_of_webhook
from leitstand.identity.sealing import open_sealed
from leitstand.integrations import signing
from leitstand.integrations.emission import schedule
from leitstand.outgoing.fetching import fetch
from leitstand.settings import get_settings
from leitstand.telemetry.logs import get_logger
from leitstand.words import N_, msg

ATTEMPTS = 8
# 30 s, 1:45 min, 6, 21, 75 min, 4.4 h and 15.3 h: about 21 hours in all.
FIRST_WAIT, FACTOR, JITTER = 30.0, 3.5, 0.2
SECONDS = 10.0
MOST_BYTES = 64 * 1024
EXCERPT = 1_000
GONE = 410
DISABLE_AFTER = timedelta(days=5)
Clock = Callable[[], datetime]
log = get_logger("webhooks")


@dataclass(frozen=True)
class _Outgoing:
    url: str
    event_id: str
    body: bytes
    keys: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True)
class Outcome:
    """What came of an attempt: the status (None: no answer), what is wrong, and the beginning of the answer."""

    status: int | None
    error: str
    response: str
    duration_ms: int


def body_of(payload: dict[str, object]) -> bytes:
    """The body that is sent and signed."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def wait_after(attempt: int) -> float | None:
    """Seconds between a failed attempt (from 1) and the next, with jitter; None after the last."""
    if attempt >= ATTEMPTS:
        return None
    spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads retries, guards nothing
    return float(FIRST_WAIT * FACTOR ** (attempt - 1) * spread)


def now_utc() -> datetime:
    """The clock on the wall."""
    return datetime.now(UTC)


def deliver(
    engine: Engine, *, delivery_id: UUID, attempt: int, replay: int, clock: Clock = now_utc
) -> Outcome | None:
    """Make attempt number `attempt` of a delivery's `replay`-th round; None where it is no longer to be made."""
    with transaction(engine) as session:
        found = _due(session, delivery_id, attempt, replay)
        if found is None:
            return None
        delivery, webhook = found
        if refusal := _refusal(webhook):
            _give_up(delivery, refusal)
            return None
        try:
            outgoing = _outgoing(delivery, webhook, clock())
        except LeitstandError as error:
            _give_up(delivery, error.message)
            return None
    outcome = _send(outgoing, clock())
    with transaction(engine) as session:
        found = _due(session, delivery_id, attempt, replay)
        if found is not None:
            _keep(session, *found, outcome, clock())
    log.info("webhook called", delivery=str(delivery_id), status=outcome.status, ms=outcome.duration_ms)
    return outcome


def _due(
    session: Session, delivery_id: UUID, attempt: int, replay: int
) -> tuple[WebhookDelivery, Webhook] | None:
    query = (
        select(WebhookDelivery, Webhook)
        .join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
        .where(
            WebhookDelivery.id == delivery_id,
            WebhookDelivery.status.in_(("pending", "failed")),
            WebhookDelivery.attempts == attempt - 1,
            WebhookDelivery.replays == replay,
            Webhook.workspace_id == WebhookDelivery.workspace_id,
        )
        .with_for_update()
    )
    row = session.execute(query).first()
    return (row[0], row[1]) if row else None


def _refusal(webhook: Webhook) -> str:
    if get_settings().rehearsal:
        return N_("Nothing is sent: this is a restored copy that is only tried out (LEITSTAND_REHEARSAL).")
    return "" if webhook.active else N_("The webhook is off.")


def _outgoing(delivery: WebhookDelivery, webhook: Webhook, now: datetime) -> _Outgoing:
    keys = [open_sealed(webhook.secret, place=place_of_webhook(webhook.id))]
    if webhook.earlier_secret is not None and webhook.earlier_until and webhook.earlier_until > now:
        keys.append(open_sealed(webhook.earlier_secret, place=place_of_earlier(webhook.id)))
    return _Outgoing(webhook.url, delivery.event_id, body_of(delivery.payload), tuple(keys))


def _send(outgoing: _Outgoing, now: datetime) -> Outcome:
    headers = signing.headers(outgoing.event_id, outgoing.body, outgoing.keys, at=now)
    began = time.monotonic()
    status, error, response = None, "", b""
    try:
        answer = fetch(
            outgoing.url,
            method="POST",
            headers={"Content-Type": "application/json", **headers},
            body=outgoing.body,
            seconds=SECONDS,
            most_bytes=MOST_BYTES,
            redirects=0,
        )
        status, response = answer.status, answer.body[:EXCERPT]
        error = "" if answer.ok else _said(answer.status)
    except LeitstandError as failed:
        error = failed.said
    shown = response.decode(errors="replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
    shown = shown.encode()[:EXCERPT].decode(errors="ignore")
    return Outcome(status, error, shown, round((time.monotonic() - began) * 1000))


def _said(status: int) -> str:
    if 300 <= status < 400:
        return msg("The receiver answers {status}, a redirect, which is not followed.", status=status)
    return msg("The receiver answers {status}.", status=status)


def _keep(
    session: Session, delivery: WebhookDelivery, webhook: Webhook, outcome: Outcome, now: datetime
) -> None:
    delivery.attempts += 1
    delivery.last_at, delivery.last_status, delivery.last_error = now, outcome.status, outcome.error
    delivery.response, delivery.duration_ms = outcome.response, outcome.duration_ms
    if not outcome.error:
        delivery.status, delivery.next_at, delivery.delivered_at = "delivered", None, now
        webhook.failing_since = None
        return
    webhook.failing_since = webhook.failing_since or now
    if outcome.status == GONE:
        _disable(session, webhook, N_("The receiver says that it is gone for good (410)."), now)
    elif now - webhook.failing_since >= DISABLE_AFTER:
        _disable(
            session, webhook, msg("Nothing could be delivered for {days} days.", days=DISABLE_AFTER.days), now
        )
    wait = wait_after(delivery.attempts) if webhook.active else None
    if wait is None:
        _give_up(delivery, outcome.error)
    else:
        delivery.status = "failed"
        schedule(session, delivery, at=now + timedelta(seconds=wait))


def _give_up(delivery: WebhookDelivery, error: str) -> None:
    delivery.status, delivery.next_at, delivery.last_error = "given-up", None, error


def _disable(session: Session, webhook: Webhook, reason: str, now: datetime) -> None:
    if not webhook.active:
        return
    webhook.active, webhook.disabled_at, webhook.disabled_reason = False, now, reason
    session.flush()
    audit.record(
        session,
        principal=system_principal(webhook.workspace_id),
        action="webhook.disable",
        target=f"webhook:{webhook.id}",
        before={"active": True},
        after={"active": False, "reason": reason},
    )
