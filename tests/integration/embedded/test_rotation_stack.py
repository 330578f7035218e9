"""Runbook rb030 on a running environment of its own: every secret replaced while people use it."""

import base64
import json
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from leitstand.embedded.credentials import LASTING
from leitstand.embedded.environment import Environment
from leitstand.embedded.programs import settings_of
from leitstand.embedded.rotation_units import pair_fits, password_fits
from leitstand.storage.objects import ObjectStorage
from tests.rotating import monkeypatch_module
from tests.stack import Stack, start_stack, stop_stack

__all__ = ["monkeypatch_module"]
pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(1200)]
NAME = "secrets-lost-or-leaked"
DECIDED = ["-p", "decided_by=Olga Operator"]


@pytest.fixture(scope="module")
def own(monkeypatch_module: pytest.MonkeyPatch) -> Iterator[Stack]:
    stack = start_stack()
    try:
        yield stack
    finally:
        stop_stack(stack)


def secrets(stack: Stack) -> dict[str, str]:
    return {path.name: path.read_text() for path in (stack.folder / "secrets").iterdir()}


def prefect_says(stack: Stack, password: str) -> int:
    address = urlsplit(stack.address_of("prefect"))
    login = base64.b64encode(f"admin:{password}".encode()).decode()
    connection = HTTPConnection(str(address.hostname), address.port, timeout=20)
    connection.request("GET", "/prefect/api/admin/version", headers={"Authorization": f"Basic {login}"})
    return connection.getresponse().status


def evidence(stack: Stack, address: str) -> str:
    place = urlsplit(address)
    storage = ObjectStorage(settings_of(Environment(stack.folder, stack.port)))
    return storage.get_bytes(place.netloc, place.path.lstrip("/")).decode()


@pytest.mark.long
def test_it_is_a_dry_run_until_the_plan_and_the_name_are_given(own: Stack) -> None:
    before = secrets(own)
    dry = own.json("runbook", "run", NAME)
    assert dry["ok"] and dry["figures"]["for_real"] is False, dry["error"]
    plan = dry["figures"]["plan"]["sha256"]
    assert plan in evidence(own, dry["html"]), "the operator reads what to give"
    for arguments in (
        ["-p", f"plan_sha256={plan}", *DECIDED],
        [*DECIDED, "--yes", "embedded"],
        ["-p", f"plan_sha256={plan}", "--yes", "embedded"],
        ["-p", f"plan_sha256={plan}", *DECIDED, "--yes", "production"],
        ["-p", f"plan_sha256={'0' * 64}", *DECIDED, "--yes", "embedded"],
    ):
        refused = own.json("runbook", "run", NAME, "-p", "dry_run=false", *arguments, check=False)
        assert not refused["ok"] and refused["figures"]["for_real"] is False
    assert secrets(own) == before


@pytest.mark.long
def test_everything_is_replaced_and_everything_runs_on(own: Stack) -> None:
    here, before = Environment(own.folder, own.port), secrets(own)
    plan = own.json("runbook", "run", NAME)["figures"]["plan"]
    arguments = ["-p", "dry_run=false", "-p", f"plan_sha256={plan['sha256']}", *DECIDED]
    done = own.json("runbook", "run", NAME, *arguments, "--yes", plan["target"], timeout=600)
    assert done["ok"] and done["figures"]["for_real"], done["error"]
    proven = {check["name"]: check["verdict"] for check in done["checks"]}
    assert {proven[name] for name in ("database", "objects", "session", "prefect", "backup-key")} == {
        "passed"
    }
    after = secrets(own)
    assert {name for name, value in before.items() if after[name] == value} == {
        f"leitstand_{name}" for name in LASTING
    }
    assert not password_fits(here, before["leitstand_database_password"])
    assert not pair_fits(here, before["leitstand_s3_access_key"], before["leitstand_s3_secret_key"])
    assert prefect_says(own, before["leitstand_prefect_password"]) == 401
    assert prefect_says(own, after["leitstand_prefect_password"]) == 200
    assert own.json("status")["ok"]
    text = evidence(own, done["notebook"]) + evidence(own, done["html"]) + json.dumps(done)
    assert not [name for name, value in [*before.items(), *after.items()] if value and value in text]


@pytest.mark.long
def test_work_goes_on_with_the_new_ones(own: Stack) -> None:
    assert own.json("secrets", "verify")["ok"]
    assert own.json("drill", "run", "secrets-decrypt")["ok"]
    assert own.json("drill", "chain")["ok"], "the evidence from before and after is one chain"
    assert own.json("flow", "run", "backup-changed-secrets", "--wait")["state"] == "Completed"


@pytest.mark.long
def test_one_that_is_killed_is_finished_by_the_next_start(own: Stack) -> None:
    from tests.faults.test_rotation_kill import KILLED
    from tests.rotating import Rotating

    rotating = Rotating(Environment(own.folder, own.port))
    before = secrets(own)
    assert rotating.run("-c", KILLED, "database", "password changed").returncode < 0
    own.run("down")
    own.run("up", "--detach", timeout=400)
    assert secrets(own)["leitstand_database_password"] != before["leitstand_database_password"]
    assert own.json("status")["ok"] and own.json("secrets", "verify")["ok"]
