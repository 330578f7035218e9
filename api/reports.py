"""Reports: listed, read, asked for, subscribed to."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response, status

from api.models import Answer, Request
from api.moments import Day
from leitstand.mail.settings import mail_off
from leitstand.reports import editions, subscriptions
from leitstand.settings import get_settings
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(prefix="/reports", tags=["reports"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]
Limit = Annotated[int, Query(ge=1, le=editions.MOST_LISTED)]
MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "ipynb": "application/x-ipynb+json",
}


class ReportIn(Request):
    """`day` is any day of the period; left out: the newest full one. `zone` left out: the workspace's."""

    name: str
    day: Day | None = None
    zone: str = ""


class SubscriptionIn(Request):
    zone: str = ""


class OwnOut(Answer):
    """A report that one may subscribe to; `zone` is null without a subscription."""

    name: str
    title: str
    comes: str
    audience: str
    zone: str | None
    next_at: datetime


class SubscriberOut(Answer):
    name: str
    email: str
    person: str
    zone: str
    since: datetime
    able: bool
    last: str
    error: str


class SubscriptionsOut(Answer):
    """One's own subscriptions; `mail_note` says why no mail is sent, empty where it is."""

    subscriptions: list[OwnOut]
    mail_note: str


@router.get("")
def list_reports(
    session: Db, principal: CurrentPrincipal, name: str | None = None, limit: Limit = 50
) -> list[dict[str, Any]]:
    """The workspace's reports that one may read, the newest period first."""
    found = editions.list_reports(session, principal=principal, name=name, limit=limit)
    return [editions.public(report) for report in found]


@router.post("", status_code=status.HTTP_202_ACCEPTED, dependencies=CSRF)
def start_report(session: Db, principal: CurrentPrincipal, wanted: ReportIn) -> dict[str, Any]:
    """Have the queue worker make a report, again where there is one already."""
    report = editions.request_report(
        session, principal=principal, name=wanted.name, day=wanted.day, zone=wanted.zone
    )
    return editions.public(report)


@router.get("/subscriptions")
def list_own_subscriptions(session: Db, principal: CurrentPrincipal) -> SubscriptionsOut:
    """What one may subscribe to, and what one gets."""
    found = [
        OwnOut(
            name=one.kind.name,
            title=one.kind.title,
            comes=one.kind.comes,
            audience=one.kind.audience,
            zone=one.zone,
            next_at=one.next_at,
        )
        for one in subscriptions.own(session, principal=principal)
    ]
    return SubscriptionsOut(subscriptions=found, mail_note=mail_off(get_settings()))


@router.get("/subscribers")
def list_subscribers(session: Db, principal: CurrentPrincipal) -> list[SubscriberOut]:
    """Everybody's subscriptions, for who manages members."""
    return [
        SubscriberOut(**asdict(one)) for one in subscriptions.list_subscribers(session, principal=principal)
    ]


@router.put("/subscriptions/{name}", dependencies=CSRF)
def subscribe_to_report(
    session: Db, principal: CurrentPrincipal, name: str, wanted: SubscriptionIn
) -> dict[str, str]:
    """Subscribe oneself, or change the zone."""
    made = subscriptions.subscribe(session, principal=principal, name=name, zone=wanted.zone)
    return {"name": made.name, "zone": made.zone}


@router.delete("/subscriptions/{name}", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF)
def unsubscribe_from_report(session: Db, principal: CurrentPrincipal, name: str) -> None:
    """End one's own subscription; again is no error."""
    subscriptions.unsubscribe(session, principal=principal, name=name)


@router.get("/{report_id}")
def get_report(session: Db, principal: CurrentPrincipal, report_id: UUID) -> dict[str, Any]:
    """One report: its state, key figures and hashes."""
    return editions.public(editions.get_report(session, principal=principal, report_id=report_id))


@router.get("/{report_id}/content/{form}")
def get_report_content(
    session: Db, principal: CurrentPrincipal, report_id: UUID, form: Literal["html", "pdf", "ipynb"]
) -> Response:
    """The report itself, to download."""
    found = editions.get_report(session, principal=principal, report_id=report_id)
    headers = {
        "Content-Disposition": f'attachment; filename="{editions.file_name(found, form)}"',
        "Cache-Control": "private, no-store",
    }
    return Response(
        editions.content(get_settings(), found, form), media_type=MEDIA_TYPES[form], headers=headers
    )
