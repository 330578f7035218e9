"""What every flow does around its work, without a Prefect server."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest
import structlog
from prefect.client.schemas.objects import StateType
from prefect.states import Completed, Failed
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from flows import data_checks, ingest_events
from flows.execution import Run, current_run, once, worth_retrying
from leitstand.checks.run import CheckResult
from leitstand.db.models import FlowExecution
from leitstand.errors import IntegrityFailed, InvalidInput, Unavailable
from leitstand.events.inbox import InboxResult

RUN = UUID("01a20a80-b0b7-7384-826b-d86acfc71d1b")
# The coming instant of the nightly schedule: one before the last would make way for it, and the suite may run past it.
AT = datetime.now(UTC).replace(hour=2, minute=15, second=0, microsecond=0) + timedelta(days=1)


@contextmanager
def going_on(
    monkeypatch: pytest.MonkeyPatch, *, run: UUID = RUN, scheduled: bool = True, tags: tuple[str, ...] = ()
) -> Iterator[None]:
    """A flow run as Prefect would say it."""
    import flows.execution as module

    flow_run = SimpleNamespace(id=run, expected_start_time=AT, auto_scheduled=scheduled, tags=list(tags))
    monkeypatch.setattr(
        module, "FlowRunContext", SimpleNamespace(get=lambda: SimpleNamespace(flow_run=flow_run))
    )
    monkeypatch.setattr(module, "_deployment_name", lambda: "backup-postgres")
    yield


def executions(session: Session) -> list[FlowExecution]:
    session.expire_all()
    return list(session.scalars(select(FlowExecution)))


def test_the_run_is_known_by_its_deployment_its_instant_and_its_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with going_on(monkeypatch):
        assert current_run("backup") == Run("backup-postgres", str(RUN), AT, "schedule", RUN.hex, "")
    with going_on(monkeypatch, scheduled=False, tags=("leitstand", "request:abc-12345678", "trace:00-x")):
        run = current_run("backup")
        assert (run.trigger, run.request_id, run.traceparent) == ("manual", "abc-12345678", "00-x")


def test_work_is_done_once_an_instant_and_the_second_run_ends_as_skipped(
    engine: Engine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    with going_on(monkeypatch):
        assert once("backup", lambda: done.append("first") or "result") == "result"
    with going_on(monkeypatch, run=UUID(int=5)):
        state = once("backup", lambda: done.append("second"))
    assert (state.type, state.name) == (StateType.COMPLETED, "Skipped")
    assert done == ["first"]
    assert [(row.flow, row.scheduled_for, row.status, row.trigger) for row in executions(session)] == [
        ("backup-postgres", AT, "complete", "schedule")
    ]


def test_what_the_work_raises_is_kept_and_the_next_run_of_that_instant_does_it(
    engine: Engine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise Unavailable("The store does not answer.")

    with going_on(monkeypatch), pytest.raises(Unavailable):
        once("backup", fails)
    assert [(row.status, row.error) for row in executions(session)] == [
        ("failed", "The store does not answer.")
    ]
    with going_on(monkeypatch, run=UUID(int=5)):
        assert once("backup", lambda: 7) == 7


def test_every_log_line_of_the_work_carries_request_and_run(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with going_on(monkeypatch, tags=("request:abc-12345678",)):
        once("backup", lambda: structlog.get_logger("core").info("deep inside"))
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    inside = next(line for line in lines if line["event"] == "deep inside")
    assert (inside["request_id"], inside["flow_run"], inside["flow"], inside["service"]) == (
        "abc-12345678",
        str(RUN),
        "backup-postgres",
        "flows",
    )
    assert {"flow started", "flow done"} <= {line["event"] for line in lines}


def test_outside_of_prefect_a_flow_is_a_run_of_its_own(engine: Engine, session: Session) -> None:
    once("backup", lambda: None)
    once("backup", lambda: None)
    assert [(row.flow, row.trigger, row.status) for row in executions(session)] == [
        ("backup", "manual", "complete")
    ] * 2


def test_only_what_trying_again_may_mend_is_tried_again() -> None:
    assert worth_retrying(None, None, Failed(data=Unavailable("x")))
    assert not worth_retrying(None, None, Failed(data=InvalidInput("x")))
    assert worth_retrying(None, None, Completed(data=1))


def test_a_file_that_was_moved_aside_fails_the_ingest(
    engine: Engine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = [InboxResult("demo", "a.csv", True, "", {}), InboxResult("demo", "b.csv", False, "", {})]
    monkeypatch.setattr(ingest_events, "scan_inbox", lambda: [result.to_dict() for result in results])
    with pytest.raises(InvalidInput, match=r"demo/b\.csv"):
        ingest_events.ingest_inbox.fn()
    assert [row.status for row in executions(session)] == ["failed"]


def test_a_check_that_does_not_hold_fails_the_flow_and_is_named(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = {"name": "runs-equal-events", "success": False}
    result = CheckResult(False, 1, 1, [check], "c", "live", 0.1)
    monkeypatch.setattr(data_checks, "run_checks_of", lambda _: result.to_dict())
    # The task as it is; as a task it would start a server of Prefect's own for this one call.
    monkeypatch.setattr(data_checks, "check_copies_of", data_checks.check_copies_of.fn)
    with pytest.raises(IntegrityFailed, match="runs-equal-events"):
        data_checks.check_data.fn("ingestion")
