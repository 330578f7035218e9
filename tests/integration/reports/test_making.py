"""Making reports with their real notebooks: figures, HTML and PDF archived; what fails is told and shown."""

import json
import re
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from sqlalchemy import Engine, text
from sqlalchemy.exc import InternalError
from sqlalchemy.orm import Session

from leitstand.db.exclusive import exclusive
from leitstand.db.models import Backup, CheckRun, Drill, FlowExecution, Report, Workspace
from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.insights import report as insights_report
from leitstand.insights.scope import resolve
from leitstand.reports import editions, kinds
from leitstand.reports.making import Made, make
from leitstand.reports.taking_up import reading
from leitstand.reports.weekly import WeeklyInsights
from leitstand.runbooks import documents
from leitstand.settings import Settings
from tests.integration.events.support import event, imported, write_csv
from tests.integration.reports.conftest import People

pytestmark = pytest.mark.slow
MONDAY = date(2026, 3, 2)


def prepared(session: Session, people: People, name: str = kinds.WEEKLY.name, zone: str = "") -> Report:
    report = editions.prepare(session, principal=people.operator, name=name, day=MONDAY, zone=zone)
    session.commit()
    return report


def page_of(settings: Settings, session: Session, report: Report) -> str:
    session.refresh(report)
    return editions.content(settings, report, "html").decode()


@pytest.fixture
def used(engine: Engine, workspace: Workspace, tmp_path: Path) -> None:
    """30 runs in the week, 18 of them completed, and 10 in the week before; one more only in Tokyo's week."""
    rows = []
    for number in range(41):
        day = 2 + number % 7 if number < 30 else 25
        month = "03" if number < 30 else "02"
        at = f"2026-{month}-{day:02d}T12:{number:02d}:00Z" if number < 40 else "2026-03-08T16:30:00Z"
        who = {"session": f"s{number}", "actor_id": f"a{number % 9}", "flow_id": "<b>Bold & co</b>"}
        rows.append(event(activity="ASK", at=at, **who))
        if number % 5 < 3:
            rows.append(event(activity="DONE", at=at.replace(":00Z", ":30Z"), **who))
    imported(
        engine, workspace.id, write_csv(tmp_path / "x.csv", rows), complete=("DONE",), steps=("ASK", "DONE")
    )


def test_the_weekly_report_says_what_the_figures_are(
    engine: Engine, session: Session, settings: Settings, people: People, used: None
) -> None:
    report, told = prepared(session, people), []
    made = make(engine, settings, report.id, progress=told.append)
    assert (made.status, made.error) == ("complete", "")
    scope = resolve(
        session,
        workspace_id=report.workspace_id,
        start=MONDAY,
        end=MONDAY + timedelta(days=7),
        zone="Europe/Berlin",
    )
    figures = insights_report.build(session, scope)
    page = page_of(settings, session, report)
    runs = figures["runs"]
    assert runs["started"] == 31
    assert f"{runs['completed']} of {runs['started']} started" in page
    assert "Week of 2 to 8 March 2026" in page and "Europe/Berlin" in page and "the week before 10" in page
    assert "&lt;b&gt;Bold &amp; co&lt;/b&gt;" in page and "<b>Bold" not in page
    assert "run_id" not in page, "readers see no code"
    assert not re.search(r"(?:src|href)=(?!\"#)|@import|url\(", page), "nothing is loaded from anywhere"
    assert "<svg" in page and "What needs attention first" in page and "What the words mean" in page
    summary = {one["name"]: one["value"] for one in report.summary["figures"]}
    assert summary["Started runs"] == "31" and summary["Active users"] == str(figures["active_users"])
    assert report.as_of and datetime.now(UTC) - report.as_of < timedelta(minutes=5)
    assert editions.covers_whole_period(report)
    assert {"printing the PDF", "archiving"} <= set(told)
    if shutil.which("chromium"):
        assert editions.content(settings, report, "pdf").startswith(b"%PDF-"), report.without_pdf
    else:
        assert report.without_pdf
    assert list((settings.data_dir / "scratch").glob("report-*")) == []


def test_days_are_those_of_the_zone(engine: Engine, workspace: Workspace, used: None) -> None:
    weeks = [
        WeeklyInsights.begin(workspace="demo", start=MONDAY.isoformat(), zone=zone)
        for zone in ("Europe/Berlin", "Asia/Tokyo")
    ]
    assert [week.now["runs"]["started"] for week in weeks] == [31, 30], "Sunday evening there is Monday here"
    assert [week.problems for week in weeks] == [[], []]
    assert "days of Asia/Tokyo" in weeks[1].head()._repr_html_()


def test_an_empty_week_is_a_short_honest_report(engine: Engine, workspace: Workspace) -> None:
    week = WeeklyInsights.begin(workspace="demo", start=MONDAY.isoformat())
    assert "This workspace has no event yet." in week.attention()._repr_html_()
    rest = (
        week.key_figures,
        week.traffic,
        week.people,
        week.steps,
        week.companions,
        week.retention,
        week.definitions,
    )
    assert not any(section() for section in rest)
    assert week.problems == [] and week.summary()["empty"] is True


def test_a_sandbox_reads_and_can_write_nothing(
    engine: Engine, session: Session, workspace: Workspace
) -> None:
    with reading(engine) as reader, pytest.raises(InternalError, match="read-only"):
        reader.execute(text("UPDATE workspace SET name = 'x'"))
    for more, error in (
        ({"start": "soon"}, InvalidInput),
        ({"zone": "Mars"}, InvalidInput),
        ({"workspace": "x"}, NotFound),
        ({"run_id": "../x"}, InvalidInput),
    ):
        with pytest.raises(error):
            WeeklyInsights.begin(**more)


def test_the_monthly_report_holds_operation_against_its_promises(
    engine: Engine, session: Session, settings: Settings, people: People
) -> None:
    at = datetime(2026, 3, 10, 3, tzinfo=UTC)
    session.add_all([
        Backup(kind="postgres", engine="x", status="complete", started_at=at, finished_at=at, bytes=5_000_000),
        Backup(kind="postgres", engine="x", status="failed", started_at=at, finished_at=at),
        Drill(kind="postgres-latest", status="passed", started_at=at, finished_at=at, rpo_seconds=4.0, rto_seconds=30.0),
        Drill(kind="postgres-latest", status="failed", started_at=at, finished_at=at, rpo_seconds=500.0, error="no <space>"),
        CheckRun(suite="events", target="live", success=False, evaluated=9, failed=1, result={}, at=at),
        FlowExecution(flow="backup", scheduled_for=at, status="complete", started_at=at, finished_at=at),
        FlowExecution(flow="backup", scheduled_for=at + timedelta(days=1), status="crashed", started_at=at, finished_at=at),
        Drill(kind="postgres-latest", status="passed", started_at=at - timedelta(days=30), finished_at=at - timedelta(days=30)),
    ])  # fmt: skip
    session.commit()
    report = prepared(session, people, kinds.MONTHLY.name)
    assert make(engine, settings, report.id).error == ""
    page = page_of(settings, session, report)
    for said in (
        "March 2026", "(1 of 2) of the drills failed; the last: no &lt;space&gt;.", "No backup was completed of: objects, secrets.",
        "(1 of 1) of the data checks", "backup: 50.0", "NOT kept", "5.0 MB", "promised: 2.0 min",
    ):  # fmt: skip
        assert said in page, said
    with pytest.raises(NotFound):
        editions.get_report(session, principal=people.analyst, report_id=report.id)


def notebooks(settings: Settings, tmp_path: Path, *sources: str) -> Settings:
    """Settings with a weekly notebook of these cells."""
    parameters = 'run_id = "sandbox"\nworkspace = ""\nstart = ""\nzone = ""'
    cells = [
        new_markdown_cell("# Weekly insights"),  # type: ignore[no-untyped-call]
        new_code_cell(parameters, metadata={"tags": ["parameters"]}),  # type: ignore[no-untyped-call]
        *(new_code_cell(source) for source in sources),  # type: ignore[no-untyped-call]
    ]
    folder = tmp_path / "notebooks" / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weekly-insights.ipynb").write_text(documents.dumps(new_notebook(cells=cells)))  # type: ignore[no-untyped-call]
    return settings.model_copy(update={"notebooks_dir": tmp_path / "notebooks"})


def made_with(engine: Engine, session: Session, settings: Settings, report: Report) -> Made:
    made = make(engine, settings, report.id)
    session.refresh(report)
    return made


@pytest.mark.long
def test_a_report_that_contradicts_itself_fails_and_the_one_before_stays(
    engine: Engine, session: Session, settings: Settings, people: People, tmp_path: Path
) -> None:
    report = prepared(session, people)
    good = 'import json, os\nfrom pathlib import Path\nPath("figures.json").write_text(json.dumps({"as_of": "2026-04-01T00:00:00+00:00"}))'
    assert made_with(engine, session, notebooks(settings, tmp_path, good), report).status == "complete"
    before = report.html, report.html_sha256
    bad = made_with(
        engine, session, notebooks(settings, tmp_path, "assert not ['runs do not add up']"), report
    )
    assert bad.status == report.status == "failed" and "AssertionError" in report.error
    assert (report.html, report.html_sha256) == before


def test_a_secret_in_a_report_is_taken_out_and_fails_it(
    engine: Engine, session: Session, settings: Settings, people: People, tmp_path: Path
) -> None:
    report = prepared(session, people)
    leaks = notebooks(
        settings,
        tmp_path,
        "from leitstand.settings import get_settings\nprint(get_settings().session_secret.get_secret_value())",
    )
    made = made_with(engine, session, leaks, report)
    assert made.status == "failed" and "a secret was printed" in made.error
    kept = editions.content(settings, report, "ipynb").decode()
    assert "test-session-secret" not in kept and "[redacted]" in kept
    assert report.html == "" and report.pdf == ""


def test_only_one_process_makes_a_report_and_one_that_died_is_taken_over(
    engine: Engine, session: Session, settings: Settings, people: People, tmp_path: Path
) -> None:
    report = prepared(session, people)
    with exclusive(engine, f"report {report.id}"), pytest.raises(Conflict):
        make(engine, settings, report.id)
    left = settings.data_dir / "scratch" / "report-0197a4d0-0000-7000-8000-000000000000"
    left.mkdir(parents=True)
    report.status = "running"  # and nobody holds its lock
    session.commit()
    ok = 'import json\nopen("figures.json", "w").write(json.dumps({"as_of": "2026-04-01T00:00:00+00:00"}))'
    assert made_with(engine, session, notebooks(settings, tmp_path, ok), report).status == "complete"
    assert not left.exists()


def test_without_its_notebook_nothing_is_begun(
    engine: Engine, session: Session, settings: Settings, people: People, tmp_path: Path
) -> None:
    report = prepared(session, people)
    with pytest.raises(NotFound, match="notebook"):
        make(engine, settings.model_copy(update={"notebooks_dir": tmp_path}), report.id)
    document = json.loads(json.dumps(editions.public(report)))
    assert (document["status"], document["forms"]) == ("waiting", [])
