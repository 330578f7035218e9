"""leitstand hetzner: what an environment at Hetzner would be, costs, and is made of."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from leitstand.settings import REPOSITORY

if TYPE_CHECKING:
    from leitstand.hetzner.plan import Plan, Target
    from leitstand.hetzner.prices import Cost

SITE = REPOSITORY / "deploy" / "hetzner" / "site.toml"
EXAMPLE = SITE.with_name("site.example.toml")
SIGNS = {"make": "+", "change": "~", "keep": "=", "refuse": "!"}


@click.group("hetzner")
def group() -> None:
    """Environments at Hetzner, described in deploy/hetzner."""


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    for decorate in (
        click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output."),
        click.option(
            "--site",
            type=click.Path(path_type=Path, dir_okay=False),
            default=SITE,
            help="What differs between installations; default: deploy/hetzner/site.toml.",
        ),
        click.argument("environment"),
    ):
        command = decorate(command)
    return command


def _target(environment: str, site: Path, *, with_buckets: bool = True) -> "Target":
    from leitstand.hetzner.targets import target_of
    from leitstand.settings import get_settings

    return target_of(get_settings(), environment, site, with_buckets=with_buckets)


@group.command("plan")
@_shared
@click.pass_context
def plan_command(context: click.Context, environment: str, site: Path, as_json: bool) -> None:
    """Show what `apply` would make, change and refuse, and the month's cost; exit 1 when something is refused."""
    from leitstand.hetzner.plan import plan

    target = _target(environment, site)
    found, cost = plan(target), _cost(target)
    if as_json:
        click.echo(json.dumps({**found.to_dict(), "cost": cost.to_dict() if cost else None}))
    else:
        _show(found)
        _show_cost(cost)
    context.exit(1 if found.of("refuse") else 0)


@group.command("apply")
@_shared
@click.option("--yes", metavar="NAME", help="The environment's name, instead of typing it.")
def apply_command(environment: str, site: Path, as_json: bool, yes: str | None) -> None:
    """Make the environment as described; ended at any moment, the same command goes on. Deletes nothing."""
    from leitstand.cli._confirmation import confirmed
    from leitstand.hetzner.plan import apply, plan

    target = _target(environment, site)
    first = plan(target)
    if not as_json:
        _show(first)
        _show_cost(_cost(target))
    if not first.nothing_to_do and not first.of("refuse"):
        confirmed(environment, yes, doing="make it so")
    done = apply(target, told=lambda line: click.echo(line, err=True))
    if as_json:
        click.echo(json.dumps(done.to_dict()))
    else:
        click.echo("Nothing to do." if done.nothing_to_do else "Done.")


@group.command("cost")
@_shared
def cost_command(environment: str, site: Path, as_json: bool) -> None:
    """Show what all that is described costs a month, by the prices that the API gives now."""
    cost = _cost(_target(environment, site, with_buckets=False))
    if as_json:
        click.echo(json.dumps(cost.to_dict() if cost else None))
    else:
        _show_cost(cost)


@group.command("destroy-plan")
@_shared
def destroy_plan_command(environment: str, site: Path, as_json: bool) -> None:
    """List what giving the environment up would take away, and what of it holds data. Deletes nothing."""
    from leitstand.hetzner.plan import destroy_plan

    fates = destroy_plan(_target(environment, site))
    if as_json:
        click.echo(json.dumps({"environment": environment, "things": [vars(fate) for fate in fates]}))
        return
    for fate in fates:
        why = "holds data" if fate.holds_data else "can be made again"
        click.echo(f"  {fate.title:<16} {fate.name:<28} {why}{', protected' if fate.protected else ''}")
    click.echo("Nothing was deleted: that is done by hand in the console, each protection lifted first.")


@group.command("addresses")
@_shared
def addresses_command(environment: str, site: Path, as_json: bool) -> None:
    """Show the environment's primary IPs, as allow-lists and records elsewhere need them."""
    from leitstand.hetzner.cloud import LABEL
    from leitstand.hetzner.networking import first_address

    cloud = _target(environment, site, with_buckets=False).cloud
    things = cloud.all("primary_ips").values() if cloud else ()
    own = {each.name: first_address(each) for each in things if (each.labels or {}).get(LABEL) == environment}
    if as_json:
        click.echo(json.dumps(own))
        return
    for name, address in own.items():
        click.echo(f"{name}  {address}")


@group.command("check")
@click.option(
    "--site",
    type=click.Path(path_type=Path, dir_okay=False),
    default=EXAMPLE,
    help="The site's file; default: the example.",
)
@click.option(
    "--write",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write each server's cloud-init into, as its schema's check reads it.",
)
def check_command(site: Path, write: Path | None) -> None:
    """Check every description and the cloud-init of every server; asks Hetzner nothing and needs no token."""
    from leitstand.hetzner.cloud_init import user_data
    from leitstand.hetzner.description import environments, read_environment, read_site

    facts = read_site(site)
    for name in environments():
        environment = read_environment(name, facts)
        for server in environment.servers:
            text = user_data(environment, server, facts, volume_id=1)
            if write is not None:
                (write / f"{server.name}.yaml").write_text(text)
        click.echo(f"{name}: as it should be ({len(environment.servers)} servers)")


def _cost(target: "Target") -> "Cost | None":
    """The month's cost; None where the project has nothing that the API has prices for."""
    from leitstand.hetzner.prices import cost_of

    return cost_of(target.environment, target.cloud) if target.cloud else None


def _show(plan: "Plan") -> None:
    for step in plan.steps:
        click.echo(f"{SIGNS[step.verdict]} {step.verdict:<7} {step.title:<16} {step.name}")
        for sentence in step.reasons:
            click.echo(f"            {sentence}")
        for note in step.notes:
            click.echo(f"            note: {note}")
    for kind, name in plan.left_over:
        click.echo(f"? left    {kind:<16} {name}: not described, goes on costing")


def _show_cost(cost: "Cost | None") -> None:
    if cost is None:
        click.echo("The API has no prices for this.")
        return
    for line in cost.lines:
        price = "no price in the API" if line.net is None else f"{line.net:>9.2f}  {line.gross:>9.2f}"
        click.echo(f"  {line.title:<16} {line.name:<28} {price}")
    least = "" if cost.complete else "at least "
    click.echo(
        f"A month: {least}{cost.net} {cost.currency} net, {cost.gross} with {cost.vat_percent} % VAT; traffic beyond what is included is not in it."
    )
