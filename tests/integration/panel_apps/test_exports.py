"""Tables of the overview as CSV."""

import csv
import io
from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import update
from sqlalchemy.orm import Session

from leitstand.db.models import UserSession, Workspace
from panel_apps.exports import ROWS
from panel_apps.overview.parts import TABLES
from tests.integration.panel_apps.support import Log
from tests.people import Visitor, join, visit

DAY = timedelta(days=1)


def table(visitor: Visitor, name: str, query: str = "range=all") -> list[dict[str, str]]:
    answer = visitor.client.get(f"/insights/export/overview/{name}.csv?{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def test_traffic_has_every_day_of_the_range(analyst: Visitor, log: Log) -> None:
    rows = table(analyst, "traffic", "range=last-7&zone=UTC")
    expected = [log.of(log.today - age * DAY, log.today - age * DAY) for age in reversed(range(7))]
    assert [int(row["viewed"]) for row in rows] == [len(runs) for runs in expected]
    assert [int(row["completed"]) for row in rows] == [sum(run[3] for run in runs) for runs in expected]
    assert rows[-1]["day"] == log.today.isoformat()


@pytest.mark.parametrize("name", sorted(ROWS))
def test_every_table_has_the_columns_of_the_page(analyst: Visitor, log: Log, name: str) -> None:
    rows = table(analyst, name)
    assert rows
    assert list(rows[0]) == [column.name for column in TABLES[name]]


def test_every_table_of_the_page_can_be_had(analyst: Visitor) -> None:
    assert set(ROWS) == set(TABLES)
    for name in ROWS:
        assert table(analyst, name, "range=2020-01-01..2020-01-01") is not None


def test_the_file_is_named_after_its_table_and_days(analyst: Visitor, log: Log) -> None:
    answer = analyst.client.get("/insights/export/overview/steps.csv?range=2026-01-05..2026-01-06")
    assert answer.headers["content-disposition"] == 'attachment; filename="steps_2026-01-05_2026-01-06.csv"'
    assert "no-store" in answer.headers["cache-control"]


def test_an_unknown_table_is_not_found(analyst: Visitor) -> None:
    answer = analyst.client.get("/insights/export/overview/people.csv")
    assert answer.status_code == 404
    assert "traffic" in answer.json()["hint"]


def test_who_may_not_see_insights_gets_no_file(
    app: FastAPI, session: Session, workspace: Workspace, analyst: Visitor
) -> None:
    member = visit(app, session, join(session, workspace, role="member"))
    assert member.client.get("/insights/export/overview/traffic.csv").status_code == 403
    analyst.client.cookies.clear()
    assert analyst.client.get("/insights/export/overview/traffic.csv").status_code == 401


def test_a_file_is_had_also_when_the_session_is_put_off_by_the_same_request(
    analyst: Visitor, session: Session, log: Log
) -> None:
    mine = UserSession.id == analyst.principal.session_id
    session.execute(
        update(UserSession).where(mine).values(last_seen_at=UserSession.last_seen_at - timedelta(minutes=5))
    )
    session.commit()
    assert table(analyst, "traffic")
