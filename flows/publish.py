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
HEARTBEAT = "prefect.flow-run.heartbeat"
# Three missed heartbeats.
SILENCE = timedelta(seconds=3 * HEARTBEAT_SECONDS)
ENDS = [f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed", "Skipped")]


def publish(deployments: Iterable[tuple[Deployment, str]], gone: Iterable[str]) -> None:
    """Send each deployment with its digest, delete those that are gone, and see to pool and automation."""
    with get_client(sync_client=True) as client:
        ensure_work_pool(client)
        for deployment, digest in deployments:
            send(deployment, digest)
        for identity in gone:
            delete(client, UUID(identity))
        ensure_automation(client)


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


def zombie_automation() -> AutomationCore:
    """A run whose process was killed stays Running and holds up the next: without a heartbeat it has crashed."""
    trigger = EventTrigger(
        after={HEARTBEAT},
        expect={HEARTBEAT, *ENDS},
        match={"prefect.resource.id": "prefect.flow-run.*"},
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=SILENCE,
    )
    crash = ChangeFlowRunState(
        state=StateType.CRASHED, name="Crashed", message="No heartbeat: the run's process is gone."
    )
    return AutomationCore(
        name=ZOMBIES,
        description=zombie_automation.__doc__ or "",
        tags=[TAG],
        trigger=trigger,
        actions=[crash],
    )


def ensure_automation(client: SyncPrefectClient) -> None:
    """Create the automation, or bring the one of that name up to date; a second of that name is deleted."""
    wanted = zombie_automation()
    present = client.read_automations_by_name(ZOMBIES)
    if not present:
        client.create_automation(wanted)
        return
    client.update_automation(present[0].id, wanted)
    for second in present[1:]:
        client.delete_automation(second.id)
