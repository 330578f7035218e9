"""Webhooks of a workspace: made, changed, rotated and removed by those who manage it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.db.models import Webhook
from leitstand.db.models.base import new_id
from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.identity.sealed import place_of_earlier, place_of_webhook
from leitstand.identity.sealing import open_sealed, seal
from leitstand.integrations.addresses import checked_url
from leitstand.integrations.signing import new_secret
from leitstand.words import N_, msg

MOST = 50
MOST_EVENTS = 100
LONGEST_DESCRIPTION = 500
BY_HAND = N_("Turned off by hand.")
BESIDE = timedelta(hours=24)
EVENT = re.compile(r"\*|[a-z][a-z0-9-]{0,40}\.(?:\*|[a-z][a-z0-9-]{0,40})")
# Offered on the form; any other name of the audit log can be typed in.
OFFERED = (
    "*", "companion.*", "item.*", "report.*", "runbook.*", "backup.*", "token.*", "person.*", "session.*",
    "sign-on.*", "webhook.*", "model-endpoint.*", "tool.*", "workspace.*",
)  # fmt: skip


@dataclass(frozen=True)
class Draft:
    """What is entered.

    Args:
        events: names as in the audit log; `noun.*` is every event of a noun, `*` is everything.
    """

    url: str
    events: Sequence[str] = ()
    description: str = ""
    active: bool = True


@dataclass(frozen=True)
class Made:
    """A webhook and its new secret, which is shown now and never again."""

    webhook: Webhook
    secret: str = field(repr=False)


def list_webhooks(session: Session, *, principal: Principal) -> list[Webhook]:
    """The workspace's own, oldest first.

    Raises:
        Forbidden: without `workspace:manage`.
    """
    require(principal, "workspace:manage")
    query = select(Webhook).where(Webhook.workspace_id == principal.workspace_id)
    return list(session.scalars(query.order_by(Webhook.created_at, Webhook.id)))


def get(session: Session, *, principal: Principal, webhook_id: UUID, lock: bool = False) -> Webhook:
    """One of the workspace's own.

    Args:
        lock: keep others from changing it until the transaction ends.

    Raises:
        NotFound: there is none of that id here.
        Forbidden: without `workspace:manage`.
    """
    require(principal, "workspace:manage")
    query = select(Webhook).where(Webhook.workspace_id == principal.workspace_id, Webhook.id == webhook_id)
    webhook = session.scalar(query.with_for_update() if lock else query)
    if webhook is None:
        raise NotFound("There is no such webhook.")
    return webhook


def create(session: Session, *, principal: Principal, draft: Draft) -> Made:
    """Make a webhook; it is told what happens from now on.

    Raises:
        InvalidInput: address, events or description are not fit.
        Conflict: the workspace has too many.
        Forbidden: without `workspace:manage`.
    """
    require(principal, "workspace:manage")
    values = _checked(draft)
    here = select(func.count()).select_from(Webhook).where(Webhook.workspace_id == principal.workspace_id)
    if (session.scalar(here) or 0) >= MOST:
        raise Conflict(
            msg("There are {most} webhooks already.", most=MOST), hint="Remove those that are not used."
        )
    webhook_id, secret = new_id(), new_secret()
    webhook = Webhook(
        id=webhook_id,
        workspace_id=principal.workspace_id,
        secret=seal(secret, place=place_of_webhook(webhook_id)),
        created_by=principal.actor,
        updated_by=principal.actor,
        disabled_at=None if draft.active else datetime.now(UTC),
        disabled_reason="" if draft.active else BY_HAND,
        **values,
    )
    # Noted before it is there: nobody has its secret yet, so it is not told of itself.
    _record(session, principal, "webhook.create", webhook, None, shown(webhook))
    session.add(webhook)
    session.flush()
    return Made(webhook, secret)


def update(session: Session, *, principal: Principal, webhook_id: UUID, draft: Draft) -> Webhook:
    """Change a webhook. Turned on again, it forgets why it was turned off.

    Raises:
        InvalidInput: address, events or description are not fit.
        NotFound: there is none of that id here.
        Forbidden: without `workspace:manage`.
    """
    webhook = get(session, principal=principal, webhook_id=webhook_id, lock=True)
    before = shown(webhook)
    for name, value in _checked(draft).items():
        setattr(webhook, name, value)
    if webhook.active and not before["active"]:
        webhook.disabled_at, webhook.disabled_reason, webhook.failing_since = None, "", None
    elif not webhook.active and before["active"]:
        webhook.disabled_at, webhook.disabled_reason = datetime.now(UTC), BY_HAND
    old, new = audit.changed(before, shown(webhook))
    if new:
        webhook.updated_at, webhook.updated_by = datetime.now(UTC), principal.actor
        session.flush()
        _record(session, principal, "webhook.update", webhook, old, new)
    return webhook


def rotate(session: Session, *, principal: Principal, webhook_id: UUID) -> Made:
    """Give a webhook a new secret; the one before signs beside it for 24 hours.

    Raises:
        NotFound: there is none of that id here.
        Forbidden: without `workspace:manage`.
    """
    webhook = get(session, principal=principal, webhook_id=webhook_id, lock=True)
    earlier, secret = open_sealed(webhook.secret, place=place_of_webhook(webhook.id)), new_secret()
    webhook.earlier_secret = seal(earlier, place=place_of_earlier(webhook.id))
    webhook.earlier_until = datetime.now(UTC) + BESIDE
    webhook.secret = seal(secret, place=place_of_webhook(webhook.id))
    webhook.updated_at, webhook.updated_by = datetime.now(UTC), principal.actor
    session.flush()
    after: dict[str, object] = {"earlier_until": webhook.earlier_until.isoformat()}
    _record(session, principal, "webhook.rotate", webhook, None, after)
    return Made(webhook, secret)


def remove(session: Session, *, principal: Principal, webhook_id: UUID) -> None:
    """Take a webhook away, with the log of its deliveries.

    Raises:
        NotFound: there is none of that id here.
        Forbidden: without `workspace:manage`.
    """
    webhook = get(session, principal=principal, webhook_id=webhook_id, lock=True)
    before = shown(webhook)
    session.delete(webhook)
    session.flush()
    _record(session, principal, "webhook.remove", webhook, before, None)


def shown(webhook: Webhook) -> dict[str, object]:
    """What the audit log keeps; never a secret."""
    return {
        "url": webhook.url, "events": list(webhook.events), "description": webhook.description,
        "active": webhook.active,
    }  # fmt: skip


def _record(
    session: Session,
    principal: Principal,
    action: str,
    webhook: Webhook,
    before: dict[str, object] | None,
    after: dict[str, object] | None,
) -> None:
    target = f"webhook:{webhook.id}"
    audit.record(session, principal=principal, action=action, target=target, before=before, after=after)


def _checked(draft: Draft) -> dict[str, object]:
    events = sorted({one.strip() for one in draft.events if one.strip()})
    if not events:
        raise InvalidInput("No event is chosen.", hint="Choose those that the webhook is told of.")
    if len(events) > MOST_EVENTS:
        raise InvalidInput(
            msg("At most {most_events} events can be named.", most_events=MOST_EVENTS),
            hint="`*` is all of them.",
        )
    for one in events:
        if not EVENT.fullmatch(one):
            raise InvalidInput(
                msg("{one!r} is no event.", one=one[:100]),
                hint="It looks like companion.publish or companion.*.",
            )
    description = draft.description.strip()
    if len(description) > LONGEST_DESCRIPTION or not description.isprintable():
        raise InvalidInput(
            msg(
                "A description is one line of at most {longest_description} characters.",
                longest_description=LONGEST_DESCRIPTION,
            )
        )
    url = checked_url(draft.url)
    return {"url": url, "events": events, "description": description, "active": draft.active}
