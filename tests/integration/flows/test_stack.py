"""Flows, checks, jobs and health in the whole environment."""

import json
import time
from typing import Any

import pytest

from leitstand.services import SERVICES
from tests.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.timeout(900)]
FIRES_WITHIN = 300.0
# A machine at full load may miss the two seconds that a probe has.
SETTLES_WITHIN = 60.0


def flows(stack: Stack) -> dict[str, dict[str, Any]]:
    return {flow["name"]: flow for flow in json.loads(stack.run("flow", "list", "--json").stdout)["flows"]}


def run_flow(stack: Stack, name: str) -> str:
    """How a flow started by hand ended; once more where its own schedule came first, since two never run at once."""
    for _ in range(2):
        done = stack.run("flow", "run", name, "--wait", "--json", check=False, timeout=600)
        assert done.stdout, done.stderr
        state = str(json.loads(done.stdout)["state"])
        if state != "Cancelled":
            break
    return state


def test_every_service_is_up(stack: Stack) -> None:
    deadline = time.monotonic() + SETTLES_WITHIN
    while not (document := json.loads(stack.run("health", "--json", check=False).stdout))["ok"]:
        assert time.monotonic() < deadline, document
        time.sleep(1)
    assert [service["name"] for service in document["services"]] == [service.name for service in SERVICES]
    assert {service["state"] for service in document["services"]} == {"up"}


@pytest.mark.usefixtures("drill_turn")
@pytest.mark.parametrize(
    "name",
    [
        "backup-postgres",
        *(
            pytest.param(name, marks=pytest.mark.long)
            for name in ("drill-postgres-latest", "backup-objects", "backup-secrets", "drill-secrets-decrypt")
        ),
    ],
)
def test_backups_and_drill_run_as_flows(stack: Stack, name: str) -> None:
    assert run_flow(stack, name) == "Completed"


@pytest.mark.long
def test_the_data_of_the_demo_passes_every_check(stack: Stack) -> None:
    document = json.loads(stack.run("checks", "run", "--json").stdout)
    assert (document["success"], document["failed"]) == (True, 0)
    assert document["evaluated"] > 100


def test_no_job_has_failed(stack: Stack) -> None:
    document = json.loads(stack.run("worker", "jobs", "--json").stdout)
    assert document["queue"]["failed"] == 0, document["jobs"]


@pytest.mark.long
def test_every_flow_is_scheduled_and_one_has_run_from_its_schedule(stack: Stack) -> None:
    """Last: by now its time has come."""
    deadline = time.monotonic() + FIRES_WITHIN
    while (found := flows(stack))["ingest-inbox"]["last_state"] != "Completed":
        assert time.monotonic() < deadline, found["ingest-inbox"]
        # Each question is a command of its own, on a machine with much to do.
        time.sleep(10)
    assert all(flow["cron"] and flow["zone"] and flow["next_run"] for flow in found.values())
    assert {
        "backup-postgres",
        "backup-objects",
        "backup-secrets",
        "archive-events",
        "copy-facts",
        "data-checks",
        "data-checks-nightly",
        "drill-full-environment",
        "drill-objects-sample",
        "drill-postgres-latest",
        "drill-postgres-random-time",
        "drill-secrets-decrypt",
    } <= set(found)
