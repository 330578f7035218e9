"""Who gets which report by mail. People subscribe themselves; who manages members sees everybody's subscriptions."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import func, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import LateralFromClause

from leitstand.db.models import Membership, Person, Report, ReportMail, ReportSubscription
from leitstand.db.row_security import beyond
from leitstand.errors import InvalidInput
from leitstand.identity import audit
from leitstand.identity.access import Principal, require, system_principal
from leitstand.identity.membership import OWN_PERMISSIONS, holds, permissions_of, with_role
from leitstand.identity.standing import principal_of
from leitstand.identity.workspaces import checked_zone
from leitstand.reports.kinds import Kind, find, readable
from leitstand.reports.periods import next_due
from leitstand.reports.unsubscribe_links import Link, read_token


@dataclass(frozen=True)
class Own:
    """A report as a person sees it who may subscribe to it.

    Args:
        zone: of their subscription; None where they have none.
        next_at: when the next one is due in that zone (the workspace's where they have none).
    """

    kind: Kind
    zone: str | None
    next_at: datetime


@dataclass(frozen=True)
class Subscriber:
    """Somebody's subscription, for who manages members.

    Args:
        able: whether their role still permits the report; else nothing is sent.
        last: state of the newest mail of it to them ("" where there was none), and why it failed.
    """

    name: str
    email: str
    person: str
    zone: str
    since: datetime
    able: bool
    last: str
    error: str


def subscribe(session: Session, *, principal: Principal, name: str, zone: str = "") -> ReportSubscription:
    """Subscribe oneself; where one is subscribed already, the zone is changed.

    Args:
        zone: IANA zone whose days the figures are of; empty: the workspace's.

    Raises:
        NotFound: there is no such report.
        Forbidden: the principal may not read it.
        InvalidInput: no such zone, or nobody to mail to.
    """
    kind = find(name)
    require(principal, kind.permission)
    zone = checked_zone(zone or principal.zone)
    keys = {"workspace_id": principal.workspace_id, "person_id": _person(principal), "name": kind.name}
    statement = insert(ReportSubscription).values(**keys, zone=zone)
    session.execute(statement.on_conflict_do_update(index_elements=list(keys), set_={"zone": zone}))
    _note(session, principal, "report.subscribe", kind, zone)
    return session.get_one(ReportSubscription, tuple(keys.values()), populate_existing=True)


def unsubscribe(session: Session, *, principal: Principal, name: str) -> bool:
    """End one's own subscription; gives whether there was one.

    Raises:
        NotFound: there is no such report.
    """
    kind = find(name)
    found = session.get(ReportSubscription, (principal.workspace_id, _person(principal), kind.name))
    if found is None:
        return False
    session.delete(found)
    session.flush()
    _note(session, principal, "report.unsubscribe", kind, found.zone)
    return True


@beyond("a mail's link opens what it names, whoever is signed in, and wherever")
def unsubscribe_by_link(session: Session, token: str) -> Link:
    """End the subscription that a mail's link names, without signing in; again is no error.

    Raises:
        NotFound: the link is none of ours.
    """
    link = read_token(token)
    found = session.get(ReportSubscription, (link.workspace_id, link.person_id, link.name))
    if found is not None:
        person = principal_of(session, workspace_id=link.workspace_id, person_id=link.person_id)
        session.delete(found)
        by = person or system_principal(link.workspace_id, "unsubscribe link")
        _note(session, by, "report.unsubscribe", find(link.name), found.zone)
    return link


def own(session: Session, *, principal: Principal) -> list[Own]:
    """The reports that the principal may read, each with their subscription to it."""
    mine = select(ReportSubscription.name, ReportSubscription.zone).where(
        ReportSubscription.workspace_id == principal.workspace_id,
        ReportSubscription.person_id == principal.person_id,
    )
    zones = dict(session.execute(mine).tuples().all())
    now = datetime.now(UTC)
    found = []
    for kind in readable(principal):
        zone = zones.get(kind.name)
        used = zone or principal.zone
        found.append(Own(kind, zone, next_due(kind.cadence, used, now).due_at(used)))
    return found


def list_subscribers(session: Session, *, principal: Principal) -> list[Subscriber]:
    """Everybody's subscriptions in the workspace, by report and e-mail.

    Raises:
        Forbidden: without `member:manage`.
    """
    require(principal, "member:manage")
    newest = _newest_mail()
    statement = with_role(
        select(
            ReportSubscription,
            Person,
            Membership.role,
            newest.c.status,
            newest.c.error,
            OWN_PERMISSIONS,
            holds(),
        )
        .select_from(ReportSubscription)
        .join(Person, Person.id == ReportSubscription.person_id)
        .join(
            Membership,
            (Membership.workspace_id == ReportSubscription.workspace_id)
            & (Membership.person_id == Person.id),
        )
        .outerjoin(newest, true())
        .where(ReportSubscription.workspace_id == principal.workspace_id)
        .order_by(ReportSubscription.name, func.lower(Person.email))
    )
    return [_subscriber(*row) for row in session.execute(statement)]


def _newest_mail() -> LateralFromClause:
    """State and error of the newest mail of a subscription."""
    return (
        select(ReportMail.status, ReportMail.error)
        .join(Report, Report.id == ReportMail.report_id)
        .where(
            ReportMail.person_id == ReportSubscription.person_id,
            Report.workspace_id == ReportSubscription.workspace_id,
            Report.name == ReportSubscription.name,
        )
        .order_by(ReportMail.created_at.desc())
        .limit(1)
        .correlate(ReportSubscription)
        .lateral()
    )


def _subscriber(
    subscription: ReportSubscription,
    person: Person,
    role: str,
    status: str | None,
    error: str | None,
    own: list[str] | None,
    belongs: bool,
) -> Subscriber:
    permitted = belongs and find(subscription.name).permission in permissions_of(role, own)
    return Subscriber(
        subscription.name,
        person.email,
        person.name,
        subscription.zone,
        subscription.created_at,
        permitted and person.disabled_at is None,
        status or "",
        error or "",
    )


def subscribed(
    session: Session, *, workspace_id: UUID, name: str
) -> list[tuple[ReportSubscription, Principal]]:
    """The subscriptions to a report whose people are there, not disabled, and may read it now."""
    kind = find(name)
    statement = (
        select(ReportSubscription)
        .where(ReportSubscription.workspace_id == workspace_id, ReportSubscription.name == name)
        .order_by(ReportSubscription.person_id)
    )
    found = []
    for subscription in session.scalars(statement):
        person = principal_of(session, workspace_id=workspace_id, person_id=subscription.person_id)
        if person is not None and person.may(kind.permission):
            found.append((subscription, person))
    return found


def _person(principal: Principal) -> UUID:
    if principal.person_id is None:
        raise InvalidInput("Only a person can subscribe.", hint="Name one with --email.")
    return principal.person_id


def _note(session: Session, principal: Principal, action: str, kind: Kind, zone: str) -> None:
    audit.record(
        session,
        principal=principal,
        action=action,
        target=f"report:{kind.name}",
        after={"name": kind.name, "zone": zone},
    )
