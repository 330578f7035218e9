"""Tables of the overview as CSV."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import update
from sqlalchemy.orm import Session

from leitstand.db.engine import get_engine
from leitstand.db.models import UserSession, Workspace
from leitstand.embedded.postgres import Cluster
from panel_apps import serve
from panel_apps.overview.tables import TABLES
from tests.integration.panel_apps.support import Log, import_log, make_log
from tests.people import Visitor, join, visit
from tests.services import cloned_database

DAY = timedelta(days=1)


# A file is only read, and the application draws every dashboard once before it answers: all tests share one.
@pytest.fixture(scope="module")
def session(cluster: Cluster, services: dict[str, object]) -> Iterator[Session]:
    with cloned_database(cluster, services), Session(get_engine(), expire_on_commit=False) as session:
        yield session


@pytest.fixture(scope="module")
def workspace(session: Session) -> Workspace:
    workspace = Workspace(slug="demo", name="Demo")
    session.add(workspace)
    session.commit()
    return workspace


@pytest.fixture(scope="module")
def log(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Log:
    made = make_log(datetime.now(UTC).date())
    import_log(get_engine(), tmp_path_factory.mktemp("log"), workspace, made)
    return made


@pytest.fixture(scope="module")
def app(log: Log) -> Iterator[FastAPI]:
    app = serve.create()
    with TestClient(app):
        yield app


@pytest.fixture(scope="module")
def analyst(app: FastAPI, session: Session, workspace: Workspace) -> Visitor:
    return visit(app, session, join(session, workspace, role="analyst"))


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


def test_compared_days_stand_beside_those_of_the_range(analyst: Visitor, log: Log) -> None:
    rows = table(analyst, "traffic", "range=last-7&zone=UTC")
    assert list(rows[0]) == [
        "day", "viewed", "started", "completed",
        "before_day", "before_viewed", "before_started", "before_completed",
    ]  # fmt: skip
    week = 7 * DAY
    assert [row["before_day"] for row in rows] == [
        (log.today - age * DAY - week).isoformat() for age in reversed(range(7))
    ]
    whole = rows[:-1]  # today is compared with the same elapsed part
    assert [int(row["before_viewed"]) for row in whole] == [
        len(log.of(log.today - age * DAY - week, log.today - age * DAY - week))
        for age in reversed(range(1, 7))
    ]
    assert list(table(analyst, "traffic", "range=last-7&compare=none")[0]) == [
        "day",
        "viewed",
        "started",
        "completed",
    ]


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_table_has_the_columns_of_the_page(analyst: Visitor, name: str) -> None:
    rows = table(analyst, name)
    assert rows
    assert list(rows[0]) == [column.name for column in TABLES[name].columns]


def test_every_table_of_the_page_can_be_had(analyst: Visitor) -> None:
    for name in TABLES:
        assert table(analyst, name, "range=2020-01-01..2020-01-01") is not None


def test_the_file_is_named_after_its_table_and_days(analyst: Visitor) -> None:
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
    stranger = TestClient(app, follow_redirects=False)
    assert stranger.get("/insights/export/overview/traffic.csv").status_code == 401


def test_a_file_is_had_also_when_the_session_is_put_off_by_the_same_request(
    analyst: Visitor, session: Session
) -> None:
    mine = UserSession.id == analyst.principal.session_id
    session.execute(
        update(UserSession).where(mine).values(last_seen_at=UserSession.last_seen_at - timedelta(minutes=5))
    )
    session.commit()
    assert table(analyst, "traffic")


def page_of(visitor: Visitor, query: str = "range=all", app: str = "overview") -> str:
    answer = visitor.client.get(f"/insights/export/{app}.html?{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == f'attachment; filename="{app}.html"'
    return answer.text


def test_the_page_as_a_file_holds_its_figures_and_names_no_other_file(analyst: Visitor, log: Log) -> None:
    html = page_of(analyst, "range=last-7&zone=UTC")
    runs = log.of(log.today - 6 * DAY, log.today)
    assert f"<dd>{len(runs)}<small>" in html
    assert "Bokeh.embed.embed_items" in html
    assert not re.findall(r"<script[^>]*\bsrc=", html)
    own = html.split("<style>", 1)[1].split("<script", 1)[0] + html.split("</head>", 1)[1]
    assert not re.findall(r"""<(?:script|link|img|iframe|use)\b[^>]*\b(?:src|href)=""", own)
    assert "url(" not in own
    assert "&lt;img src=x" in html
    assert "<img src=x" not in html


def test_a_forged_choice_gets_what_the_page_would_show(analyst: Visitor) -> None:
    html = page_of(analyst, "range=all&companion=00000000-0000-7000-8000-000000000000&visitor=x&told=y")
    assert "There is no companion" in html


def test_the_page_as_a_file_needs_the_permission_of_its_dashboard(
    app: FastAPI, session: Session, workspace: Workspace, analyst: Visitor
) -> None:
    assert analyst.client.get("/insights/export/operations.html").status_code == 403
    assert analyst.client.get("/insights/export/nothing.html").status_code == 404
    operator = visit(app, session, join(session, workspace, role="operator"))
    assert "services are up" in page_of(operator, "", "operations")
    stranger = TestClient(app, follow_redirects=False)
    assert stranger.get("/insights/export/overview.html").status_code == 401
