"""leitstand flow: the scheduled flows, and starting one now."""

import json
import time
from typing import Any

import click

from leitstand.errors import InvalidInput, Unavailable
from leitstand.telemetry.context import bound

POLL_SECONDS = 1.0


@click.group(name="flow")
def group() -> None:
    """Flows: what runs on a schedule (imports, backups, drills, checks)."""


@group.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
def list_flows(as_json: bool) -> None:
    """The deployed flows with their last and next run."""
    from leitstand.jobs.prefect_api import PrefectApi
    from leitstand.settings import get_settings

    deployments = PrefectApi(get_settings()).deployments()
    if as_json:
        click.echo(json.dumps({"flows": [deployment.to_dict() for deployment in deployments]}))
        return
    for deployment in deployments:
        schedule = f"{deployment.cron} {deployment.zone}".strip() or "by hand"
        last = (
            f"{deployment.last_state} {deployment.last_run:%Y-%m-%d %H:%M}"
            if deployment.last_run
            else "never run"
        )
        coming = f"next {deployment.next_run:%Y-%m-%d %H:%M} UTC" if deployment.next_run else ""
        click.echo(f"{deployment.name:<24} {schedule:<20} {last:<28} {coming}")


@group.command(name="run")
@click.argument("name")
@click.option(
    "--parameter",
    "-p",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter; the value is JSON, or else text.",
)
@click.option("--wait", is_flag=True, help="Wait for its end; exit code 1 when it does not complete.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def run(name: str, parameters: tuple[str, ...], wait: bool, as_json: bool) -> None:
    """Start the flow NAME now."""
    from leitstand.jobs.prefect_api import PrefectApi
    from leitstand.settings import get_settings

    api = PrefectApi(get_settings())
    with bound() as identity:
        flow_run = api.start(name, dict(_parameter(text) for text in parameters))
    state = _wait(api, flow_run) if wait else "Scheduled"
    document = {"flow": name, "flow_run": flow_run, "state": state, "request_id": identity["request_id"]}
    click.echo(json.dumps(document) if as_json else f"{name}: {state} (run {flow_run})")
    if wait and state not in {"Completed", "Skipped"}:
        raise click.exceptions.Exit(1)


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidInput(f"{text!r} is no parameter.", hint="Write it as NAME=VALUE.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _wait(api: Any, flow_run: str) -> str:
    """The name of the state in which the run ends; a server that restarts meanwhile is waited for."""
    while True:
        try:
            state = api.state_of(flow_run)
        except Unavailable as error:
            click.echo(f"{error.message} Still waiting.", err=True)
        else:
            if state.final:
                return str(state.name)
        time.sleep(POLL_SECONDS)
