"""Every dashboard of figures: what it shows of a log, of nothing, and of another workspace; and its own choices."""

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from leitstand.db.models import Companion, Document, Item, Workspace
from panel_apps.access import Visitor
from panel_apps.audience.store import AudienceStore
from panel_apps.companion.store import CompanionStore
from panel_apps.flow.answers import PAGE
from panel_apps.flow.store import FlowStore
from panel_apps.flow.views import FlowView
from panel_apps.ingestion.store import IngestionStore
from panel_apps.overview.store import OverviewStore
from panel_apps.scoped import ScopedStore
from panel_apps.serve import APPLICATIONS
from panel_apps.usage.store import UsageStore
from tests.integration.panel_apps.support import HOSTILE, RUN, Log, import_log, make_log
from tests.integration.panel_apps.test_store import sign_in
from tests.people import Visitor as Client
from tests.people import join

DAY = timedelta(days=1)
SCOPED = {path: module for path, module in APPLICATIONS.items() if issubclass(module.STORE, ScopedStore)}
BY_COMPANION = sorted(path for path, module in SCOPED.items() if "companion" in module.STORE.CHOICES)


@pytest.fixture
def person(session: Session, workspace: Workspace) -> Visitor:
    return sign_in(session, join(session, workspace, role="analyst", email="person@demo.test"))


def shown(module: ModuleType, visitor: Visitor, **choices: str) -> tuple[Any, dict[str, str]]:
    """What a dashboard loads, and the HTML of its panes."""
    view = module.VIEW()
    snapshot = view.fill(module.STORE(visitor, **choices))
    return snapshot, {name: str(pane.object) for name, pane in view.panes.items()}


@pytest.mark.parametrize("path", sorted(SCOPED))
def test_a_dashboard_shows_the_log_in_every_pane_and_chart(person: Visitor, log: Log, path: str) -> None:
    snapshot, panes = shown(SCOPED[path], person, range="all")
    assert not snapshot.empty
    assert all(panes.values()), [name for name, html in panes.items() if not html]
    assert "<img src=x" not in "".join(panes.values())
    assert "nan" not in "".join(panes.values()).lower().replace("maintenance", "")


@pytest.mark.parametrize("path", sorted(SCOPED))
def test_the_page_s_script_is_told_once_everything_is_shown(person: Visitor, log: Log, path: str) -> None:
    view, empty = SCOPED[path].VIEW(), []
    view.status.param.watch(
        lambda _: empty.append([name for name, pane in view.panes.items() if not pane.object]), "tags"
    )
    view.fill(SCOPED[path].STORE(person, range="all"))
    assert empty == [[]]


@pytest.mark.parametrize("path", sorted(SCOPED))
def test_a_dashboard_of_nothing_says_so(person: Visitor, path: str) -> None:
    for days in ("auto", "all", "2020-01-01..2020-01-01"):
        snapshot, panes = shown(SCOPED[path], person, range=days)
        assert snapshot.empty
        nobody = "No agent and no model" if path == "/agents" else "No event"
        assert f"{nobody} has been" in panes["status"]


@pytest.mark.parametrize("path", BY_COMPANION)
def test_another_workspace_s_companion_is_as_unknown(
    person: Visitor, log: Log, session: Session, path: str
) -> None:
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.commit()
    stranger = sign_in(session, join(session, other, role="owner"))
    triage = str(session.scalars(select(Item.id).where(Item.external_key == "triage")).one())
    foreign, panes = shown(SCOPED[path], stranger, range="all", companion=triage)
    unknown, others = shown(
        SCOPED[path], stranger, range="all", companion="00000000-0000-7000-8000-000000000000"
    )
    assert (foreign.empty, unknown.empty) == (True, True)
    assert "There is no companion" in panes["status"]
    assert "triage" not in "".join(panes.values())
    assert panes.keys() == others.keys()


def test_every_table_is_a_file_with_its_columns(analyst: Client, log: Log) -> None:
    for path, module in SCOPED.items():
        for name, table in module.VIEW.TABLES.items():
            answer = analyst.client.get(f"/insights/export{path}/{name}.csv?range=all")
            assert answer.status_code == 200, answer.text
            head = next(csv.reader(io.StringIO(answer.text, newline="")))
            assert head == [column.name for column in table.columns], (path, name)


def test_the_audience_is_that_of_the_log(person: Visitor, log: Log) -> None:
    answers = AudienceStore(person, range="last-7", zone="UTC").load().answers
    week = {run[2] for run in log.of(log.today - 6 * DAY, log.today)}
    before = {run[2] for run in log.runs if run[0] < log.today - 6 * DAY}
    assert answers.people.active_users == len(week)
    assert (answers.people.newcomers.new, answers.people.newcomers.returning) == (
        len(week - before), len(week & before),
    )  # fmt: skip
    assert int(answers.newcomers["new"].sum()) == len(week - before)


def test_without_a_companion_the_one_used_most_is_shown(person: Visitor, log: Log) -> None:
    runs = {name: len(log.of(log.runs[-1][0], log.today, name)) for name in ("triage", HOSTILE)}
    most = max(runs, key=lambda name: runs[name])
    store = CompanionStore(person, range="all")
    snapshot = store.load()
    assert snapshot.companion == most
    assert snapshot.answers.now.figures.runs.viewed == runs[most]
    assert store.companion == str(snapshot.scope.companion_id)
    assert snapshot.answers.versions["viewed"].sum() == runs[most]


def test_a_tag_chooses_its_companions_and_an_unknown_one_is_told(
    person: Visitor, log: Log, session: Session
) -> None:
    session.execute(update(Item).where(Item.external_key == "triage").values(tags=["health"]))
    session.commit()
    expected = len(log.of(log.runs[-1][0], log.today, "triage"))
    store = OverviewStore(person, range="all", tag="health")
    assert store.tags() == ["health"]
    assert store.load().answers.now.figures.runs.viewed == expected
    store = OverviewStore(person, range="all", tag="nobody's\x00")
    snapshot = store.load()
    assert snapshot.answers.now.figures.runs.viewed == len(log.runs)
    assert "No companion has the tag" in snapshot.notices[0]
    assert store.tag == "*"


def test_the_same_weekdays_before_are_whole_weeks_away(person: Visitor, log: Log) -> None:
    snapshot = OverviewStore(person, range="last-30", compare="weekdays").load()
    assert snapshot.before is not None
    assert (snapshot.scope.start - snapshot.before.start).days == 35


def test_the_runs_of_a_step_are_those_of_the_log(person: Visitor, log: Log) -> None:
    store = FlowStore(person, range="all", companion="triage", step="ask")
    runs = store.load().answers.runs
    everything = log.of(log.runs[-1][0], log.today, "triage")
    assert (runs.step, runs.page, runs.total) == ("ask", 1, len(everything))
    assert runs.rows is not None
    assert len(runs.rows) == min(PAGE, len(everything))
    store.param.update(page="2")
    second = store.load().answers.runs
    assert second.rows is not None
    assert not set(second.rows["run"]) & set(runs.rows["run"])
    stays = (second.rows["next_at"] - second.rows["reached"]).dropna()
    assert set(stays) == {RUN}


@pytest.mark.parametrize(
    ("step", "page", "shown_step", "shown_page"),
    [
        ("nowhere", "1", "*", "1"), ("ask", "9999", "ask", "3"), ("ask", "-1", "ask", "1"), ("ask", "x", "ask", "1"),
        ("ask", "9" * 400, "ask", "1"), ("a\x00", "1", "*", "1"),
    ],
)  # fmt: skip
def test_a_step_or_page_that_is_not_there_is_corrected(
    person: Visitor, log: Log, step: str, page: str, shown_step: str, shown_page: str
) -> None:
    store = FlowStore(person, range="all", companion="triage", step=step, page=page)
    snapshot = store.load()
    assert (store.step, store.page) == (shown_step, shown_page)
    assert snapshot.notices, "whoever came by this address is told"


def test_the_diagram_has_every_step_and_marks_the_chosen_one(person: Visitor, log: Log) -> None:
    view = FlowView()
    view.fill(FlowStore(person, range="all", companion="triage", step="done"))
    diagram = str(view.panes["diagram"].object)
    assert diagram.count("data-choose=") == 3
    assert diagram.count('aria-current="true"') == 1
    assert 'class="step end chosen"' in diagram
    assert "reached done" not in diagram
    assert "Runs that reached done" in str(view.panes["runs"].object)


def test_a_funnel_that_names_some_steps_hides_none_of_the_others(
    session: Session, person: Visitor, log: Log
) -> None:
    session.execute(update(Companion).values(funnel=["done"]))
    session.commit()
    graph = FlowStore(person, range="all", companion="triage").load().answers.graph
    assert (len(graph.nodes), graph.nodes[0].name, graph.steps_left_out) == (3, "ask", 0)
    assert {way.start for way in graph.ways} == {"ask"}


def test_documents_of_a_private_space_are_in_its_owner_s_figures_alone(
    person: Visitor, session: Session, workspace: Workspace
) -> None:
    other = sign_in(session, join(session, workspace, role="analyst", email="other@demo.test"))
    space = Item(
        workspace_id=workspace.id,
        kind="space",
        title="Mine",
        visibility="private",
        owner_id=person.principal.person_id,
    )
    session.add(space)
    session.flush()
    session.add(
        Document(
            workspace_id=workspace.id, space_id=space.id, title="secret.md", object_key="", media_type="text/plain", bytes=1,
            sha256="ab", status="failed", reason="no reader",
        )
    )  # fmt: skip
    session.commit()
    assert IngestionStore(person).load().answers.totals.failed == 1
    assert IngestionStore(other).load().answers.totals.failed == 0


def test_usage_of_long_ago_opens_on_all_there_is_and_says_why(
    engine: Engine, workspace: Workspace, person: Visitor, tmp_path: Path
) -> None:
    old = make_log(datetime.now(UTC).date() - 800 * DAY)
    import_log(engine, tmp_path, workspace, old)
    snapshot = UsageStore(person).load()
    assert not snapshot.empty
    assert int(snapshot.answers.months["runs"].sum()) == len(old.runs)
    assert "nothing happened in the last 365 days" in snapshot.range.why
