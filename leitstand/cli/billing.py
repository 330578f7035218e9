"""leitstand billing: plans, usage and invoices of a workspace."""

import json
from datetime import UTC, datetime

import click

from leitstand.billing.invoices import issue_invoices, list_invoices
from leitstand.billing.providers.manual import Manual
from leitstand.billing.subscription import change_plan, get_subscription
from leitstand.billing.usage import get_usage
from leitstand.cli._identity import at_the_terminal
from leitstand.cli._options import database
from leitstand.db.engine import transaction
from leitstand.identity.access import system_principal
from leitstand.identity.workspaces import find_workspace
from leitstand.limits.plans import load_plans


@click.group("billing")
def group() -> None:
    """Show plans, usage and invoices, and set a workspace's plan."""


@group.command("plans")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def plans(as_json: bool) -> None:
    """The plans of the file."""
    found = load_plans()
    if as_json:
        click.echo(found.model_dump_json())
        return
    for plan in found.plans:
        click.echo(f"{plan.name:<24} {plan.price_cents / 100:>10.2f} {plan.currency}  {plan.title}")


@group.command("show")
@click.argument("workspace")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def show(workspace: str, as_json: bool) -> None:
    """The plan of WORKSPACE, and its usage beside the limits."""
    with database() as engine, transaction(engine) as session:
        principal = system_principal(find_workspace(session, workspace).id, at_the_terminal())
        plan = get_subscription(session, principal=principal).plan
        usage = get_usage(session, principal=principal)
    if as_json:
        meters = [meter.to_dict() for meter in usage.meters]
        click.echo(json.dumps({"plan": plan.name, "month": usage.month.isoformat(), "meters": meters}))
        return
    click.echo(f"{workspace} is on the plan {plan.title}.")
    for meter in usage.meters:
        limit = "no limit" if meter.limit is None else f"of {meter.limit:,} ({meter.percent} %)"
        click.echo(f"{meter.what:<24} {meter.used:>16,} {limit}")


@group.command("set-plan")
@click.argument("workspace")
@click.argument("plan")
def set_plan(workspace: str, plan: str) -> None:
    """Put WORKSPACE on PLAN, billed by hand; refused while more is used than it has room for."""
    with database() as engine, transaction(engine) as session:
        principal = system_principal(find_workspace(session, workspace).id, at_the_terminal())
        change_plan(session, principal=principal, plan=plan, provider=Manual())
    click.echo(f"{workspace} is on the plan {plan}.")


@group.command("invoices")
@click.argument("workspace")
@click.option(
    "--issue", is_flag=True, help="First make the invoices of this month that are missing, of all workspaces."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def invoices(workspace: str, issue: bool, as_json: bool) -> None:
    """The invoices of WORKSPACE, newest first."""
    with database() as engine, transaction(engine) as session:
        principal = system_principal(find_workspace(session, workspace).id, at_the_terminal())
        if issue:
            issue_invoices(session, now=datetime.now(UTC))
        found = [
            {
                "number": row.number,
                "from": row.period_start.isoformat(),
                "total_cents": row.total_cents,
                "currency": row.currency,
                "status": row.status,
            }
            for row in list_invoices(session, principal=principal)
        ]
    if as_json:
        click.echo(json.dumps({"invoices": found}))
        return
    for row in found:
        cents = row["total_cents"]
        click.echo(f"{row['number']:<16} {row['from']} {cents} cents {row['currency']} {row['status']}")
    if not found:
        click.echo("There is no invoice.")
