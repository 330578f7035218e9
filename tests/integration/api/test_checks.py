"""Data checks over the API."""

from collections.abc import Callable

from sqlalchemy import Engine

from leitstand.settings import Settings
from tests.integration.api.conftest import Caller, Program
from tests.integration.checks.test_history import kept, result


def test_suites_and_runs_are_told(call: Caller, engine: Engine, settings: Settings) -> None:
    kept(engine, settings, result(failing="runs"), hours=1)
    first, *others = call("GET", "/checks").json()
    assert (first["name"], first["state"], first["last"]["failed"]) == ("runs", "failed", 1)
    assert {suite["state"] for suite in others} == {"passed", "never"}
    (run,) = call("GET", "/check-runs").json()
    assert (run["suite"], run["target"], run["violated"]) == ("all", "live", ["runs-rule"])
    assert call("GET", "/check-runs?target=elsewhere").json() == []
    assert call("GET", "/check-runs").json()[0]["evaluated"] == 2
    assert call("GET", "/checks/events").json()["last"]["results"][0]["success"]
    assert call("GET", "/checks/nonsense").status_code == 404
    summary = call("GET", "/operations").json()
    assert summary["checks"][0]["suite"] in ("events", "runs") and summary["chain"]["length"] == 0


def test_a_run_needs_its_permission(
    call: Caller, call_as: Callable[[str], Caller], program: Callable[..., Program]
) -> None:
    assert call("POST", "/checks", {"suite": "all"}).status_code == 202
    assert call("POST", "/checks", {"suite": "all"}).status_code == 409
    assert call("POST", "/checks", {"suite": "nonsense"}).status_code == 422
    assert call_as("analyst")("GET", "/checks").status_code == 403
    assert program("operations:read")("POST", "/checks", {"suite": "people"}).status_code == 403
    assert program("check:run")("POST", "/checks", {"suite": "people"}).status_code == 202
