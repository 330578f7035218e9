"""Figures and operations as JSON."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from leitstand.catalogue import companions
from leitstand.db.models import AuditEntry, Backup, CheckRun, Drill, RunFact
from leitstand.identity.access import system_principal
from leitstand.insights.report import build
from leitstand.insights.scope import resolve
from leitstand.services import SERVICES
from tests.integration.api.conftest import Caller


@pytest.fixture
def used(session: Session, call: Caller) -> str:
    """A companion with one completed run; its title."""
    principal = call.visitor.principal
    item = companions.create(session, principal=system_principal(principal.workspace_id), title="Used")
    at = datetime(2026, 3, 2, 10, tzinfo=UTC)
    session.add(
        RunFact(
            workspace_id=principal.workspace_id, companion_id=item.id, log_id=item.id, run_key="r", first_at=at, first_seq=0,
            last_at=at, opened_at=at, started_at=at, completed_at=at, actor_key="a", events=1, steps=["s"],
        )
    )  # fmt: skip
    session.commit()
    return item.title


def test_the_report_is_the_document_of_the_core(call: Caller, session: Session, used: str) -> None:
    workspace_id = call.visitor.principal.workspace_id
    query = f"companion={used}&from=2026-03-01&to=2026-03-08&zone=Europe/Berlin&step=s"
    asked = call("GET", f"/insights/report?{query}").json()
    first, last = datetime(2026, 3, 1).date(), datetime(2026, 3, 8).date()
    scope = resolve(
        session, workspace_id=workspace_id, companion=used, start=first, end=last, zone="Europe/Berlin"
    )
    expected = build(session, scope, steps=["s"])
    assert asked.pop("as_of") <= expected.pop("as_of")
    assert asked == expected
    assert asked["runs"] == {"viewed": 1, "started": 1, "completed": 1}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("companion=nobody", 404),
        ("zone=Mars/Olympus", 422),
        ("from=2026-02-30", 422),
        ("from=2026-02-02&to=2026-02-01", 422),
        ("companion=%00", 400),
        ("zone=%00", 400),
        ("step=nobody", 422),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(call: Caller, used: str, query: str, status: int) -> None:
    refused = call("GET", f"/insights/report?{query}")
    assert refused.status_code == status
    assert refused.headers["content-type"] == "application/problem+json"


def test_backups_drills_and_checks_are_listed(call: Caller, session: Session) -> None:
    at = datetime.now(UTC)
    backup = Backup(kind="postgres", engine="x", status="complete", verified_at=at)
    session.add_all(
        [
            backup,
            Backup(kind="objects", engine="x"),
            CheckRun(suite="events", target="live", success=False, evaluated=3, failed=1, result={}),
        ]
    )
    session.flush()
    session.add(
        Drill(
            kind="postgres-latest", backup_id=backup.id, rpo_seconds=1.5, rto_seconds=2.5, notebook="s3://x/y"
        )
    )
    session.commit()
    assert [found["kind"] for found in call("GET", "/backups").json()] == ["objects", "postgres"]
    assert len(call("GET", "/backups?kind=postgres").json()) == 1
    assert call("GET", "/backups?kind=nonsense").status_code == 422
    drill = call("GET", "/drills").json()[0]
    assert (drill["rpo_seconds"], drill["rto_seconds"], drill["notebook"]) == (1.5, 2.5, "s3://x/y")
    summary = call("GET", "/operations").json()
    assert datetime.fromisoformat(summary["last_proven_at"]) == at
    assert summary["checks"][0]["failed"] == 1


def test_a_backup_and_a_drill_are_started_once(call: Caller, session: Session) -> None:
    started = call("POST", "/backups", {"kind": "postgres"})
    assert started.status_code == 202
    assert call("POST", "/backups", {"kind": "postgres"}).status_code == 409
    assert call("POST", "/backups", {"kind": "objects"}).status_code == 202
    assert call("POST", "/backups", {"kind": "everything"}).status_code == 422
    assert call("POST", "/drills", {"name": "postgres-latest"}).status_code == 202
    assert call("POST", "/drills", {"name": "postgres-latest"}).status_code == 409
    rows = session.execute(
        text("SELECT id, task_name, args ->> 'kind' FROM procrastinate_jobs ORDER BY id")
    ).all()
    assert [row[1:] for row in rows] == [
        ("operations.backup", "postgres"),
        ("operations.backup", "objects"),
        ("operations.drill", None),
    ]
    assert rows[0][0] == started.json()["job"]
    wanted = text(
        "SELECT args ->> 'requested_by' FROM procrastinate_jobs WHERE task_name = 'operations.drill'"
    )
    assert session.scalar(wanted) == session.scalar(select(AuditEntry.actor).order_by(AuditEntry.id.desc()))
    actions = (
        session.query(AuditEntry.action)
        .filter(AuditEntry.target.startswith("job:"))
        .order_by(AuditEntry.id)
        .all()
    )
    assert [action for (action,) in actions] == ["backup.start", "backup.start", "drill.start"]


def test_starting_needs_the_permission(call_as: Callable[[str], Caller]) -> None:
    analyst, operator = call_as("analyst"), call_as("operator")
    assert analyst("POST", "/backups", {}).status_code == 403
    assert analyst("POST", "/drills", {}).status_code == 403
    assert operator("POST", "/backups", {}).status_code == 202


def test_health_names_every_service(call: Caller) -> None:
    states = call("GET", "/health").json()
    assert [state["name"] for state in states] == [service.name for service in SERVICES]
    assert {state["name"]: state["state"] for state in states}["postgres"] == "up"


def test_the_audit_log_pages(call: Caller) -> None:
    for number in range(3):
        call("PATCH", "/me", {"name": f"Name {number}"})
    first = call("GET", "/audit?limit=2").json()
    rest = call("GET", "/audit", None).json()
    after = call.visitor.client.get(
        "/api/v1/audit", params={"before": first[-1]["at"], "before_id": first[-1]["id"]}
    ).json()
    assert [entry["id"] for entry in first + after] == [entry["id"] for entry in rest]
    assert first[0]["after"] == {"name": "Name 2"}
