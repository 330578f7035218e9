"""Reports are one a workspace, name, period and zone, seen by who may see them, and due once."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from leitstand.db.models import (
    AuditEntry,
    Membership,
    Person,
    Report,
    ReportMail,
    ReportSubscription,
    Workspace,
)
from leitstand.errors import Conflict, Forbidden, IntegrityFailed, InvalidInput, NotFound
from leitstand.reports import editions, kinds, schedule, subscriptions
from leitstand.reports.periods import WEEK, containing, last_due
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from tests.integration.reports.conftest import People
from tests.reports import archived, long_ago, mailing

NOW = datetime(2026, 6, 3, 12, tzinfo=UTC)
WEEKLY, MONTHLY = kinds.WEEKLY.name, kinds.MONTHLY.name


def subscribe(session: Session, person: object, name: str = WEEKLY, zone: str = "") -> None:
    subscriptions.subscribe(session, principal=person, name=name, zone=zone)  # type: ignore[arg-type]
    session.execute(update(ReportSubscription).values(created_at=long_ago()))
    session.commit()


# --- who may ---


def test_each_sees_the_reports_that_their_role_permits(
    session: Session, settings: Settings, people: People
) -> None:
    workspace_id = people.owner.workspace_id
    weekly = archived(session, settings, workspace_id)
    monthly = archived(session, settings, workspace_id, kind=kinds.MONTHLY)
    seen = {
        name: {report.name for report in editions.list_reports(session, principal=getattr(people, name))}
        for name in ("owner", "analyst", "member", "operator", "stranger")
    }
    both = {WEEKLY, MONTHLY}
    assert seen == {"owner": both, "operator": both, "analyst": {WEEKLY}, "member": set(), "stranger": set()}
    for person, report in ((people.analyst, monthly), (people.member, weekly), (people.stranger, weekly)):
        with pytest.raises(NotFound):
            editions.get_report(session, principal=person, report_id=report.id)
    with pytest.raises(Forbidden):
        editions.list_reports(session, principal=people.analyst, name=MONTHLY)


def test_nobody_has_one_made_or_subscribes_who_may_not_read_it(session: Session, people: People) -> None:
    for person, name in ((people.member, WEEKLY), (people.analyst, MONTHLY)):
        with pytest.raises(Forbidden):
            editions.request_report(session, principal=person, name=name)
        with pytest.raises(Forbidden):
            subscriptions.subscribe(session, principal=person, name=name)
    for person in (people.analyst, people.operator):
        with pytest.raises(Forbidden):
            subscriptions.list_subscribers(session, principal=person)


# --- asked for ---


def test_a_request_is_one_edition_one_job_and_one_line_in_the_audit_log(
    session: Session, people: People
) -> None:
    report = editions.request_report(session, principal=people.analyst, name=WEEKLY, day=date(2026, 1, 7))
    assert (report.period_start, report.period_end) == (date(2026, 1, 5), date(2026, 1, 12))
    assert (report.zone, report.status, report.requested_by) == (
        "Europe/Berlin",
        "waiting",
        people.analyst.email,
    )
    assert editions.under_way(report)
    with pytest.raises(Conflict):
        editions.request_report(session, principal=people.owner, name=WEEKLY, day=date(2026, 1, 11))
    jobs = session.execute(text("SELECT task_name, args ->> 'report_id', lock FROM procrastinate_jobs")).all()
    assert jobs == [("reports.make", str(report.id), "reports")]
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "report.start")).one()
    assert (entry.actor, entry.target) == (people.analyst.email, f"report:{report.id}")


def test_one_that_was_given_up_can_be_asked_for_again(session: Session, people: People) -> None:
    report = editions.request_report(session, principal=people.owner, name=WEEKLY)
    report.requested_at = datetime.now(UTC) - timedelta(hours=1)
    again = editions.request_report(session, principal=people.owner, name=WEEKLY)
    assert again.id == report.id and editions.under_way(again)


def test_nobody_fills_the_queue(session: Session, people: People) -> None:
    for month in range(1, 11):
        editions.request_report(session, principal=people.analyst, name=WEEKLY, day=date(2025, month, 1))
    with pytest.raises(Conflict, match="wait already"):
        editions.request_report(session, principal=people.analyst, name=WEEKLY, day=date(2025, 12, 1))


def test_what_makes_no_sense_is_refused(session: Session, people: People) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=40)).date()
    for more in ({"zone": "Mars/Olympus"}, {"day": tomorrow}, {"day": date(1, 1, 1)}):
        with pytest.raises(InvalidInput):
            editions.request_report(session, principal=people.owner, name=WEEKLY, **more)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        editions.request_report(session, principal=people.owner, name="daily-nonsense")


def test_what_was_changed_in_the_store_is_not_shown(
    session: Session, settings: Settings, people: People
) -> None:
    report = archived(session, settings, people.owner.workspace_id)
    assert editions.content(settings, report, "html").startswith(b"<!doctype html>")
    ObjectStorage(settings).put_bytes(settings.bucket_evidence, f"reports/test/{report.id}.html", b"forged")
    with pytest.raises(IntegrityFailed):
        editions.content(settings, report, "html")
    report.html = "s3://somewhere-else/secret"
    with pytest.raises(NotFound):
        editions.content(settings, report, "html")


# --- due ---


def test_each_zone_is_made_once_whoever_shares_it(
    session: Session, people: People, workspace: Workspace
) -> None:
    subscribe(session, people.owner, zone="America/New_York")
    subscribe(session, people.analyst, zone="America/New_York")
    subscribe(session, people.operator, zone="Asia/Tokyo")
    found = schedule.due(session, name=WEEKLY, now=NOW)
    made = {report.id: report for report in session.scalars(select(Report))}
    mine = [made[one].zone for one in found if made[one].workspace_id == workspace.id]
    assert sorted(mine) == ["America/New_York", "Asia/Tokyo", "Europe/Berlin"]
    assert schedule.due(session, name=WEEKLY, now=NOW) == found, "asked twice, it is the same reports"


def test_a_doubled_schedule_makes_no_second_row(session: Session, people: People) -> None:
    kind, period = kinds.WEEKLY, containing(WEEK, date(2026, 1, 5))
    ids = {editions.ensure(session, kind, people.owner.workspace_id, period, "UTC").id for _ in range(3)}
    assert len(ids) == 1 and session.scalar(select(func.count()).select_from(Report)) == 1


def test_nobody_who_may_read_it_means_none_is_made(
    session: Session, people: People, workspace: Workspace
) -> None:
    other = people.stranger.workspace_id
    made = schedule.due(session, name=MONTHLY, now=NOW)
    assert {session.get_one(Report, one).workspace_id for one in made} == {
        workspace.id
    }  # an analyst runs nothing
    session.execute(
        update(Person).where(Person.id == people.stranger.person_id).values(disabled_at=func.now())
    )
    weekly = schedule.due(session, name=WEEKLY, now=NOW)
    assert other not in {session.get_one(Report, one).workspace_id for one in weekly}


def test_a_workspace_has_no_report_of_a_time_before_it(
    session: Session, people: People, workspace: Workspace
) -> None:
    workspace.created_at = NOW
    session.commit()
    made = [session.get_one(Report, one).workspace_id for one in schedule.due(session, name=WEEKLY, now=NOW)]
    assert workspace.id not in made
    later = schedule.due(session, name=WEEKLY, now=NOW + timedelta(days=7))
    assert workspace.id in [session.get_one(Report, one).workspace_id for one in later]


@pytest.mark.parametrize(
    ("status", "as_of", "attempts", "is_due"),
    [
        ("complete", NOW, 1, False),
        ("complete", datetime(2026, 5, 28, tzinfo=UTC), 1, True),  # made while its week still ran
        ("failed", None, 1, True),
        ("failed", None, 3, False),
        ("running", None, 1, True),  # if its process lives, its lock says so
    ],
)
def test_what_is_made_is_due_no_more(
    session: Session, people: People, status: str, as_of: datetime | None, attempts: int, is_due: bool
) -> None:
    period = last_due(WEEK, "Europe/Berlin", NOW)
    report = editions.ensure(session, kinds.WEEKLY, people.owner.workspace_id, period, "Europe/Berlin")
    report.status, report.as_of, report.attempts = status, as_of, attempts
    session.commit()
    assert (report.id in schedule.due(session, name=WEEKLY, now=NOW)) is is_due


def test_what_somebody_is_having_made_is_left_to_them(
    session: Session, people: People, workspace: Workspace
) -> None:
    now = datetime.now(UTC)
    report = editions.request_report(session, principal=people.owner, name=WEEKLY)
    due = last_due(WEEK, "Europe/Berlin", now)
    assert report.id not in schedule.due(session, name=WEEKLY, now=now)
    later = schedule.due(session, name=WEEKLY, now=now + timedelta(hours=1))
    assert (report.id in later) is (report.period_start == due.start)


# --- posted ---


def mails(session: Session) -> list[tuple[str, str]]:
    found = select(Person.email, ReportMail.status).join(Person, Person.id == ReportMail.person_id)
    return sorted(session.execute(found).tuples().all())


def test_each_subscriber_gets_the_report_of_their_zone_once(
    session: Session, settings: Settings, people: People
) -> None:
    now, on = datetime.now(UTC), mailing(settings, 25)
    subscribe(session, people.owner, zone="UTC")
    subscribe(session, people.analyst, zone="UTC")
    subscribe(session, people.operator, zone="Asia/Tokyo")
    archived(session, settings, people.owner.workspace_id, zone="UTC")
    assert schedule.post(session, on, name=WEEKLY, now=now) == 2
    assert schedule.post(session, on, name=WEEKLY, now=now) == 0
    archived(session, settings, people.owner.workspace_id, zone="Asia/Tokyo")
    assert schedule.post(session, on, name=WEEKLY, now=now) == 1
    assert mails(session) == sorted(
        (one.email, "waiting") for one in (people.owner, people.analyst, people.operator)
    )
    jobs = session.scalar(
        text("SELECT count(DISTINCT lock) FROM procrastinate_jobs WHERE task_name = 'reports.mail'")
    )
    assert jobs == 3
    assert len({mail.message_id for mail in session.scalars(select(ReportMail))}) == 3


def test_who_lost_the_right_gets_nothing(session: Session, settings: Settings, people: People) -> None:
    for person in (people.owner, people.analyst, people.operator):
        subscribe(session, person, zone="UTC")
    archived(session, settings, people.owner.workspace_id, zone="UTC")
    session.execute(
        update(Membership).where(Membership.person_id == people.analyst.person_id).values(role="member")
    )
    session.execute(
        update(Person).where(Person.id == people.operator.person_id).values(disabled_at=func.now())
    )
    session.commit()
    assert schedule.post(session, mailing(settings, 25), name=WEEKLY, now=datetime.now(UTC)) == 1
    assert [email for email, _ in mails(session)] == [people.owner.email]


def test_a_subscription_goes_with_the_membership(session: Session, people: People) -> None:
    subscribe(session, people.analyst)
    session.delete(session.get_one(Membership, (people.analyst.workspace_id, people.analyst.person_id)))
    session.commit()
    assert session.scalar(select(func.count()).select_from(ReportSubscription)) == 0


def test_who_subscribes_afterwards_gets_the_next_one(
    session: Session, settings: Settings, people: People
) -> None:
    archived(session, settings, people.owner.workspace_id, zone="UTC")
    subscriptions.subscribe(session, principal=people.owner, name=WEEKLY, zone="UTC")
    assert schedule.post(session, mailing(settings, 25), name=WEEKLY, now=datetime.now(UTC)) == 0


@pytest.mark.parametrize(
    "more",
    [
        {"smtp_host": ""},
        {"mail_sender": ""},
        {"mail_sender": "nobody"},
        {"smtp_host": "mail.example.org", "smtp_user": "me", "smtp_security": "none"},
    ],
)
def test_without_a_server_nothing_is_posted(
    session: Session, settings: Settings, people: People, more: dict[str, str]
) -> None:
    subscribe(session, people.owner, zone="UTC")
    archived(session, settings, people.owner.workspace_id, zone="UTC")
    assert schedule.post(session, mailing(settings, 25, **more), name=WEEKLY, now=datetime.now(UTC)) == 0
    assert mails(session) == []


# --- subscriptions ---


def test_people_subscribe_themselves_and_owners_see_it(session: Session, people: People) -> None:
    subscribe(session, people.analyst, zone="Asia/Tokyo")
    subscribe(session, people.analyst, zone="Europe/Paris")  # changes the zone
    own = subscriptions.own(session, principal=people.analyst)
    assert [(one.kind.name, one.zone) for one in own] == [(WEEKLY, "Europe/Paris")]
    assert own[0].next_at > datetime.now(UTC)
    seen = subscriptions.list_subscribers(session, principal=people.owner)
    assert [(one.email, one.zone, one.able, one.last) for one in seen] == [
        (people.analyst.email, "Europe/Paris", True, "")
    ]
    stranger = replace(people.owner, workspace_id=people.stranger.workspace_id)
    assert subscriptions.list_subscribers(session, principal=stranger) == []
    assert subscriptions.unsubscribe(session, principal=people.analyst, name=WEEKLY) is True
    assert subscriptions.unsubscribe(session, principal=people.analyst, name=WEEKLY) is False
    with pytest.raises(InvalidInput):
        subscriptions.subscribe(session, principal=people.analyst, name=WEEKLY, zone="UTC+2")
