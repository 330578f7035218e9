"""What every flow does around its work: its identity in every log line, and one execution an instant."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.states import Completed

from flows.schedules import load, next_instant
from leitstand.db.engine import get_engine, transaction
from leitstand.errors import LeitstandError
from leitstand.jobs import flow_executions
from leitstand.jobs.failures import PERMANENT, reason_of
from leitstand.jobs.prefect_api import REQUEST_TAG, TRACE_TAG
from leitstand.settings import get_settings
from leitstand.telemetry.context import bound
from leitstand.telemetry.logs import configure_logging, get_logger

SERVICE = "flows"
SCHEDULE, MANUAL = "schedule", "manual"

log = get_logger(SERVICE)


@dataclass(frozen=True)
class Run:
    """One run of a flow.

    Args:
        flow: the deployment's name, or the flow's where it was called directly.
        flow_run: Prefect's id of the run.
        scheduled_for: the instant that its schedule names.
        trigger: "schedule" or "manual".
        request_id, traceparent: of the work that started it; else of its own.
    """

    flow: str
    flow_run: str
    scheduled_for: datetime
    trigger: str
    request_id: str
    traceparent: str


def current_run(flow: str) -> Run:
    """The run that is going on; outside of Prefect (a test, a shell) one made up for this call.

    Args:
        flow: name to use where there is no deployment.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None:
        return Run(flow, str(uuid4()), datetime.now(UTC), MANUAL, "", "")
    return Run(
        flow=_deployment_name() or flow,
        flow_run=str(run.id),
        scheduled_for=_instant(run.expected_start_time),
        trigger=SCHEDULE if run.auto_scheduled else MANUAL,
        request_id=_tagged(run.tags, REQUEST_TAG) or run.id.hex,
        traceparent=_tagged(run.tags, TRACE_TAG),
    )


def _deployment_name() -> str:
    from prefect.runtime import deployment

    name = deployment.name
    return name if isinstance(name, str) else ""


def _instant(value: Any) -> datetime:
    """Prefect gives its times as datetime or, with newer Python, as another library's."""
    return datetime.fromisoformat(value.isoformat()).astimezone(UTC) if value else datetime.now(UTC)


def _tagged(tags: list[str], prefix: str) -> str:
    return next((tag.removeprefix(prefix) for tag in tags if tag.startswith(prefix)), "")


def once[Result](flow: str, work: Callable[[], Result]) -> Result | State[Any]:
    """Do `work`, unless another run has done it for this instant or a later one is due; it then ends as Skipped.

    Args:
        flow: name of the flow, where it runs without a deployment.
        work: calls the flow's tasks and gives what the flow gives.
    """
    run = current_run(flow)
    configure_logging(SERVICE, get_settings().log_level)
    with bound(run.request_id, run.traceparent or None, flow=run.flow, flow_run=run.flow_run):
        if later := superseded_by(run, datetime.now(UTC)):
            return _skipped(run, f"The instant {later.isoformat()} of this schedule is due already.")
        with transaction(get_engine()) as session:
            mine = flow_executions.claim(
                session,
                flow=run.flow,
                scheduled_for=run.scheduled_for,
                flow_run=run.flow_run,
                trigger=run.trigger,
            )
        if not mine:
            log.info("another run has this instant", scheduled_for=run.scheduled_for.isoformat())
            return Completed(name="Skipped", message="Another run does the work of this instant.")
        return _carried_out(run, work)


def superseded_by(run: Run, now: datetime) -> datetime | None:
    """The next instant of a scheduled run's schedule, where it is due already: then that run does the work.

    After a day without Prefect all the instants of that day come at once; the newest is enough.
    """
    if run.trigger != SCHEDULE:
        return None
    try:
        entries = load(get_settings().schedules_file)
    except LeitstandError:
        return None  # the schedules were changed for the worse; better done late than not at all
    cron = next(
        ((entry.cron, entry.zone) for entry in entries if entry.name == run.flow and entry.cron), None
    )
    following = next_instant(*cron, after=run.scheduled_for) if cron else None
    return following if following and following <= now else None


def _skipped(run: Run, reason: str) -> State[Any]:
    log.info("flow skipped", reason=reason, scheduled_for=run.scheduled_for.isoformat())
    with transaction(get_engine()) as session:
        flow_executions.skip(
            session,
            flow=run.flow,
            scheduled_for=run.scheduled_for,
            flow_run=run.flow_run,
            trigger=run.trigger,
            reason=reason,
        )
    return Completed(name="Skipped", message=reason)


def _carried_out[Result](run: Run, work: Callable[[], Result]) -> Result:
    log.info("flow started", trigger=run.trigger, scheduled_for=run.scheduled_for.isoformat())
    try:
        result = work()
    except BaseException as error:
        _finish(run, reason_of(error))
        log.exception("flow failed", error=reason_of(error))
        raise
    _finish(run, "")
    log.info("flow done")
    return result


def _finish(run: Run, error: str) -> None:
    with transaction(get_engine()) as session:
        flow_executions.finish(
            session, flow=run.flow, scheduled_for=run.scheduled_for, flow_run=run.flow_run, error=error
        )


def worth_retrying(_: Any, __: Any, state: State[Any]) -> bool:
    """Whether a failed task is tried again: not when trying again can't mend it."""
    error = state.result(raise_on_failure=False)
    return not isinstance(error, PERMANENT)


def say(line: str) -> None:
    """One line for people into the run's log in Prefect's UI."""
    from prefect.exceptions import MissingContextError
    from prefect.logging import get_run_logger

    try:
        get_run_logger().info(line)
    except MissingContextError:
        log.info(line)
