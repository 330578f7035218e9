"""Flows on a real Prefect server and worker: schedules fire, work is done once, killed runs end."""

import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from pydantic import SecretStr
from sqlalchemy import Engine, func, select, text

from leitstand.checks.history import latest
from leitstand.cli.flow import group
from leitstand.db.engine import get_engine, transaction
from leitstand.db.models import Event, FlowExecution, IdempotencyKey, Workspace
from leitstand.db.models.base import new_id
from leitstand.embedded.postgres import Cluster
from leitstand.errors import InvalidInput, NotFound, Unavailable
from leitstand.events.partitions import list_partitions
from leitstand.jobs.metrics import PrefectCollector
from leitstand.jobs.prefect_api import PrefectApi
from tests.integration.flows.prefect_services import SCHEDULES, PrefectServices
from tests.services import cloned_database, free_base_port
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EVENTS = "session_id,actor_id,activity,timestamp\ns1,a,Cart,2026-03-01T10:00:00Z\n"
PASSWORD = "prefect-password"


@pytest.fixture(scope="module")
def prefect(
    cluster: Cluster, services: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrefectServices]:
    """Server and worker of one environment, with the schedules deployed and one workspace."""
    folder = tmp_path_factory.mktemp("prefect")
    with cloned_database(cluster, services) as base, pytest.MonkeyPatch.context() as patch:
        (folder / "schedules.toml").write_text(SCHEDULES)
        changes = {
            "data_dir": folder,
            "port": free_base_port(),
            "prefect_password": SecretStr(PASSWORD),
            "schedules_file": folder / "schedules.toml",
        }
        for name, value in changes.items():
            patch.setenv(f"LEITSTAND_{name.upper()}", PASSWORD if name == "prefect_password" else str(value))
        from leitstand.settings import get_settings

        get_settings.cache_clear()
        with transaction(get_engine()) as session:
            session.add(Workspace(slug="demo", name="Demo"))
        running = PrefectServices(base.model_copy(update=changes), cluster, folder)
        try:
            running.start_server()
            running.deploy("--crash-unfinished")
            running.start_worker()
            yield running
        finally:
            running.close()


@pytest.fixture
def api(prefect: PrefectServices) -> PrefectApi:
    return PrefectApi(prefect.settings)


def executions(flow: str, **wanted: object) -> list[FlowExecution]:
    with transaction(get_engine()) as session:
        statement = select(FlowExecution).filter_by(flow=flow, **wanted).order_by(FlowExecution.started_at)
        return list(session.scalars(statement))


def count(model: Any) -> int:
    with transaction(get_engine()) as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def lay(prefect: PrefectServices, name: str) -> Path:
    folder = prefect.settings.data_dir / "inbox" / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(EVENTS)
    os.utime(folder / name, (0, 0))
    return folder


def end_of(api: PrefectApi, run: str) -> str:
    wait_until(lambda: api.state_of(run).final)
    return api.state_of(run).name


def test_a_schedule_fires_and_its_flow_does_its_work(prefect: PrefectServices) -> None:
    folder = lay(prefect, "scheduled.csv")
    wait_until(lambda: executions("ingest-inbox", trigger="schedule", status="complete") and count(Event))
    execution = executions("ingest-inbox", trigger="schedule")[0]
    assert execution.scheduled_for.second == 0
    assert [path.name.split("-", 1)[1] for path in sorted((folder / "done").glob("*.csv"))] == [
        "scheduled.csv"
    ]
    lines = [json.loads(line) for line in prefect.log("worker").splitlines() if line.startswith("{")]
    done = next(line for line in lines if line["event"] == "flow done")
    assert done["flow"] == "ingest-inbox"
    assert done["request_id"] == done["flow_run"].replace("-", "")


@pytest.mark.long
def test_deploying_again_sends_nothing_and_doubles_nothing(prefect: PrefectServices, api: PrefectApi) -> None:
    before = schedules(api)
    assert '"sent": []' in prefect.deploy()
    prefect.settings.schedules_file.write_text(SCHEDULES.replace('cron = "15 2', 'cron = "16 2'))
    assert '"sent": ["backup-postgres"]' in prefect.deploy()
    assert schedules(api) == {**before, "backup-postgres": ["16 2 * * * UTC"]}
    assert before == {
        "ingest-inbox": ["* * * * * Asia/Kathmandu"],
        "backup-postgres": ["15 2 * * * UTC"],
        "data-checks": [],
        "keep-events": [],
        "inbox-by-hand": [],
    }
    automations = api._ask("POST", "/automations/filter", {})
    assert len({automation["name"] for automation in automations}) == len(automations) == 2


def schedules(api: PrefectApi) -> dict[str, list[str]]:
    found = api._ask("POST", "/deployments/filter", {})
    return {
        one["name"]: [
            f"{entry['schedule']['cron']} {entry['schedule']['timezone']}" for entry in one["schedules"]
        ]
        for one in found
    }


@pytest.mark.long
def test_a_deployment_that_the_schedules_no_longer_name_is_deleted(
    prefect: PrefectServices, api: PrefectApi
) -> None:
    prefect.settings.schedules_file.write_text(
        SCHEDULES + '[[deployment]]\nname = "passing"\nflow = "data_checks.check_data"\n'
    )
    prefect.deploy()
    assert "passing" in api.digests()
    prefect.settings.schedules_file.write_text(SCHEDULES)
    prefect.deploy()
    assert "passing" not in api.digests()


@pytest.mark.long
def test_a_flow_started_by_hand_carries_the_request_of_who_started_it(
    prefect: PrefectServices, api: PrefectApi
) -> None:
    result = CliRunner().invoke(group, ["run", "data-checks", "--wait", "--json"])
    document = json.loads(result.stdout)
    assert (result.exit_code, document["state"]) == (0, "Completed")
    # Of every table, of copies with facts, and of evidence with its chain.
    with transaction(get_engine()) as session:
        assert {run.suite for run in latest(session)} == {"all", "fact-copy", "evidence-chain"}
    assert [row.status for row in executions("data-checks", trigger="manual")] == ["complete"]
    lines = [json.loads(line) for line in prefect.log("worker").splitlines() if line.startswith("{")]
    ours = [line["event"] for line in lines if line.get("request_id") == document["request_id"]]
    assert {"flow started", "checks done", "flow done"} <= set(ours)


@pytest.mark.long
def test_the_coming_months_are_made_and_old_answers_forgotten(
    prefect: PrefectServices, api: PrefectApi
) -> None:
    old = datetime.now(UTC) - timedelta(hours=25)
    with transaction(get_engine()) as session:
        whose = {"workspace_id": session.scalars(select(Workspace.id)).one(), "principal_id": new_id()}
        kept = {"fingerprint": b"", "status": 200, "headers": {}, "body": b""}
        session.add_all(
            [
                IdempotencyKey(key="old", created_at=old, **whose, **kept),
                IdempotencyKey(key="new", **whose, **kept),
            ]
        )
    assert end_of(api, api.start("keep-events")) == "Completed"
    with transaction(get_engine()) as session:
        assert session.scalars(select(IdempotencyKey.key)).all() == ["new"]
        months = {partition.month for partition in list_partitions(session)}
    this = datetime.now(UTC).date().replace(day=1)
    following = (this + timedelta(days=32)).replace(day=1)
    assert {this, following, (following + timedelta(days=32)).replace(day=1)} <= months


@pytest.mark.long
def test_a_second_run_for_the_same_instant_is_skipped(prefect: PrefectServices, api: PrefectApi) -> None:
    deployment, _ = api.digests()["inbox-by-hand"]
    at = "2026-05-01T02:15:00+00:00"
    state = {"type": "SCHEDULED", "state_details": {"scheduled_time": at}}
    ends = []
    for _ in range(2):
        run = api._ask("POST", f"/deployments/{deployment}/create_flow_run", {"state": state})
        ends.append(end_of(api, run["id"]))
    assert ends == ["Completed", "Skipped"]


def test_flows_are_listed_with_their_runs(prefect: PrefectServices, api: PrefectApi) -> None:
    def flows() -> dict[str, dict[str, str]]:
        return {
            flow["name"]: flow
            for flow in json.loads(CliRunner().invoke(group, ["list", "--json"]).stdout)["flows"]
        }

    # The newest run may just be between being due and being taken up.
    wait_until(lambda: flows()["ingest-inbox"]["last_state"] and flows()["ingest-inbox"]["last_run"])
    listed = flows()
    assert listed["ingest-inbox"]["next_run"]
    assert (listed["backup-postgres"]["cron"], listed["backup-postgres"]["zone"]) == ("15 2 * * *", "UTC")
    assert "ingest-inbox" in CliRunner().invoke(group, ["list"]).stdout


def test_runs_that_stay_where_they_are_have_an_age(prefect: PrefectServices, api: PrefectApi) -> None:
    deployment = api.digests()["ingest-inbox"][0]
    pending = {"state": {"type": "PENDING"}}
    run = api._ask("POST", f"/deployments/{deployment}/create_flow_run", pending)["id"]
    try:
        # The schedule has runs of every minute then, which nobody has taken.
        ages = api.waiting_seconds(datetime.now(UTC) + timedelta(hours=1))
        (family,) = PrefectCollector(prefect.settings).collect()
    finally:
        cancelled = {"state": {"type": "CANCELLED"}, "force": True}
        api._ask("POST", f"/flow_runs/{run}/set_state", cancelled)
    assert ages["pending"] == pytest.approx(3600, abs=60)
    assert ages["late"] == pytest.approx(3600, abs=180)
    assert {sample.labels["state"] for sample in family.samples} == {"late", "pending", "cancelling"}


def test_what_can_not_be_started_is_said(prefect: PrefectServices, api: PrefectApi) -> None:
    with pytest.raises(NotFound, match="no-such"):
        api.start("no-such")
    with pytest.raises(InvalidInput, match="nonsense"):
        api.start("backup-postgres", {"kind": "nonsense"})
    with pytest.raises(Unavailable, match="password"):
        PrefectApi(prefect.settings.model_copy(update={"prefect_password": SecretStr("wrong")})).deployments()


@pytest.mark.long
def test_a_run_outlives_a_server_that_is_killed_and_comes_back(
    prefect: PrefectServices, api: PrefectApi, engine_of_module: Engine
) -> None:
    with held_up(engine_of_module):
        run = api.start("data-checks")
        wait_until(lambda: executions("data-checks", flow_run=run, status="running"))
        time.sleep(3)
        prefect.kill("server")
        prefect.start_server()
        wait_until(api.healthy)
    assert end_of(api, run) == "Completed"


@pytest.mark.long
def test_a_run_whose_worker_was_killed_crashes_and_the_next_goes_on(
    prefect: PrefectServices, api: PrefectApi, engine_of_module: Engine
) -> None:
    with held_up(engine_of_module):
        run = api.start("data-checks")
        wait_until(lambda: executions("data-checks", flow_run=run, status="running"))
        prefect.kill("worker")
    prefect.deploy("--crash-unfinished")
    assert api.state_of(run).name == "Crashed"
    assert [row.status for row in executions("data-checks", flow_run=run)] == ["crashed"]
    prefect.start_worker()
    assert end_of(api, api.start("data-checks")) == "Completed"


@pytest.mark.long
def test_without_help_a_killed_run_crashes_when_its_heartbeat_is_missed(
    prefect: PrefectServices, api: PrefectApi, engine_of_module: Engine
) -> None:
    with held_up(engine_of_module):
        run = api.start("data-checks")
        wait_until(lambda: executions("data-checks", flow_run=run, status="running"))
        time.sleep(2)
        prefect.kill("worker")
    prefect.start_worker()
    wait_until(lambda: api.state_of(run).final, limit=200)
    assert api.state_of(run).name == "Crashed"


def test_the_worker_ends_when_it_is_told_to(prefect: PrefectServices) -> None:
    prefect.kill("worker", signal.SIGTERM)
    prefect.start_worker()


@pytest.mark.long
@pytest.mark.fault(30)
def test_what_waited_while_prefect_was_down_is_done_once(prefect: PrefectServices, api: PrefectApi) -> None:
    """The instants that its scheduler has made are set back by a day, as if nobody had been there to run them."""
    waiting = "FROM flow_run JOIN deployment ON deployment.id = deployment_id WHERE deployment.name = 'ingest-inbox'"
    with psycopg.connect(prefect.cluster.conninfo(prefect.database), autocommit=True) as connection:
        made = f"SELECT count(*) {waiting} AND flow_run.state_type = 'SCHEDULED' AND auto_scheduled"
        wait_until(lambda: connection.execute(made).fetchone()[0] > 5)  # type: ignore[index]
        prefect.kill("worker", signal.SIGTERM)
        connection.execute(
            "UPDATE flow_run SET expected_start_time = expected_start_time - interval '1 day',"
            " next_scheduled_start_time = next_scheduled_start_time - interval '1 day'"
            f" WHERE state_type = 'SCHEDULED' AND auto_scheduled AND flow_run.id IN (SELECT flow_run.id {waiting})"
        )
        late = connection.execute(
            "SELECT flow_run.id::text, expected_start_time "
            + waiting
            + " AND flow_run.state_type = 'SCHEDULED'"
            " AND expected_start_time < now() - interval '1 hour' ORDER BY expected_start_time"
        ).fetchall()
    assert len(late) > 2
    prefect.deploy("--crash-unfinished")
    older = [run for run, _ in late[:-1]]
    # Prefect's own service may mark a run as late in the moment in which it is cancelled, and so bring it back.
    assert {api.state_of(run).name for run in older} - {"Late"} == {"Cancelled"}
    assert not api.state_of(late[-1][0]).final
    prefect.start_worker()
    newest, at = late[-1]
    assert end_of(api, newest) == "Skipped", "by now the schedule has instants that are newer still"
    assert {end_of(api, run) for run in older} <= {"Cancelled", "Skipped"}
    assert [row.status for row in executions("ingest-inbox", scheduled_for=at)] == ["skipped"]


@pytest.fixture
def engine_of_module(prefect: PrefectServices) -> Engine:
    return get_engine()


class held_up:  # noqa: N801 - reads as a phrase
    """The ledger locked, so that the data checks wait in the middle of their work."""

    def __init__(self, engine: Engine) -> None:
        self.connection = engine.connect()

    def __enter__(self) -> None:
        self.connection.execute(text("LOCK TABLE event IN ACCESS EXCLUSIVE MODE"))

    def __exit__(self, *_: object) -> None:
        self.connection.rollback()
        self.connection.close()
