"""The pages of the data checks: what there is, what fails and where, the runs and their pages, and starting one."""

from collections.abc import Callable

from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from leitstand.db.models import AuditEntry
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from tests.integration.checks.test_history import kept, result
from tests.people import Visitor
from web import evidence

HOSTILE = "<script>alert(1)</script>"


def test_before_the_first_run_every_suite_is_there_and_says_so(visitor: Visitor) -> None:
    page = visitor.get("/operations/checks").text
    assert "No check has run yet" in page and page.count("Not yet") >= 37
    assert "procrastinate_workers" in page and "Run all now" in page
    one = visitor.get("/operations/checks/audit").text
    assert "the log did not go back" in one and "It runs every night" in one
    assert visitor.get("/operations/checks/nonsense").status_code == 404


def test_what_fails_is_named_with_its_meaning_and_some_rows(
    visitor: Visitor, engine: Engine, settings: Settings
) -> None:
    evidence._storage.cache_clear()
    ObjectStorage(settings).ensure_buckets()
    found = result(failing="runs")
    found.results[1] |= {
        "says": f"It is so. {HOSTILE}",
        "examples": [{"run_key": f"k{HOSTILE}"}],
        "unexpected": 7,
    }
    run = kept(engine, settings, found)
    page = visitor.get("/operations/checks").text
    assert "Not as it should be" in page and "7 rows violate it" in page and "&lt;script&gt;" in page
    assert HOSTILE not in page
    assert page.index(">runs</a>") < page.index(">events</a>")
    for address in ("/operations/checks/runs", "/operations"):
        assert "1 of 1" in visitor.get(address).text or "1 of 2" in visitor.get(address).text
    document = visitor.get(f"/operations/checks/runs/{run.run_id}/page")
    assert document.status_code == 200 and "sandbox" in document.headers["content-security-policy"]
    assert HOSTILE not in document.text and "1 check does not hold" in document.text
    assert visitor.get("/operations/checks/runs/nothing/page").status_code == 404


def test_a_run_is_started_once(visitor: Visitor, session: Session) -> None:
    assert visitor.post("/operations/checks", suite="people").headers["location"] == "/operations/checks"
    again = visitor.post("/operations/checks", suite="people")
    assert again.status_code == 409 and "waiting or running already" in again.text
    assert visitor.post("/operations/checks", suite="rm -rf").status_code == 422
    assert session.scalars(select(AuditEntry.action).where(AuditEntry.action == "checks.start")).all() == [
        "checks.start"
    ]
    job = "SELECT task_name, args ->> 'suite' FROM procrastinate_jobs"
    assert session.execute(text(job)).all() == [("operations.checks", "people")]


def test_who_may_not_sees_and_starts_nothing(visitor_as: Callable[[str], Visitor]) -> None:
    analyst = visitor_as("analyst")
    assert analyst.get("/operations/checks").status_code == 403
    assert analyst.post("/operations/checks", suite="all").status_code == 403
