"""The organisation's settings and the audit log, as pages and through the API."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from leitstand.db.models import Workspace
from leitstand.identity.sessions import COOKIE
from tests.apps import api_app
from tests.people import Visitor

PAGE = "/settings/organisation"
AUDIT = "/settings/audit"


@pytest.fixture
def programs(visitor: Visitor) -> TestClient:
    """The API as the owner's browser reaches it."""
    client = TestClient(api_app())
    client.cookies.set(COOKIE, visitor.client.cookies[COOKIE])
    client.headers["X-CSRF-Token"] = visitor.csrf
    return client


def test_name_and_zone_are_changed_and_an_older_copy_overwrites_nothing(
    visitor: Visitor, session: Session, workspace: Workspace
) -> None:
    seen = {"seen_name": workspace.name, "seen_zone": workspace.reporting_zone}
    saved = visitor.post(PAGE, name="  Haus\x00 Nord ", zone="Europe/Berlin", **seen)
    assert (saved.status_code, saved.headers["location"]) == (303, PAGE)
    session.refresh(workspace)
    assert (workspace.name, workspace.reporting_zone) == ("Haus Nord", "Europe/Berlin")
    late = visitor.post(PAGE, name="Other", zone="UTC", **seen)
    assert late.status_code == 409
    assert "Somebody changed this meanwhile" in late.text
    assert 'value="Other"' in late.text
    wrong = visitor.post(PAGE, name="", zone="Mars/Base", seen_name="Haus Nord", seen_zone="Europe/Berlin")
    assert wrong.status_code == 422
    session.refresh(workspace)
    assert workspace.name == "Haus Nord"
    shown = visitor.get(f"{AUDIT}?action=workspace.update").text
    assert "Haus Nord" in shown
    assert "<del>UTC</del>" in shown


@pytest.mark.parametrize("path", [PAGE, AUDIT])
def test_only_those_who_manage_see_them(visitor_as: Callable[[str], Visitor], path: str) -> None:
    assert visitor_as("member").get(path).status_code == 403
    assert visitor_as("admin").get(path).status_code == 200


def test_the_log_is_filtered_and_taken_away(visitor: Visitor) -> None:
    visitor.post(PAGE, name="Haus", zone="UTC", seen_name="", seen_zone="")
    page = visitor.get(AUDIT)
    assert '<option value="person.create">' in page.text
    assert "Nothing found" in visitor.get(f"{AUDIT}?actor=nobody").text
    rows = visitor.piece(f"{AUDIT}?actor=owner@").text
    assert rows.lstrip().startswith('<div class="table-scroll"')
    assert (
        "The last day comes before the first" in visitor.get(f"{AUDIT}?start=2026-03-02&end=2026-03-01").text
    )
    assert visitor.get(f"{AUDIT}?start=someday").status_code == 200
    taken = visitor.post(f"{AUDIT}/export?action=person&form=csv")
    assert taken.headers["content-disposition"] == 'attachment; filename="audit-log.csv"'
    lines = taken.text.splitlines()
    assert lines[0] == "at,actor,action,target,before,after,request_id"
    assert len(lines) == 2
    assert "audit.export" in visitor.get(AUDIT).text
    assert visitor.post(f"{AUDIT}/export?form=xls").status_code == 422


def test_programs_read_and_change_the_same(programs: TestClient, visitor: Visitor) -> None:
    changed = programs.patch("/api/v1/organisation", json={"zone": "Asia/Tokyo"})
    assert (changed.status_code, changed.json()["zone"]) == (200, "Asia/Tokyo")
    assert programs.get("/api/v1/organisation").json() == changed.json()
    found = programs.get("/api/v1/audit", params={"action": "workspace", "zone": "Asia/Tokyo"}).json()
    assert [entry["after"] for entry in found] == [{"zone": "Asia/Tokyo"}]
    lines = programs.get("/api/v1/audit/export", params={"action": "workspace"}).text.splitlines()
    assert len(lines) == 1
    assert programs.get("/api/v1/audit", params={"zone": "Mars"}).status_code == 422
