"""Reports as JSON: by role, and to download."""

from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.orm import Session

from leitstand.settings import Settings
from tests.integration.api.conftest import Caller
from tests.reports import HTML, archived


def test_what_one_may_read_is_listed_shown_and_downloaded(
    call: Caller, session: Session, settings: Settings
) -> None:
    report = archived(session, settings, call.visitor.principal.workspace_id)
    (listed,) = call("GET", "/reports?name=weekly-insights").json()
    assert listed == call("GET", f"/reports/{report.id}").json()
    assert listed["html_sha256"] == report.html_sha256 and listed["forms"] == ["html", "pdf"]
    answer = call("GET", f"/reports/{report.id}/content/html")
    assert answer.text == HTML
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert call("GET", f"/reports/{report.id}/content/exe").status_code == 422


def test_one_is_asked_for_once(call: Caller, session: Session) -> None:
    asked = call("POST", "/reports", {"name": "weekly-insights", "day": "2026-01-07", "zone": "Asia/Tokyo"})
    assert asked.status_code == 202
    assert (asked.json()["period"]["from"], asked.json()["status"]) == ("2026-01-05", "waiting")
    again = call("POST", "/reports", {"name": "weekly-insights", "day": "2026-01-05", "zone": "Asia/Tokyo"})
    assert again.status_code == 409
    assert (
        session.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'reports.make'")) == 1
    )
    assert call("POST", "/reports", {"name": "weekly-insights", "zone": "Mars"}).status_code == 422
    assert call("POST", "/reports", {"name": "nothing"}).status_code == 404


def test_a_member_gets_none_and_an_analyst_no_operations(
    call_as: Callable[[str], Caller], session: Session, settings: Settings
) -> None:
    member, analyst = call_as("member"), call_as("analyst")
    report = archived(session, settings, member.visitor.principal.workspace_id)
    assert member("GET", "/reports").json() == []
    assert member("GET", f"/reports/{report.id}").status_code == 404
    assert member("GET", f"/reports/{report.id}/content/html").status_code == 404
    assert member("POST", "/reports", {"name": "weekly-insights"}).status_code == 403
    assert member("PUT", "/reports/subscriptions/weekly-insights", {}).status_code == 403
    assert analyst("GET", "/reports?name=monthly-operations").status_code == 403
    assert analyst("PUT", "/reports/subscriptions/monthly-operations", {}).status_code == 403
    assert analyst("GET", "/reports/subscribers").status_code == 403


def test_subscribing_is_ones_own(call_as: Callable[[str], Caller]) -> None:
    analyst, owner = call_as("analyst"), call_as("owner")
    assert (
        analyst("PUT", "/reports/subscriptions/weekly-insights", {"zone": "Asia/Tokyo"}).json()["zone"]
        == "Asia/Tokyo"
    )
    own = analyst("GET", "/reports/subscriptions").json()
    assert [(one["name"], one["zone"]) for one in own["subscriptions"]] == [("weekly-insights", "Asia/Tokyo")]
    assert "LEITSTAND_SMTP_HOST" in own["mail_note"]
    assert [one["person"] for one in owner("GET", "/reports/subscribers").json()] == ["Analyst Person"]
    assert [one["zone"] for one in owner("GET", "/reports/subscriptions").json()["subscriptions"]] == [
        None,
        None,
    ]
    assert analyst("DELETE", "/reports/subscriptions/weekly-insights").status_code == 204
    assert owner("GET", "/reports/subscribers").json() == []
