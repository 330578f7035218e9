"""The pages of the runbooks: read one, start it, follow it, sign it by somebody else, resume what failed."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from leitstand.db.models import AuditEntry, Drill, EvidenceLink
from leitstand.runbooks import jobs, records
from leitstand.runbooks.holding import one_at_a_time
from leitstand.runbooks.texts import html_of
from leitstand.settings import get_settings
from tests.people import Visitor
from tests.runbooks import NAME, Bench, bench, current

__all__ = ["bench", "current"]
ADDRESS = f"/operations/runbooks/{NAME}"
ARGUMENTS = text("SELECT args FROM procrastinate_jobs WHERE task_name = 'operations.runbook' ORDER BY id")


def arguments(session: Session) -> list[dict[str, Any]]:
    """What the queue's jobs were given."""
    found = session.scalars(ARGUMENTS)
    return [{name: value for name, value in one.items() if not name.startswith("_")} for one in found]


def test_a_runbook_is_read_and_asks_for_its_parameters(visitor: Visitor, current: Bench) -> None:
    current.write()
    listed = visitor.get("/operations/runbooks").text
    assert "rb900" in listed and "When the bench wobbles." in listed and "No run yet" in listed
    page = visitor.get(ADDRESS).text
    assert "<h1>rb900 A bench</h1>" in page and "&lt;script&gt;" in page and "<script>alert" not in page
    assert 'name="p-greeting" value="hello"' in page and "what it says" in page
    assert 'name="p-run_id"' not in page and 'name="typed"' in page
    assert visitor.get("/operations/runbooks/no-such").status_code == 404


def test_nobody_starts_one_without_the_permission(
    visitor_as: Callable[[str], Visitor], current: Bench, session: Session
) -> None:
    current.write()
    analyst = visitor_as("analyst")
    assert analyst.post(ADDRESS).status_code == 403
    assert visitor_as("member").get("/operations/runbooks").status_code == 403
    assert arguments(session) == []
    assert visitor_as("operator").post(ADDRESS).status_code == 303


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"p-greting": "x"}, "no parameter"),
        ({"p-run_id": "sandbox2"}, "given by the run itself"),
        ({"p-dry_run": "false"}, "hash of the plan"),
        ({"p-dry_run": "false", "p-plan_sha256": "0" * 64}, "was not typed"),
    ],
)
def test_what_is_not_whole_starts_nothing(
    visitor: Visitor, current: Bench, session: Session, given: dict[str, str], says: str
) -> None:
    current.write()
    refused = visitor.post(ADDRESS, **given)
    assert refused.status_code == 422 and says in refused.text
    assert arguments(session) == [] and session.scalars(select(Drill)).all() == []


@pytest.mark.slow
def test_a_run_is_started_followed_and_signed_by_somebody_else(
    visitor: Visitor,
    visitor_as: Callable[[str], Visitor],
    current: Bench,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    current.write("print('a line of output')")
    started = visitor.post(ADDRESS, **{"p-greeting": "moin", "p-dry_run": "true"})
    assert started.status_code == 303
    run = started.headers["location"]
    assert "Waits for the queue worker" in visitor.get(run).text
    assert visitor.post(ADDRESS).status_code == 409, "one at a time"
    (given,) = arguments(session)
    assert given["parameters"] == {"greeting": "moin"}, "defaults stay defaults"
    told: list[dict[str, Any]] = []
    keep = records.tell
    monkeypatch.setattr(
        records, "tell", lambda session, run_id, what: (told.append(what), keep(session, run_id, what))
    )
    jobs.runbook(**given)
    jobs.runbook(**given)
    assert [(one["number"], one["count"]) for one in told] == [(number, 5) for number in range(1, 6)]
    assert "a line of output" in told[-1]["output"]
    session.expire_all()
    assert [row.status for row in session.scalars(select(Drill))] == ["passed"], "taken twice it runs once"
    assert visitor.piece(f"{run}/state").headers["hx-refresh"] == "true", (
        "it has ended: the whole page is loaded"
    )
    page = visitor.get(run).text
    assert "it was looked at" in page and "moin" in page and "COMPLIANCE" not in page
    assert 'sandbox loading="lazy"' in page and "somebody else signs it" not in page, (
        "nobody else is there yet"
    )
    other = visitor_as("operator")
    assert "somebody else signs it" in visitor.get(run).text
    assert visitor.post(f"{run}/sign", note="fine").status_code == 409
    assert other.post(f"{run}/sign", note="").status_code == 422
    assert other.post(f"{run}/sign", note="x" * 2_001).status_code == 422
    assert other.post(f"{run}/sign", note="read it\r\n" + "x" * 1_992).status_code == 303
    signed = session.scalar(select(EvidenceLink.content).where(EvidenceLink.kind == "signature"))
    assert signed is not None and signed["note"] == "read it\n" + "x" * 1_992
    assert "two people" in visitor.get(run).text and "read it" in visitor.get(run).text
    done = session.scalars(select(AuditEntry.action).where(AuditEntry.action.startswith("runbook."))).all()
    assert sorted(done) == ["runbook.sign", "runbook.start"]


def test_a_dry_run_leads_to_the_form_of_the_real_one(
    visitor: Visitor, visitor_as: Callable[[str], Visitor], current: Bench, session: Session
) -> None:
    current.write()
    real = {"greeting": "again", "dry_run": "false", "plan_sha256": "a" * 64}
    figures = {"real_parameters": real, "plan": {"target": "the-target", "steps": []}}
    rows = [
        Drill(kind=NAME, category="runbook", status=status, figures=figures)
        for status in ("passed", "failed")
    ]
    session.add_all(rows)
    session.commit()
    passed, failed = (f"/operations/runbooks/runs/{row.id}" for row in rows)
    assert "Do it for real" not in visitor.get(failed).text
    assert "Do it for real" not in visitor_as("analyst").get(passed).text
    page = visitor.get(passed).text
    assert f'href="{ADDRESS}?dry_run={rows[0].id}#start"' in page and "real_parameters" not in page
    form = visitor.get(f"{ADDRESS}?dry_run={rows[0].id}").text
    assert 'name="p-greeting" value="again"' in form and f'name="p-plan_sha256" value="{"a" * 64}"' in form
    assert '<option value="false" selected>No</option>' in form and "type <code>the-target</code>" in form
    assert visitor.get(f"/operations/runbooks/disk-full?dry_run={rows[0].id}").status_code == 404


def test_an_interrupted_run_is_resumed_once(visitor: Visitor, current: Bench, session: Session) -> None:
    current.write()
    real = {"dry_run": False, "plan_sha256": "0" * 64, "greeting": "again"}
    row = Drill(kind=NAME, category="runbook", status="running", parameters=real, requested_by="anna")
    session.add(row)
    session.commit()
    run = f"/operations/runbooks/runs/{row.id}"
    page = visitor.get(run).text
    assert "Interrupted" in page and "typed again" in page
    assert visitor.post(f"{run}/resume").status_code == 422
    resumed = visitor.post(f"{run}/resume", typed="the-target")
    assert resumed.status_code == 303 and resumed.headers["location"] != run
    (given,) = arguments(session)
    assert (given["resumed_from"], given["typed"], given["parameters"]) == (str(row.id), "the-target", real)


def test_a_run_that_is_under_way_says_where_it_is(visitor: Visitor, current: Bench, session: Session) -> None:
    progress = {"number": 2, "count": 5, "heading": "Step <1>", "output": "so far & so good"}
    row = Drill(kind=NAME, category="runbook", status="running", figures={"progress": progress})
    session.add(row)
    session.commit()
    run = f"/operations/runbooks/runs/{row.id}"
    with one_at_a_time(current.engine, current.settings):
        page, piece = visitor.get(run).text, visitor.piece(f"{run}/state")
    assert f'hx-get="{run}/state"' in page and "Cell 2 of 5" in page
    assert "so far &amp; so good" in piece.text and "Step &lt;1&gt;" in piece.text
    assert "hx-refresh" not in piece.headers
    assert visitor.piece(f"{run}/state").headers["hx-refresh"] == "true", "and when its process is gone"


def test_text_is_never_taken_as_markup() -> None:
    shown = html_of("# T\n<img src=x onerror=alert(1)>\n\n[a](javascript:alert(1)) [b](https://example.org)")
    assert "<img" not in shown and 'href="javascript' not in shown and "<h2>T</h2>" in shown


def test_the_worker_says_why_a_run_could_not_begin(current: Bench, session: Session) -> None:
    current.write()
    row = Drill(kind="gone", category="runbook", status="waiting")
    session.add(row)
    session.commit()
    with pytest.raises(Exception, match="There is no 'gone'"):
        jobs.runbook(run_id=str(row.id), name="gone", parameters={}, typed="", requested_by="anna")
    session.refresh(row)
    assert row.status == "failed" and "There is no 'gone'" in row.error
    assert get_settings().notebooks_dir == current.settings.notebooks_dir
