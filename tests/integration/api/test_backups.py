"""Backups as JSON: why each stays, keeping, verifying, and retention after a seen plan."""

from collections.abc import Callable

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from leitstand.db.models import AuditEntry
from tests.backups import Shelf, shelf, stocked
from tests.integration.api.conftest import Caller

__all__ = ["shelf", "stocked"]


def test_a_backup_says_what_it_brings_back_and_why_it_stays(call: Caller, stocked: Shelf) -> None:
    newest, oldest = (call("GET", f"/backups/{one}").json() for one in (stocked.ids[0], stocked.ids[-1]))
    assert newest["recovery_window"]["to"] == "now" and newest["retention"]["keep"] is True
    assert newest["level"] == "full" and newest["parent_id"] is None
    assert {"window", "proven", "daily"} <= set(newest["retention"]["classes"])
    assert (
        oldest["recovery_window"]["to"]
        == oldest["recovery_window"]["from"]
        == oldest["finished_at"].replace("Z", "+00:00")
    )
    assert call("GET", "/backups/0191e4a0-0000-7000-8000-000000000000").status_code == 404


def test_a_backup_is_kept_and_let_go(call: Caller, stocked: Shelf, session: Session) -> None:
    path = f"/backups/{stocked.ids[-1]}"
    assert call("PUT", f"{path}/kept", {"kept": True}).json()["kept"] is True
    assert "kept" in call("GET", path).json()["retention"]["classes"]
    assert call("PUT", f"{path}/kept", {"kept": False}).json()["kept"] is False
    audited = session.scalars(select(AuditEntry.action).where(AuditEntry.target.startswith("backup:"))).all()
    assert sorted(audited) == ["backup.keep", "backup.unkeep"]


def test_retention_is_planned_and_started(call: Caller, stocked: Shelf, session: Session) -> None:
    plan = call("GET", "/backups/retention").json()
    assert plan["cautions"] == [] and any(not backup["keep"] for backup in plan["backups"])
    wrong = {"plan": plan["sha256"], "name": "production"}
    assert call("POST", "/backups/prune", wrong).status_code == 422
    assert call("POST", "/backups/prune", {"plan": "0" * 64, "name": stocked.bucket}).status_code == 409
    started = call("POST", "/backups/prune", {"plan": plan["sha256"], "name": stocked.bucket})
    assert started.status_code == 202
    names = session.scalars(text("SELECT task_name FROM procrastinate_jobs")).all()
    assert names == ["operations.prune"]


def test_verification_is_started(call: Caller, stocked: Shelf, session: Session) -> None:
    assert call("POST", f"/backups/{stocked.ids[0]}/verify").status_code == 202
    args = session.scalar(text("SELECT args ->> 'backup_id' FROM procrastinate_jobs"))
    assert args == str(stocked.ids[0])


def test_what_is_wrong_is_told(call: Caller, stocked: Shelf) -> None:
    late = ["prune-late", "checks-late"]
    assert [one["name"] for one in call("GET", "/backups/conditions").json()] == late
    assert [one["name"] for one in call("GET", "/operations").json()["conditions"]] == late


def test_permissions(call_as: Callable[[str], Caller], stocked: Shelf) -> None:
    analyst, operator = call_as("analyst"), call_as("operator")
    newest = f"/backups/{stocked.ids[0]}"
    for path in (newest, "/backups/retention", "/backups/conditions"):
        assert analyst("GET", path).status_code == 403
    assert analyst("PUT", f"{newest}/kept", {"kept": True}).status_code == 403
    assert analyst("POST", f"{newest}/verify").status_code == 403
    assert analyst("POST", "/backups/prune", {"plan": "x", "name": stocked.bucket}).status_code == 403
    assert operator("PUT", f"{newest}/kept", {"kept": True}).status_code == 200
