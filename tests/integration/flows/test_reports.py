"""The flow that makes and mails what is due: it orders core calls, and one that fails holds up no other."""

from uuid import UUID

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from flows import reports
from leitstand.db.models import Report, ReportMail, ReportSubscription, Workspace
from leitstand.errors import IntegrityFailed, Unavailable
from leitstand.identity.access import Principal
from leitstand.reports import making, subscriptions
from leitstand.reports.making import Made
from leitstand.settings import Settings
from tests.integration.flows.test_execution import executions
from tests.people import join
from tests.reports import archived, long_ago, mailing


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks as plain calls: they are tried on a Prefect server elsewhere."""
    monkeypatch.setattr(reports, "find_due", reports.find_due.fn)
    monkeypatch.setattr(reports, "post_made", reports.post_made.fn)


@pytest.mark.usefixtures("steps")
def test_what_is_due_is_made_and_one_that_fails_holds_up_no_other(
    engine: Engine, session: Session, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.created_at = long_ago()
    session.commit()
    person = join(session, workspace)
    principal = Principal(
        person.id, workspace.id, person.name, person.email, "owner", frozenset({"insights:read"})
    )
    subscriptions.subscribe(session, principal=principal, name="weekly-insights", zone="Asia/Tokyo")
    session.commit()
    asked: list[UUID] = []

    def make(_: Engine, __: Settings, report_id: UUID) -> Made:
        asked.append(report_id)
        if len(asked) == 1:
            raise Unavailable("The store is away.")
        return Made(report_id, "complete", "", "s3://x", "", "")

    monkeypatch.setattr(making, "make", make)

    class Later:
        def __init__(self, outcome: object) -> None:
            self.outcome = outcome

        def result(self, *, raise_on_failure: bool) -> object:
            assert not raise_on_failure
            return self.outcome

    make_one = reports.make_one.fn

    def as_state(report_id: UUID, *, return_state: bool) -> Later:
        assert return_state
        try:
            return Later(make_one(report_id))
        except Unavailable as error:
            return Later(error)

    monkeypatch.setattr(reports, "make_one", as_state)
    with pytest.raises(IntegrityFailed, match="1 of 2 reports failed"):
        reports.report.fn("weekly-insights")
    assert len(set(asked)) == 2
    assert session.scalars(select(Report.zone).order_by(Report.zone)).all() == ["Asia/Tokyo", "UTC"]
    assert [one.status for one in executions(session)] == ["failed"]


@pytest.mark.usefixtures("steps")
def test_what_was_made_is_posted_once(
    engine: Engine,
    session: Session,
    workspace: Workspace,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workspace.created_at = long_ago()
    person = join(session, workspace)
    principal = Principal(
        person.id, workspace.id, person.name, person.email, "owner", frozenset({"insights:read"})
    )
    subscriptions.subscribe(session, principal=principal, name="weekly-insights", zone="UTC")
    session.execute(update(ReportSubscription).values(created_at=long_ago()))
    archived(session, settings, workspace.id, zone="UTC")
    monkeypatch.setattr(reports, "get_settings", lambda: mailing(settings, 25))
    assert reports.report.fn("weekly-insights") == {"made": [], "posted": 1}
    assert reports.report.fn("weekly-insights") == {"made": [], "posted": 0}
    session.rollback()
    assert [mail.status for mail in session.scalars(select(ReportMail))] == ["waiting"]
