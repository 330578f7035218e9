"""Send deployments, the work pool and the automation to Prefect's server, with Prefect's own client."""

import importlib
import sys
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy, StateType
from prefect.client.schemas.schedules import CronSchedule
from prefect.deployments.runner import RunnerDeployment
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.types.entrypoint import EntrypointType

from flows.schedules import Deployment
from leitstand.jobs.prefect_environment import HEARTBEAT_SECONDS, WORK_POOL

TAG = "leitstand"
ZOMBIES = "Runs without a heartbeat have crashed"
STUCK = "Runs that do not begin have crashed"
HEARTBEAT = "prefect.flow-run.heartbeat"
# Three missed heartbeats.
SILENCE = timedelta(seconds=3 * HEARTBEAT_SECONDS)
# A worker that ends while it submits a run leaves it so for ever.
LONGEST_SUBMISSION = timedelta(minutes=10)
SUBMISSIONS = [f"prefect.flow-run.{state}" for state in ("Pending", "Submitting", "InfrastructurePending")]
ENDS = [f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed", "Skipped")]


def publish(deployments: Iterable[tuple[Deployment, str]], gone: Iterable[str]) -> None:
    """Send each deployment with its digest, delete those that are gone, and see to pool and automation."""
    with get_client(sync_client=True) as client:
        ensure_work_pool(client)
        for deployment, digest in deployments:
            send(deployment, digest)
        for identity in gone:
            delete(client, UUID(identity))
        for automation in automations():
            ensure_automation(client, automation)


def flow_of(deployment: Deployment) -> Flow[..., Any]:
    """The flow that a deployment names.

    Raises:
        AttributeError, ImportError: there is none.
    """
    module, function = deployment.flow.split(".")
    return cast("Flow[..., Any]", getattr(importlib.import_module(f"flows.{module}"), function))


def send(deployment: Deployment, digest: str) -> None:
    """Create or update one deployment; a run that comes while another still runs is cancelled."""
    made = flow_of(deployment).to_deployment(
        name=deployment.name,
        description=deployment.description,
        version=digest,
        tags=[TAG],
        parameters=deployment.parameters,
        schedules=[CronSchedule(cron=deployment.cron, timezone=deployment.zone)] if deployment.cron else [],
        concurrency_limit=ConcurrencyLimitConfig(
            limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW
        ),
        entrypoint_type=EntrypointType.MODULE_PATH,
        # The command as it is spares a process that would first look for a workspace of its own.
        job_variables={"command": f"{sys.executable} -m prefect.engine"},
    )
    cast("RunnerDeployment", made).apply(work_pool_name=WORK_POOL)


def delete(client: SyncPrefectClient, identity: UUID) -> None:
    """Delete a deployment; nothing happens where it is gone already."""
    try:
        client.delete_deployment(identity)
    except ObjectNotFound:
        return


def ensure_work_pool(client: SyncPrefectClient) -> None:
    """Make the work pool whose runs are processes of this machine's worker."""
    try:
        client.create_work_pool(
            WorkPoolCreate(
                name=WORK_POOL, type="process", description="Processes of this environment's worker"
            )
        )
    except ObjectAlreadyExists:
        return


def automations() -> list[AutomationCore]:
    """What ends runs whose process is gone, which else hold up the next of their deployment."""
    return [
        _crash(
            ZOMBIES,
            "A run whose process was killed stays Running: without a heartbeat it has crashed.",
            _silence(after={HEARTBEAT}, expect={HEARTBEAT, *ENDS}, within=SILENCE),
        ),
        _crash(
            STUCK,
            "A run whose worker was killed before it began stays Pending: after ten minutes it has crashed.",
            _silence(
                after={*SUBMISSIONS}, expect={"prefect.flow-run.Running", *ENDS}, within=LONGEST_SUBMISSION
            ),
        ),
    ]


def _silence(*, after: set[str], expect: set[str], within: timedelta) -> EventTrigger:
    """When a flow run that did one of `after` does none of `expect` for so long."""
    return EventTrigger(
        after=after,
        expect=expect,
        match={"prefect.resource.id": "prefect.flow-run.*"},
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=within,
    )


def _crash(name: str, description: str, trigger: EventTrigger) -> AutomationCore:
    crash = ChangeFlowRunState(state=StateType.CRASHED, name="Crashed", message=description)
    return AutomationCore(name=name, description=description, tags=[TAG], trigger=trigger, actions=[crash])


def ensure_automation(client: SyncPrefectClient, wanted: AutomationCore) -> None:
    """Create the automation, or bring the one of that name up to date; a second of that name is deleted."""
    present = client.read_automations_by_name(wanted.name)
    if not present:
        client.create_automation(wanted)
        return
    client.update_automation(present[0].id, wanted)
    for second in present[1:]:
        client.delete_automation(second.id)
