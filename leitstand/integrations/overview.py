"""Every integration of a workspace with its state and last check."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.db.models import S3Import, Webhook, WebhookDelivery
from leitstand.identity import identity_providers
from leitstand.identity.access import Principal, require
from leitstand.integrations import mail, model_endpoints, webhooks
from leitstand.mail.settings import mail_off
from leitstand.settings import get_settings
from leitstand.words import N_, Message, msg, said

OFF, UNTESTED, WORKS, BROKEN = "off", "untested", "works", "broken"


@dataclass(frozen=True)
class State:
    """How one kind of integration is.

    Args:
        slug: its short name.
        state: `off`, `untested`, `works` or `broken`.
        count: how many are set up.
        checked_at: the last check or delivery.
        problem: what is wrong.
    """

    slug: str
    state: str
    count: int = 0
    checked_at: datetime | None = None
    problem: str = ""


def overview(session: Session, *, principal: Principal) -> list[State]:
    """Single sign-on, mail, model endpoints, webhooks and imports from buckets.

    Raises:
        Forbidden: without `workspace:manage`.
    """
    require(principal, "workspace:manage")
    parts = (_sign_on, _mail, _endpoints, _webhooks, _s3_imports)
    return [part(session, principal) for part in parts]


def _named(name: str, problem: str) -> Message:
    """What is wrong with the integration of that name."""
    return msg("{name}: {problem}", name=name, problem=said(problem))


def _judged(checked_at: datetime | None, problem: str) -> str:
    if checked_at is None:
        return UNTESTED
    return BROKEN if problem else WORKS


def _sign_on(session: Session, principal: Principal) -> State:
    found = identity_providers.get(session, principal=principal)
    if found is None:
        return State("sign-on", OFF)
    problem, at = found.check_problem, found.checked_at
    return State("sign-on", _judged(at, problem), 1, at, problem)


def _mail(session: Session, principal: Principal) -> State:
    if off := mail_off(get_settings()):
        return State("mail", OFF, problem=off)
    at, problem = mail.last_test(session, principal=principal) or (None, "")
    return State("mail", _judged(at, problem), 1, at, problem)


def _endpoints(session: Session, principal: Principal) -> State:
    found = model_endpoints.list_endpoints(session, principal=principal)
    if not found:
        return State("models", OFF)
    checked = [one.checked_at for one in found if one.checked_at]
    problem = next((_named(one.name, one.check_problem) for one in found if one.check_problem), "")
    at = max(checked, default=None)
    return State("models", _judged(at, problem), len(found), at, problem)


def _webhooks(session: Session, principal: Principal) -> State:
    found = webhooks.list_webhooks(session, principal=principal)
    if not found:
        return State("webhooks", OFF)
    last = select(func.max(WebhookDelivery.last_at)).join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
    at = session.scalar(last.where(WebhookDelivery.workspace_id == principal.workspace_id))
    failing = [one for one in found if one.failing_since]
    problem = _named(failing[0].url, failing[0].disabled_reason or N_("deliveries fail.")) if failing else ""
    return State("webhooks", _judged(at, problem), len(found), at, problem)


def _s3_imports(session: Session, principal: Principal) -> State:
    found = session.scalars(select(S3Import).where(S3Import.workspace_id == principal.workspace_id)).all()
    if not found:
        return State("s3-imports", OFF)
    at = max((when for one in found if (when := one.ended_at or one.checked_at)), default=None)
    wrong = ((one, one.run_problem or one.check_problem) for one in found)
    problem = next((_named(one.name, problem) for one, problem in wrong if problem), "")
    return State("s3-imports", _judged(at, problem), len(found), at, problem)
