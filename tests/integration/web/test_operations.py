"""The operations page: what it shows, what it starts, and the evidence of drills."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from leitstand.db.models import Backup, CheckRun, Drill, FlowExecution
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from tests.people import Visitor
from web import evidence

PAGE = b"<!doctype html><title>Executed</title><script>alert(1)</script><p>restored</p>"
NOTEBOOK = b'{"cells": []}'


@pytest.fixture
def drill(session: Session, settings: Settings) -> Drill:
    """A drill whose evidence is archived in the object store."""
    evidence._storage.cache_clear()
    storage = ObjectStorage(settings)
    storage.ensure_buckets()
    bucket = settings.bucket_evidence
    storage.put_bytes(bucket, "drills/x.html", PAGE, "text/html; charset=utf-8")
    storage.put_bytes(bucket, "drills/x.ipynb", NOTEBOOK)
    drill = Drill(
        kind="postgres-latest", status="passed", rpo_seconds=41.2, rto_seconds=12.7,
        notebook=f"s3://{bucket}/drills/x.ipynb", html=f"s3://{bucket}/drills/x.html", figures={"rows": 3},
    )  # fmt: skip
    session.add(drill)
    session.commit()
    return drill


def test_everything_that_runs_is_on_the_page(visitor: Visitor, session: Session, drill: Drill) -> None:
    now = datetime.now(UTC)
    session.add_all(
        [
            Backup(
                kind="postgres",
                engine="pg_basebackup",
                status="complete",
                bytes=48_233_112,
                verified_at=now - timedelta(hours=30),
            ),
            Backup(kind="secrets", engine="age", status="failed", error="No key <b>was</b> found."),
            FlowExecution(flow="data-checks", scheduled_for=now - timedelta(hours=2), status="complete"),
            FlowExecution(flow="data-checks", scheduled_for=now, status="failed", error="three rules broken"),
            CheckRun(suite="events", target="live", success=False, evaluated=41, failed=3, result={}),
        ]
    )
    session.commit()
    page = visitor.get("/operations").text
    for shown in (
        "48.2 MB",
        "41 s",
        "13 s",
        drill.notebook,
        "three rules broken",
        "3 of 41",
        "at most 26 hours",
        "data-checks",
        "20 * * * *",
    ):
        assert shown in page
    assert "<b>was</b>" not in page
    assert "at most 26 hours is promised" in visitor.get("/").text


def test_a_backup_and_a_drill_are_started_once_from_the_page(visitor: Visitor, session: Session) -> None:
    started = visitor.post("/operations/backups", kind="postgres")
    assert started.headers["location"] == "/operations#jobs"
    again = visitor.post("/operations/backups", kind="postgres")
    assert again.status_code == 409
    assert "waiting or running already" in again.text
    assert visitor.post("/operations/drills", name="postgres-latest").status_code == 303
    assert visitor.post("/operations/drills", name="rm -rf").status_code == 422
    names = session.execute(text("SELECT task_name FROM procrastinate_jobs ORDER BY id")).scalars().all()
    assert names == ["operations.backup", "operations.drill"]
    assert "operations.backup" in visitor.get("/operations").text


def test_who_may_not_start_is_offered_nothing(visitor_as: Callable[[str], Visitor]) -> None:
    analyst = visitor_as("analyst")
    for path in ("/operations", "/operations/services", "/home/services"):
        assert analyst.get(path).status_code == 403
    for path in ("/operations/backups", "/operations/drills"):
        assert analyst.post(path).status_code == 403


def test_the_services_are_asked(visitor: Visitor) -> None:
    piece = visitor.piece("/operations/services").text
    assert "PostgreSQL 18" in piece
    assert piece.count('class="service') >= 11


def test_the_evidence_of_a_drill_is_shown_and_can_run_nothing(visitor: Visitor, drill: Drill) -> None:
    page = visitor.get(f"/operations/drills/{drill.id}").text
    assert f'src="/operations/drills/{drill.id}/evidence.html"' in page
    shown = visitor.get(f"/operations/drills/{drill.id}/evidence.html")
    assert shown.content == PAGE
    policy = shown.headers.get_list("content-security-policy")
    assert len(policy) == 1
    assert policy[0].startswith("sandbox; default-src 'none'")
    assert "script-src" not in policy[0]
    notebook = visitor.get(f"/operations/drills/{drill.id}/evidence.ipynb")
    assert notebook.content == NOTEBOOK
    assert notebook.headers["content-disposition"].startswith("attachment;")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "s3://",
        "s3://{other}/secret",
        "s3://{own}/",
        "s3://{own}/missing",
        "file:///etc/passwd",
        "http://127.0.0.1/",
    ],
)
def test_only_the_evidence_bucket_is_read(
    visitor: Visitor, session: Session, settings: Settings, drill: Drill, address: str
) -> None:
    ObjectStorage(settings).put_bytes(settings.bucket_backups, "secret", b"secret")
    drill.html = address.format(other=settings.bucket_backups, own=settings.bucket_evidence)
    session.commit()
    refused = visitor.get(f"/operations/drills/{drill.id}/evidence.html")
    assert refused.status_code == 404
    assert b"secret" not in refused.content


def test_evidence_is_for_operators(visitor_as: Callable[[str], Visitor], drill: Drill) -> None:
    member = visitor_as("member")
    for name in ("", "/evidence.html", "/evidence.ipynb"):
        assert member.get(f"/operations/drills/{drill.id}{name}").status_code == 403
