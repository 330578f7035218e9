"""The pages of the backups: what is there, why it stays, and what may be done by whom."""

from collections.abc import Callable

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from leitstand.db.models import AuditEntry
from leitstand.settings import get_settings
from tests.backups import Shelf, shelf, stocked
from tests.people import Visitor

__all__ = ["shelf", "stocked"]


def test_every_backup_says_why_it_stays(visitor: Visitor, stocked: Shelf) -> None:
    page = visitor.get("/operations/backups").text
    assert page.count("within the last 14 days") >= 14
    assert "the last proven one" in page
    assert "older than the last 14 days and stands for no period" in page
    newest = visitor.get(f"/operations/backups/{stocked.ids[0]}").text
    assert "Any second from" in newest and "A drill restored it" in newest
    assert "The state of" in visitor.get(f"/operations/backups/{stocked.ids[-1]}").text
    assert "<dt>Level</dt><dd>Full" in visitor.get(f"/operations/backups/{stocked.ids[0]}").text
    assert visitor.get(f"/operations/backups/{stocked.bucket}").status_code == 404
    assert f"/operations/backups/{stocked.ids[0]}" in visitor.get("/operations").text


def test_a_store_that_does_not_answer_leaves_the_list(
    visitor: Visitor, stocked: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEITSTAND_BUCKET_BACKUPS", "no-such-bucket")
    get_settings.cache_clear()
    page = visitor.get("/operations/backups")
    assert page.status_code == 200 and "no-such-bucket" in page.text
    assert page.text.count('href="/operations/backups/0') == 18


def test_keeping_and_letting_go(visitor: Visitor, stocked: Shelf, session: Session) -> None:
    oldest = stocked.ids[-1]
    assert visitor.post(f"/operations/backups/{oldest}/keep").status_code == 303
    assert stocked.row(oldest).kept
    assert "marked as kept" in visitor.get(f"/operations/backups/{oldest}").text
    assert visitor.post(f"/operations/backups/{oldest}/unkeep").status_code == 303
    assert not stocked.row(oldest).kept
    actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert [action for action in actions if "keep" in action] == ["backup.keep", "backup.unkeep"]


def test_retention_is_previewed_and_asks_for_the_name(
    visitor: Visitor, stocked: Shelf, session: Session
) -> None:
    page = visitor.get("/operations/backups/retention").text
    plan = page.split('name="plan" value="')[1].split('"')[0]
    assert f"Type <code>{stocked.bucket}</code>" in page
    refused = visitor.post("/operations/backups/retention", plan=plan, name="something else")
    assert refused.status_code == 422 and "is not the name" in refused.text
    stale = visitor.post("/operations/backups/retention", plan="0" * 64, name=stocked.bucket)
    assert stale.status_code == 409 and "has changed" in stale.text
    done = visitor.post("/operations/backups/retention", plan=plan, name=stocked.bucket)
    assert done.headers["location"] == "/operations#jobs"
    jobs = session.execute(text("SELECT task_name, args ->> 'plan' FROM procrastinate_jobs")).all()
    assert [tuple(job) for job in jobs] == [("operations.prune", plan)]
    assert "backup.prune" in session.scalars(select(AuditEntry.action)).all()
    assert set(stocked.statuses(stocked.ids)) == {"complete"}, "nothing happens before the worker takes it"


def test_who_may_do_what(visitor_as: Callable[[str], Visitor], stocked: Shelf) -> None:
    newest = stocked.ids[0]
    analyst, operator = visitor_as("analyst"), visitor_as("operator")
    for path in ("", "/retention", f"/{newest}"):
        assert analyst.get(f"/operations/backups{path}").status_code == 403
    for path in ("/keep", "/unkeep", "/verify"):
        assert analyst.post(f"/operations/backups/{newest}{path}").status_code == 403
    assert analyst.post("/operations/backups/retention", plan="x", name=stocked.bucket).status_code == 403
    assert operator.post(f"/operations/backups/{newest}/verify").status_code == 303
    assert "Remove" in operator.get("/operations/backups/retention").text
