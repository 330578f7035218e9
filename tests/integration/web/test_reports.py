"""The page of reports: empty, filled, asked for, subscribed to; and the link that ends a subscription."""

from collections.abc import Callable

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from leitstand.db.models import Report, ReportSubscription
from leitstand.reports import kinds
from leitstand.reports.unsubscribe_links import Link, token_of
from leitstand.settings import Settings
from tests.people import HTML as ACCEPT
from tests.people import Visitor
from tests.reports import HTML, archived


def test_an_empty_page_says_what_comes_and_that_no_mail_is_sent(visitor: Visitor) -> None:
    page = visitor.get("/reports").text
    assert "No report yet" in page and "No mail is sent: no mail server is set" in page
    assert "Weekly insights" in page and "Monthly operations" in page and "Nobody yet." in page


def test_one_that_is_made_is_read_in_a_sandbox(
    visitor: Visitor, session: Session, settings: Settings
) -> None:
    report = archived(session, settings, visitor.principal.workspace_id)
    assert f'href="/reports/{report.id}"' in visitor.get("/reports").text
    page = visitor.get(f"/reports/{report.id}").text
    assert f'src="/reports/{report.id}/report.html"' in page and " sandbox></iframe>" in page
    assert report.html_sha256 in page
    inner = visitor.get(f"/reports/{report.id}/report.html")
    assert inner.text == HTML
    assert inner.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert "content-disposition" not in inner.headers
    for path in ("report.pdf", "report.ipynb", "report.html?download=true"):
        assert "attachment" in visitor.get(f"/reports/{report.id}/{path}").headers["content-disposition"]


def test_starting_one_shows_how_it_goes(visitor: Visitor, session: Session) -> None:
    assert visitor.post("/reports", name="weekly-insights", day="", zone="").status_code == 303
    again = visitor.post("/reports", name="weekly-insights", day="", zone="")
    assert again.status_code == 409 and "being made already" in again.text
    assert session.scalar(text("SELECT count(*) FROM procrastinate_jobs")) == 1
    rows = visitor.piece("/reports/list").text
    assert "Waits for the queue worker" in rows and 'hx-trigger="every 2s"' in rows
    report = session.scalars(select(Report)).one()
    report.status, report.error = "failed", "AssertionError: <runs>"
    session.commit()
    rows = visitor.piece("/reports/list").text
    assert "AssertionError: &lt;runs&gt;" in rows and "hx-trigger" not in rows
    assert "The last time it was made it failed." in visitor.get(f"/reports/{report.id}").text


def test_what_makes_no_sense_is_told_beside_the_form(visitor: Visitor) -> None:
    for fields in ({"zone": "Mars/Olympus"}, {"day": "yesterday"}):
        answer = visitor.post("/reports", name="weekly-insights", **fields)
        assert answer.status_code == 422 and 'role="alert"' in answer.text
    assert visitor.post("/reports/subscriptions/weekly-insights", zone="+02:00").status_code == 422
    assert visitor.post("/reports/subscriptions/nothing", zone="UTC").status_code == 404


def test_people_subscribe_and_owners_see_them(visitor: Visitor, visitor_as: Callable[[str], Visitor]) -> None:
    analyst = visitor_as("analyst")
    assert analyst.post("/reports/subscriptions/weekly-insights", zone="Asia/Tokyo").status_code == 303
    page = analyst.get("/reports").text
    assert "Asia/Tokyo" in page and "Unsubscribe" in page
    assert "Monthly operations" not in page and "Who is subscribed" not in page
    assert analyst.principal.email in visitor.get("/reports").text
    assert analyst.post("/reports/subscriptions/weekly-insights/end").status_code == 303
    assert analyst.principal.email not in visitor.get("/reports").text


def test_each_sees_what_their_role_permits(
    visitor: Visitor, visitor_as: Callable[[str], Visitor], session: Session, settings: Settings
) -> None:
    monthly = archived(session, settings, visitor.principal.workspace_id, kind=kinds.MONTHLY)
    analyst, member = visitor_as("analyst"), visitor_as("member")
    assert visitor.get(f"/reports/{monthly.id}").status_code == 200
    for path in ("", "/report.html", "/report.pdf", "/report.ipynb"):
        assert analyst.get(f"/reports/{monthly.id}{path}").status_code == 404
    assert member.get("/reports").status_code == 403
    assert member.post("/reports/subscriptions/weekly-insights", zone="UTC").status_code == 403


def test_a_write_needs_its_token(visitor: Visitor) -> None:
    for path in (
        "/reports",
        "/reports/subscriptions/weekly-insights",
        "/reports/subscriptions/weekly-insights/end",
    ):
        answer = visitor.client.post(path, data={"name": "weekly-insights", "zone": "UTC"}, headers=ACCEPT)
        assert answer.status_code == 403


def test_the_link_ends_its_subscription_without_signing_in(
    app: FastAPI, visitor: Visitor, session: Session
) -> None:
    visitor.post("/reports/subscriptions/weekly-insights", zone="UTC")
    visitor.post("/reports/subscriptions/monthly-operations", zone="UTC")
    me = visitor.principal
    token = token_of(Link(me.workspace_id, me.person_id, "weekly-insights"))  # type: ignore[arg-type]
    nobody, path = TestClient(app, follow_redirects=False), f"/reports/unsubscribe/{token}"

    def left() -> list[str]:
        session.rollback()
        return sorted(session.scalars(select(ReportSubscription.name)))

    asked = nobody.get(path, headers=ACCEPT)
    assert asked.status_code == 200 and "Get no more of these?" in asked.text
    assert len(left()) == 2, "a filter that opens links changes nothing"
    one_click = {"List-Unsubscribe": "One-Click"}
    assert nobody.post(path[:-2], data=one_click).status_code == 404
    for _ in range(2):
        assert nobody.post(path, data=one_click, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
    assert left() == ["monthly-operations"]
    entry = session.execute(
        text("SELECT actor, after ->> 'name' FROM audit_entry WHERE action = 'report.unsubscribe'")
    ).all()
    assert entry == [(me.email, "weekly-insights")]
    assert session.scalar(select(func.count()).select_from(ReportSubscription)) == 1
