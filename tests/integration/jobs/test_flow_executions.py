"""One execution of a flow for one instant."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.db.engine import transaction
from leitstand.db.models import FlowExecution
from leitstand.jobs.flow_executions import claim, crash_running, finish

AT = datetime(2026, 5, 1, 2, 15, tzinfo=UTC)


def take(session: Session, run: str, at: datetime = AT) -> bool:
    return claim(session, flow="backup", scheduled_for=at, flow_run=run, trigger="schedule")


def end(session: Session, run: str, error: str = "") -> None:
    finish(session, flow="backup", scheduled_for=AT, flow_run=run, error=error)


def row(session: Session) -> FlowExecution:
    session.flush()
    session.expire_all()
    return session.get_one(FlowExecution, ("backup", AT))


def test_a_doubled_schedule_does_its_work_once(session: Session) -> None:
    assert take(session, "a")
    assert not take(session, "b")
    end(session, "a")
    assert not take(session, "b")
    assert (row(session).status, row(session).flow_run) == ("complete", "a")
    assert take(session, "b", AT.replace(day=2))


def test_of_many_at_once_one_wins(engine: Engine) -> None:
    def one(number: int) -> bool:
        with transaction(engine) as session:
            return take(session, str(number))

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(one, range(8))) == [False] * 7 + [True]


def test_a_run_that_is_retried_has_its_instant_again_unless_it_was_done(session: Session) -> None:
    assert take(session, "a")
    assert take(session, "a")
    end(session, "a")
    assert not take(session, "a")


def test_a_failed_execution_can_be_taken_over(session: Session) -> None:
    take(session, "a")
    end(session, "a", error="The store does not answer.")
    assert (row(session).status, row(session).error) == ("failed", "The store does not answer.")
    assert take(session, "b")
    assert (row(session).status, row(session).flow_run, row(session).error) == ("running", "b", "")
    end(session, "a", error="late")
    assert row(session).status == "running"


@pytest.mark.parametrize(("hours", "status"), [(13, "crashed"), (11, "running")])
def test_an_execution_that_never_ended_has_crashed_after_a_while(
    session: Session, hours: int, status: str
) -> None:
    take(session, "a")
    session.execute(
        text("UPDATE flow_execution SET started_at = now() - make_interval(hours => :hours)"),
        {"hours": hours},
    )
    assert take(session, "b", AT.replace(day=2))
    assert row(session).status == status
    assert take(session, "c") is (status == "crashed")


def test_what_was_going_on_when_the_environment_ended_has_crashed(session: Session) -> None:
    take(session, "a")
    crash_running(session, AT)
    assert row(session).status == "running"
    crash_running(session, datetime.now(UTC) + timedelta(seconds=1))
    assert row(session).status == "crashed"
