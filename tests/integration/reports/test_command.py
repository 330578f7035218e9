"""leitstand report: subscribe, list, show; what is refused is refused in words."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from leitstand.cli.report import group
from leitstand.errors import Forbidden, NotFound
from leitstand.settings import Settings
from tests.integration.reports.conftest import People
from tests.reports import HTML, archived


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, [*arguments, "--workspace", "demo"])


def test_people_are_subscribed_to_what_they_may_read(people: People) -> None:
    done = run(
        "subscribe", "weekly-insights", "--email", people.analyst.email, "--zone", "Asia/Tokyo", "--json"
    )
    document = json.loads(done.stdout)
    assert (document["email"], document["zone"]) == (people.analyst.email, "Asia/Tokyo")
    assert "LEITSTAND_SMTP_HOST" in document["mail_note"], "honest: no mail is sent yet"
    refused = run("subscribe", "monthly-operations", "--email", people.analyst.email)
    assert isinstance(refused.exception, Forbidden)
    assert isinstance(
        run("subscribe", "weekly-insights", "--email", people.stranger.email).exception, NotFound
    )
    listed = json.loads(run("subscriptions", "--json").stdout)
    assert listed["mail"] is False
    assert [(one["email"], one["zone"], one["able"]) for one in listed["subscriptions"]] == [
        (people.analyst.email, "Asia/Tokyo", True)
    ]
    assert people.analyst.email in run("subscriptions").stdout
    ended = run("unsubscribe", "weekly-insights", "--email", people.analyst.email, "--json")
    assert json.loads(ended.stdout)["was_subscribed"] is True
    assert (
        "had no subscription" in run("unsubscribe", "weekly-insights", "--email", people.analyst.email).stdout
    )


def test_reports_are_listed_and_written_into_files(
    session: Session, settings: Settings, people: People, tmp_path: Path
) -> None:
    report = archived(session, settings, people.owner.workspace_id)
    listed = json.loads(run("list", "--json").stdout)
    assert [one["id"] for one in listed["reports"]] == [str(report.id)]
    assert str(report.id) in run("list", "--name", "weekly-insights").stdout
    file = tmp_path / "report.html"
    shown = json.loads(run("show", str(report.id), "--html", str(file), "--json").stdout)
    assert shown["forms"] == ["html", "pdf"] and file.read_text() == HTML
    assert "Most is lost" in run("show", str(report.id)).stdout
    other = CliRunner().invoke(group, ["show", str(report.id), "--workspace", "other"])
    assert isinstance(other.exception, NotFound)


@pytest.mark.parametrize("arguments", [("run", "nothing"), ("list", "--name", "nothing")])
def test_an_unknown_report_is_refused(people: People, arguments: tuple[str, ...]) -> None:
    assert isinstance(run(*arguments).exception, NotFound)
