"""What a new user does on a whole environment: import, report, drill, schedules, health."""

import json
import time
from pathlib import Path

import httpx
import pytest

from leitstand.settings import REPOSITORY
from tests.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.slow]

EVENTS = REPOSITORY / "demo" / "events"
COMPLETIONS = {"hospital-billing": ["BILLED"], "web-access-log": [], "irc-conversations-train": []}
SCHEDULE_PATIENCE = 240


def _json(stack: Stack, *arguments: str) -> dict[str, object]:
    done = stack.run(*arguments)
    assert done.returncode == 0, done.stderr[-2000:]
    document: dict[str, object] = json.loads(done.stdout)
    return document


# The other logs are compared in `long`: their figures are those of `tests/integration/insights` as well.
NAMES = [
    name if name == "web-access-log" else pytest.param(name, marks=pytest.mark.long) for name in COMPLETIONS
]


@pytest.mark.parametrize("name", NAMES)
def test_an_imported_log_gives_the_figures_of_its_truth(stack: Stack, name: str) -> None:
    truth = json.loads((EVENTS / name / "truth.json").read_text())
    complete = [part for value in COMPLETIONS[name] for part in ("--complete", value)]
    workspace = f"slice-{name}"
    file = str(EVENTS / name / "events.csv.gz")
    first = _json(stack, "events", "import", file, "--workspace", workspace, *complete, "--json")
    again = _json(stack, "events", "import", file, "--workspace", workspace, *complete, "--json")
    assert (first["accepted"], again["accepted"]) == (truth["events"], 0)

    report = _json(
        stack, "insights", "report", "--workspace", workspace, "--zone", truth["local_timezone"], "--json"
    )
    assert report["events"] == truth["events"]
    assert report["active_users"] == truth["actors"]
    assert report["sessions"] == truth["project_definitions"]["sessions_30min"]
    runs = report["runs"]
    assert isinstance(runs, dict)
    assert runs["started"] == truth["sessions"]
    if complete:
        assert runs["completed"] == truth["completion"]["completed"]


@pytest.mark.usefixtures("drill_turn")
@pytest.mark.long
def test_a_drill_proves_the_newest_backup(stack: Stack) -> None:
    drill = _json(stack, "drill", "run", "postgres-latest", "--json")
    assert drill["ok"] is True
    assert float(str(drill["rpo_seconds"])) >= 0
    assert float(str(drill["rto_seconds"])) > 0
    assert str(drill["notebook"]).startswith("s3://")
    listed = json.loads(stack.run("drill", "list", "--json").stdout)
    assert json.dumps(listed).count(str(drill["notebook_sha256"])) >= 1


@pytest.mark.long
def test_a_schedule_has_fired_by_itself(stack: Stack) -> None:
    """One flow execution was started by Prefect's scheduler, not by hand."""
    deadline = time.monotonic() + SCHEDULE_PATIENCE
    while True:
        listed = json.loads(stack.run("flow", "list", "--json").stdout)
        text = json.dumps(listed)
        if '"last_run": "2' in text:
            return
        assert time.monotonic() < deadline, text
        time.sleep(5)


def test_every_service_is_up_and_within_its_targets(stack: Stack) -> None:
    status = _json(stack, "status", "--json")
    assert "down" not in json.dumps(status)
    for path in ("/_proxy/health", "/livez"):
        assert httpx.get(f"{stack.base_url}{path}").status_code == 200


def test_a_second_start_changes_nothing(stack: Stack) -> None:
    before = sorted((Path(stack.data_dir) / "secrets").iterdir())
    contents = [path.read_bytes() for path in before]
    again = stack.run("up", "--detach")
    assert again.returncode == 0
    assert [path.read_bytes() for path in before] == contents
