"""A Spark cluster of two worker processes answers every question exactly as PostgreSQL does, from the same Parquet."""

import random
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from leitstand.catalogue.companions import ensure_companion
from leitstand.db.ids import derived_uuid7
from leitstand.db.models import FactPart, Item, RunFact, Workspace
from leitstand.errors import InvalidInput, Unavailable
from leitstand.events.ledger import IncomingEvent, record
from leitstand.identity.workspaces import ensure_workspace
from leitstand.insights import opening, report, steps, traffic
from leitstand.insights.copy.copier import copy_facts
from leitstand.insights.distributed.session import Cluster, TooLong, cluster_of
from leitstand.insights.opening import SurvivingFacts, open_facts
from leitstand.insights.scope import Scope, resolve
from leitstand.insights.sources import PostgresFacts
from leitstand.settings import Settings
from leitstand.telemetry.logs import get_logger
from tests.integration.insights.compared import compare_document, comparing
from tests.integration.insights.engines import answers, differing, distributed
from tests.integration.insights.truth import imported, truths
from tests.spark import WORKERS, SparkCluster, java, spark_cluster

pytestmark = [
    pytest.mark.long,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(java() is None, reason="no Java: apt-get install default-jre-headless"),
]
# Across changes of the clocks in Berlin (29 March) and Lord Howe (4 April).
BEGIN = datetime(2026, 3, 26, 21, tzinfo=UTC)
DAYS, CHANGED_DAYS = 12, 6
PATIENCE, BUSY = 60, 240
BY_LOCAL_TIME = [
    "traffic by hour", "traffic by week", "events by hour", "active users by day", "completions by day", "popular",
    "newcomers by week", "usage by month", "retention", "sessions by day",
]  # fmt: skip


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkCluster]:
    with spark_cluster(tmp_path_factory.mktemp("spark")) as started:
        yield started


@pytest.fixture
def chosen(settings: Settings, spark: SparkCluster) -> Settings:
    """Settings that choose the cluster, whose first answers may take long on a busy machine."""
    made = settings.model_copy(
        update={
            "insights_engine": "distributed",
            "insights_distributed_url": spark.url,
            "insights_distributed_token": SecretStr(spark.token),
        }
    )
    cluster_of(made).limit = BUSY
    return made


def whole(workspace_id: UUID) -> Scope:
    return Scope(workspace_id, None, date(2026, 3, 1), date(2026, 5, 1), "Europe/Berlin")


def some_events(companions: list[UUID], seed: int, count: int = 400, days: int = DAYS) -> list[IncomingEvent]:
    """Random events: runs in loops, sessions with and without pauses, visitors without a name, several versions."""
    draw = random.Random(seed)
    found = []
    for number in range(count):
        at = BEGIN + timedelta(
            days=draw.randrange(days),
            minutes=draw.randrange(0, 180, 7),
            microseconds=draw.choice([0, 333_333]),
        )
        found.append(
            IncomingEvent(
                event_id=derived_uuid7(at, f"{seed}-{number}".encode()),
                occurred_at=at,
                companion_id=draw.choice(companions),
                run_key=f"run-{draw.randrange(count // 6)}",
                step=draw.choice(["ask", "tell", "Émile", "it's \\ `so`", "done", ""]),
                kind=draw.choice(["viewed", "answered", "answered", "completed"]),
                actor_key=draw.choice(["ann", "bob", "Zed", "émile", f"a{draw.randrange(30)}", None]),
                flow_version=draw.choice([None, 1, 2]),
            )
        )
    return found


def send(session: Session, workspace_id: UUID, events: list[IncomingEvent]) -> None:
    record(session, workspace_id=workspace_id, events=events)
    session.commit()


@pytest.fixture
def facts(
    engine: Engine, session: Session, settings: Settings, workspace: Workspace, companions: list[UUID]
) -> UUID:
    """A workspace with days that are copied, and days that have changed since."""
    send(session, workspace.id, some_events(companions, 1))
    copy_facts(engine, settings, workspace=workspace.slug)
    send(session, workspace.id, some_events(companions, 2, 60, CHANGED_DAYS))
    return workspace.id


@pytest.mark.long
def test_both_workers_answer_every_question_as_postgresql_does(
    session: Session, chosen: Settings, facts: UUID, spark: SparkCluster
) -> None:
    before = spark.tasks_of_executors()
    scope = Scope(facts, None, date(2026, 3, 27), date(2026, 4, 8), "Europe/Berlin")
    assert differing(session, chosen, scope, engine=distributed) == {}
    assert len(spark.workers()) == WORKERS
    after = spark.tasks_of_executors()
    assert len(after) == WORKERS
    assert all(after[name] > before.get(name, 0) for name in after)


@pytest.mark.long
@pytest.mark.parametrize(
    ("companion", "start", "days", "zone"),
    [
        (0, date(2026, 4, 3), 4, "Australia/Lord_Howe"),
        # Ages of many weeks, and a month before the first event.
        (None, date(2026, 2, 20), 90, "America/New_York"),
    ],
)
def test_figures_by_local_time_agree_in_every_zone(
    session: Session,
    chosen: Settings,
    facts: UUID,
    companions: list[UUID],
    companion: int | None,
    start: date,
    days: int,
    zone: str,
) -> None:
    only = None if companion is None else companions[companion]
    scope = Scope(facts, only, start, start + timedelta(days=days), zone)
    assert differing(session, chosen, scope, BY_LOCAL_TIME, engine=distributed) == {}


@pytest.mark.long
def test_a_workspace_without_events_has_the_same_empty_answers(
    engine: Engine, session: Session, chosen: Settings, workspace: Workspace
) -> None:
    copy_facts(engine, chosen, workspace=workspace.slug)
    scope = Scope(workspace.id, None, date(2026, 3, 27), date(2026, 4, 8), "Europe/Berlin")
    assert (
        differing(session, chosen, scope, ["traffic", "completion", "steps", "popular"], engine=distributed)
        == {}
    )


@pytest.mark.long
def test_a_chosen_companions_and_a_named_step_mean_the_same(
    session: Session, chosen: Settings, facts: UUID, companions: list[UUID]
) -> None:
    scope = Scope(
        facts, None, date(2026, 3, 27), date(2026, 4, 8), "UTC", among=(companions[0], companions[2])
    )
    named = ["it's \\ `so`", "Émile", "done"]
    with distributed(chosen, facts) as cluster:
        for source in (cluster, session):
            assert traffic.totals(source, replace(scope, among=())) == traffic.Totals(0, 0, 0)
        assert traffic.totals(cluster, scope) == traffic.totals(session, scope)
        assert steps.steps(cluster, scope, named).equals(steps.steps(session, scope, named))
        with pytest.raises(InvalidInput):
            steps.steps(cluster, scope, ["' OR 1 = 1 --"])


def test_no_workspace_sees_rows_of_another(
    engine: Engine, session: Session, chosen: Settings, facts: UUID
) -> None:
    other = ensure_workspace(session, slug="other").id
    theirs = [ensure_companion(session, workspace_id=other, key="zebra")]
    session.commit()
    send(session, other, some_events(theirs, 3, 30))
    copy_facts(engine, chosen, workspace="other")
    everything = select(RunFact.workspace_id, func.count()).group_by(RunFact.workspace_id)
    titles = select(func.count()).select_from(Item)
    known = {it[0]: it[1] for it in session.execute(everything)}
    for workspace_id, companions in ((facts, 3), (other, 1)):
        with distributed(chosen, workspace_id) as cluster:
            # No condition on the workspace: there is nothing else to see.
            assert cluster.rows(everything).values == [(workspace_id, known[workspace_id])]
            assert cluster.rows(titles).values == [(companions,)]
    assert len(known) == 2


@pytest.mark.long
def test_the_truth_of_a_real_log_is_found_through_the_setting(
    engine: Engine, chosen: Settings, tmp_path: Path
) -> None:
    truth = min(truths(), key=lambda truth: truth.figures["events"])
    workspace_id = imported(engine, truth, tmp_path)
    copy_facts(engine, chosen, workspace="truth")
    with Session(engine) as session, comparing(truth) as compare:
        local = resolve(session, workspace_id=workspace_id)
        with open_facts(session, local, settings=chosen) as found:
            document = report.build(found, local)
            assert isinstance(found, SurvivingFacts)
            assert not isinstance(found._facts, PostgresFacts)
        compare_document(compare, truth, document)
    assert compare.count > 50


@pytest.mark.long
def test_parts_lie_in_the_shared_folder_and_views_of_past_states_go(
    session: Session, chosen: Settings, facts: UUID, companions: list[UUID], tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    elsewhere = chosen.model_copy(update={"insights_distributed_folder": str(shared)})
    cluster = cluster_of(chosen)

    def views() -> set[str]:
        return {it.name for it in cluster.spark.catalog.listTables() if facts.hex in it.name}

    with distributed(elsewhere, facts) as found:
        assert traffic.totals(found, whole(facts)) == traffic.totals(session, whole(facts))
    parts = session.scalars(select(FactPart.sha256).where(FactPart.replaced_at.is_(None)))
    assert {path.stem for path in shared.glob("*.parquet")} == set(parts)
    before = views()
    assert len(before) == 2
    send(session, facts, some_events(companions, 5, 10))
    with distributed(elsewhere, facts) as found:
        assert traffic.totals(found, whole(facts)) == traffic.totals(session, whole(facts))
    end = time.monotonic() + PATIENCE
    while views() & before:
        assert time.monotonic() < end, "the views of the past state stay"
        time.sleep(0.1)
    assert len(views()) == 2


@pytest.mark.long
def test_what_takes_too_long_is_stopped_and_the_session_goes_on(chosen: Settings) -> None:
    cluster = cluster_of(chosen)
    hurried = Cluster(cluster.spark, limit=1)
    with pytest.raises(TooLong):
        hurried.collected("SELECT count(*) FROM range(1000000) a CROSS JOIN range(1000000) b", {})
    assert cluster.collected("SELECT 1 AS one", {}).to_pylist() == [{"one": 1}]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"insights_distributed_url": ""}, "names no Spark Connect server"),
        ({"insights_distributed_url": "sc://127.0.0.1:1"}, "does not answer"),
        ({"insights_distributed_token": SecretStr("wrong")}, "cluster failed"),
    ],
)
def test_postgresql_answers_where_no_cluster_does(
    session: Session,
    chosen: Settings,
    facts: UUID,
    changed: dict[str, Any],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # One that was used before may write as an earlier configuration says, past what captures it.
    monkeypatch.setattr(opening, "log", get_logger("insights"))
    scope = whole(facts)
    with (
        capture_logs() as logs,
        open_facts(session, scope, settings=chosen.model_copy(update=changed)) as found,
    ):
        assert isinstance(found, PostgresFacts)
        assert traffic.totals(found, scope) == traffic.totals(session, scope)
    (warning,) = [it for it in logs if it["log_level"] == "warning"]
    assert said in warning["error"]
    assert "wrong" not in str(logs)


# The last one: it ends the server.
@pytest.mark.long
def test_postgresql_goes_on_where_the_server_is_lost_in_between(
    session: Session, chosen: Settings, facts: UUID, spark: SparkCluster
) -> None:
    scope = whole(facts)
    with open_facts(session, scope, settings=chosen) as found:
        assert isinstance(found, SurvivingFacts)
        assert traffic.totals(found, scope) == traffic.totals(session, scope)
        assert not isinstance(found._facts, PostgresFacts)
        lost = cluster_of(chosen)
        spark.server.kill()
        spark.server.wait()
        assert answers(found, scope, ["events by day"]) == answers(session, scope, ["events by day"])
        assert isinstance(found._facts, PostgresFacts)
    with pytest.raises(Unavailable):
        lost.collected("SELECT 1", {})
    with open_facts(session, scope, settings=chosen) as found:
        assert isinstance(found, PostgresFacts)
