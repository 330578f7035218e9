"""Runbooks as JSON: the list, starting, resuming, signing; a token may not sign."""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from leitstand.db.models import Drill
from leitstand.runbooks.actions import may_begin
from tests.integration.api.conftest import Caller, Program
from tests.runbooks import NAME, Bench, bench, current

__all__ = ["bench", "current"]
JOBS = text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'operations.runbook'")


def test_a_runbook_says_when_it_is_for_and_what_it_asks_for(call: Caller, current: Bench) -> None:
    current.write()
    (listed,) = call("GET", "/runbooks").json()
    assert (listed["number"], listed["name"]) == ("rb900", NAME)
    assert listed["when"] == "When the bench wobbles."
    assert listed["parameters"][0] == {
        "name": "greeting",
        "type": "text",
        "default": "hello",
        "help": "what it says",
    }
    assert call("GET", f"/runbooks/{NAME}").json() == listed
    assert call("GET", "/runbooks/none").status_code == 404


def test_what_is_started_waits_and_nothing_else_is(call: Caller, current: Bench, session: Session) -> None:
    current.write()
    address = f"/runbooks/{NAME}"
    for body in (
        {"parameters": {"greting": "x"}},
        {"parameters": {"dry_run": False}},
        {"parameters": {"dry_run": False, "plan_sha256": "0" * 64}},
        {"parameters": {}, "confirmed": "x"},
    ):
        assert call("POST", address, body).status_code == 422
    run_id = call("POST", address, {"parameters": {"greeting": "moin"}}).json()["run_id"]
    assert call("POST", address, {}).status_code == 409
    run = call("GET", f"/runbook-runs/{run_id}").json()
    assert (run["status"], run["parameters"], run["resumable"]) == ("waiting", {"greeting": "moin"}, False)
    assert [one["id"] for one in call("GET", "/runbook-runs").json()] == [run_id]
    assert call("POST", f"/runbook-runs/{run_id}/signatures", {"note": "fine"}).status_code == 409
    assert call("POST", f"/runbook-runs/{run_id}/resume", {}).status_code == 409
    assert session.scalar(JOBS) == 1


def test_an_interrupted_run_is_resumed(call: Caller, current: Bench, session: Session) -> None:
    current.write()
    row = Drill(kind=NAME, category="runbook", status="interrupted", parameters={"greeting": "x"})
    session.add(row)
    session.commit()
    assert call("GET", f"/runbook-runs/{row.id}").json()["resumable"] is True
    answer = call("POST", f"/runbook-runs/{row.id}/resume", {})
    assert answer.status_code == 202 and answer.json()["run_id"] != str(row.id)
    waiting = session.get_one(Drill, UUID(answer.json()["run_id"]))
    assert (waiting.status, waiting.resumed_from, waiting.lineage) == ("waiting", row.id, row.id)
    assert call("POST", f"/runbook-runs/{row.id}/resume", {}).status_code == 409, "another goes on with it"


def test_a_run_whose_job_is_gone_does_not_block_its_runbook(
    call: Caller, current: Bench, session: Session
) -> None:
    current.write()
    address = f"/runbooks/{NAME}"
    first = call("POST", address, {}).json()["run_id"]
    assert call("POST", address, {}).status_code == 409
    session.execute(text("UPDATE procrastinate_jobs SET status = 'cancelled'"))
    session.commit()
    run = call("GET", f"/runbook-runs/{first}").json()
    assert (run["status"], run["resumable"]) == ("interrupted", True)
    assert call("POST", f"/runbook-runs/{first}/resume", {}).status_code == 202
    assert call("POST", address, {}).status_code == 409, "the one that goes on with it waits"
    assert not may_begin(session, first), "not even if its job is retried"


def test_it_takes_the_permission_and_a_person(
    call_as: Callable[[str], Caller], program: Callable[..., Program], current: Bench, session: Session
) -> None:
    current.write()
    assert call_as("analyst")("POST", f"/runbooks/{NAME}", {}).status_code == 403
    row = Drill(kind=NAME, category="runbook", status="passed")
    session.add(row)
    session.commit()
    token = program("operations:read", "runbook:run")
    refused = token("POST", f"/runbook-runs/{row.id}/signatures", {"note": "fine"})
    assert refused.status_code == 403 and "token" in refused.text


def test_the_chain_is_audited(call: Caller, current: Bench) -> None:
    current.storage.ensure_buckets()
    assert call("GET", "/runbook-audit").json() == {"ok": True, "links": 0, "waiting": 0, "problems": []}
